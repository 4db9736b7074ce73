"""Does time grow with size in a straight line, and where does the line break?"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

FEWEST = 3
"""The fewest points of a line: two give the line, the third judges it."""

SURE = 0.01
"""The level of the F test: by chance a straight line seems broken this often."""

BEND = 1.5
"""The least factor between the slopes of a break, either way."""


@dataclass(frozen=True)
class Line:
    """Time as ``fixed + slope * size``, fitted by least squares of relative deviations.

    Attributes:
        fixed: seconds at size 0.
        slope: seconds for one unit of size.
        residual: root mean square of the relative deviations, as a share.
    """

    fixed: float
    slope: float
    residual: float

    def at(self, size: float) -> float:
        """Return the seconds of the line at a size."""
        return self.fixed + self.slope * size


@dataclass(frozen=True)
class Break:
    """Two lines that fit better than one.

    Attributes:
        after: the last size of the first line.
        lines: the line of the smaller sizes and the line of the larger sizes.
    """

    after: float
    lines: tuple[Line, Line]


def fit(sizes: Sequence[float], times: Sequence[float], least: float = 0.0) -> Line:
    """Return the line that fits the points, by weighted least squares.

    The weight of a point is 1 / time^2, because a disturbance of a call is proportional to the
    length of the call.

    Args:
        sizes: at least two, in any order; shape (n_points,).
        times: seconds at each size, above 0; shape (n_points,).
        least: the least ``fixed`` in seconds. A line below it goes through 0 instead, because
            no size has a negative cost. -inf for a line that begins at a large size.
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
    """Return the break of the line, or None if two lines do not fit better than one.

    The F test for nested models decides: two lines have two more parameters than one line.

    Args:
        sizes: in ascending order; shape (n_points,).
        times: seconds at each size, above 0; shape (n_points,).
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
