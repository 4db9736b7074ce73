"""How sure a share is."""

import math
from statistics import NormalDist

from persistbench.statistics.ratios import LEVEL


def wilson(found: int, tried: int) -> tuple[float, float]:
    """Return the 99 % interval of a share: how many there may be, if so many were found.

    It is Wilson's (1927, Journal of the American Statistical Association 22:209), which is right
    for shares of nothing and of all, too.

    Args:
        found: at most as many as were tried.
        tried: at least one.
    """
    z = NormalDist().inv_cdf((1 + LEVEL) / 2)
    share, weight = found / tried, z**2 / tried
    middle = (share + weight / 2) / (1 + weight)
    half = z * math.sqrt(share * (1 - share) / tried + weight / tried / 4) / (1 + weight)
    # What was never found may be never there; rounding must not say otherwise.
    return (middle - half if found else 0.0), (middle + half if found < tried else 1.0)
