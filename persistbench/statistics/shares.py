"""The interval of a share."""

from persistbench.statistics.ratios import LEVEL


def wilson(found: int, tried: int) -> tuple[float, float]:
    """Return the ends of the 99 % interval of a share.

    It is Wilson's interval (1927, Journal of the American Statistical Association 22:209), which
    also holds for shares of 0 and 1.

    Args:
        found: number of trials with the property, 0 to ``tried``.
        tried: number of trials, at least 1.
    """
    from scipy.stats import binomtest

    ends = binomtest(found, tried).proportion_ci(LEVEL, method="wilson")
    return float(ends.low), float(ends.high)
