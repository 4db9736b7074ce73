"""Does time grow in a straight line with size, and where does the line break?"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

FEWEST = 3
"""So many points make a line with something left over to judge it by."""

SURE = 0.01
"""The line breaks where chance would make two lines fit so much better only this often."""

BEND = 1.5
"""A break is named if the slopes differ by this factor, either way."""


@dataclass(frozen=True)
class Line:
    """Time as ``fixed + slope * size``, fitted by least squares of relative deviations.

    Attributes:
        fixed: seconds that are paid at any size.
        slope: seconds for each unit of size.
        residual: root mean square of the relative deviations.
    """

    fixed: float
    slope: float
    residual: float

    def at(self, size: float) -> float:
        """Return the seconds of a size."""
        return self.fixed + self.slope * size


@dataclass(frozen=True)
class Break:
    """Two lines where one does not do.

    Attributes:
        after: the last size of the first line.
        lines: below and above it.
    """

    after: float
    lines: tuple[Line, Line]


def fit(sizes: Sequence[float], times: Sequence[float], least: float = 0.0) -> Line:
    """Return the line through the points, at least two.

    Weights are 1 / time^2, because what disturbs a call disturbs it in proportion to its
    length.

    Args:
        sizes: in any order.
        times: of each size, in seconds.
        least: a line that would start below this is put through 0, because no size has a
            negative cost; what begins at a large size may point below it.
    """
    weights = [1 / time**2 for time in times]
    total = sum(weights)
    x = sum(w * size for w, size in zip(weights, sizes, strict=True)) / total
    y = sum(w * time for w, time in zip(weights, times, strict=True)) / total
    points = list(zip(weights, sizes, times, strict=True))
    squares = sum(w * (size - x) ** 2 for w, size, _ in points)
    slope = sum(w * (size - x) * (time - y) for w, size, time in points) / squares
    fixed = y - slope * x
    if fixed < least:
        fixed = 0.0
        slope = sum(w * s * t for w, s, t in points) / sum(w * s * s for w, s, _ in points)
    deviations = [(fixed + slope * size) / time - 1 for _, size, time in points]
    return Line(fixed, slope, math.sqrt(sum(d * d for d in deviations) / len(deviations)))


def broken(sizes: Sequence[float], times: Sequence[float]) -> Break | None:
    """Return the break of the line, or None if one line fits as well as two.

    Judged by the F test for nested models: two lines have two parameters more.

    Args:
        sizes: in ascending order.
        times: of each size, in seconds.
    """
    from scipy.stats import f

    count = len(sizes)
    if count < 2 * FEWEST:
        return None
    whole = fit(sizes, times).residual ** 2 * count
    best: tuple[float, Break] | None = None
    for cut in range(FEWEST, count - FEWEST + 1):
        low = fit(sizes[:cut], times[:cut])
        high = fit(sizes[cut:], times[cut:], least=-math.inf)
        left = low.residual**2 * cut + high.residual**2 * (count - cut)
        if best is None or left < best[0]:
            best = left, Break(sizes[cut - 1], (low, high))
    if best is None:
        return None
    left, result = best
    free = count - 4
    gain = math.inf if left == 0 else (whole - left) / 2 / (left / free)
    slopes = sorted(line.slope for line in result.lines)
    bends = slopes[0] <= 0 or slopes[1] / slopes[0] >= BEND
    return result if bends and f.sf(gain, 2, free) < SURE else None
