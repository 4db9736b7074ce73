"""The interval of a share."""

import math
from statistics import NormalDist

from persistbench.statistics.ratios import LEVEL


def wilson(found: int, tried: int) -> tuple[float, float]:
    """Return the ends of the 99 % interval of a share.

    It is Wilson's interval (1927, Journal of the American Statistical Association 22:209), which
    also holds for shares of 0 and 1.

    Args:
        found: number of trials with the property, 0 to ``tried``.
        tried: number of trials, at least 1.
    """
    z = NormalDist().inv_cdf((1 + LEVEL) / 2)
    share, weight = found / tried, z**2 / tried
    middle = (share + weight / 2) / (1 + weight)
    half = z * math.sqrt(share * (1 - share) / tried + weight / tried / 4) / (1 + weight)
    # The ends are exactly 0 and 1 there; rounding must not say otherwise.
    return (middle - half if found else 0.0), (middle + half if found < tried else 1.0)
