"""Is one figure different from another? Ratios with their intervals, ties, fronts, ranks."""

import itertools
import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from persistbench.records.figures import Figure
from persistbench.records.questions import REFERENCE
from persistbench.statistics.ratios import SAME, LogRatio


@dataclass(frozen=True)
class Ratio:
    """One figure divided by another, with its 99 % interval."""

    value: float
    low: float
    high: float

    @property
    def tie(self) -> bool:
        """The interval holds 1: which of the two is smaller is not known."""
        return self.low <= 1 <= self.high


def ratio(one: Figure, other: Figure) -> Ratio:
    """Return ``one / other``; both must have a value.

    If both were called in turn, or each in turn with the same reference, the ratio is that of
    the calls in turn (see `persistbench.statistics.ratios`). Otherwise the interval is made of
    those of the two figures on a log scale by the MOVER method (Zou and Donner 2008, Statistics in
    Medicine 27:1693), and what a slower minute did to one of them is not taken out.
    A figure without an interval (a size, a count) is exact.
    """
    paired = _paired(one, other)
    return Ratio(*paired.interval()) if paired else _separate(one, other)


def steady(figure: Figure, reference: Figure | None) -> Figure:
    """Return a figure as it would have been in the minutes of the reference's.

    It is the reference's median times the ratio of the two: the machine's drift between them
    cancels. The interval is that of the ratio; what is not known of the reference's median is
    common to all that are compared with it.
    """
    if not figure.value or reference is None or not reference.value:
        return figure
    result = ratio(figure, reference)
    ends = (reference.value * end for end in (result.value, result.low, result.high))
    value, low, high = ends
    return replace(figure, value=value, low=low, high=high)


def _paired(one: Figure, other: Figure) -> LogRatio | None:
    """Return the ratio of calls in turn, if there were any."""
    if one.question != other.question:
        same = (one.pipeline, one.backend) == (other.pipeline, other.backend)
        return one.paired.get(other.question.partition("_")[0]) if same else None
    if one.backend == other.backend:
        return SAME if one.paired else None
    if other.backend in one.paired:
        return one.paired[other.backend]
    if one.backend in other.paired:
        return other.paired[one.backend].inverse()
    for reference in one.paired.keys() & other.paired.keys() & {REFERENCE}:
        return one.paired[reference].minus(other.paired[reference])
    return None


def _separate(one: Figure, other: Figure) -> Ratio:
    a, b = one.value, other.value
    if a is None or b is None:
        raise ValueError("a ratio needs two figures")
    if not a or not b:
        value = 1.0 if a == b else math.inf if a else 0.0
        return Ratio(value, value, value)
    below = math.hypot(_log(a, one.low), _log(other.high, b))
    above = math.hypot(_log(one.high, a), _log(b, other.low))
    value = a / b
    return Ratio(value, value * math.exp(-below), value * math.exp(above))


def _log(larger: float | None, smaller: float | None) -> float:
    """Return the distance of two ends on a log scale: 0 where an end is missing."""
    if larger is None or smaller is None:
        return 0.0
    return math.log(larger / smaller) if smaller > 0 else math.inf


def best(figures: Iterable[Figure]) -> Figure | None:
    """Return the contender that comes first, or None if there is none."""
    return next(iter(in_order(figure for figure in figures if contends(figure))), None)


def in_order(figures: Iterable[Figure]) -> list[Figure]:
    """Return figures of one row from the lowest to the highest; those without a value last.

    Where all were called in turn with the same reference, their ratios to it decide.
    """
    result = list(figures)
    valued = [figure for figure in result if figure.value is not None]
    turns = all(REFERENCE in figure.paired for figure in valued)

    def place(figure: Figure) -> tuple[bool, float]:
        if figure.value is None:
            return True, 0.0
        if turns:
            return False, 0.0 if figure.backend == REFERENCE else figure.paired[REFERENCE].mean
        return False, figure.value

    return sorted(result, key=place)


def contends(figure: Figure) -> bool:
    """Return whether a figure can be first: it has a value, and the backend saves estimators."""
    return figure.value is not None and not apart(figure)


def apart(figure: Figure) -> str:
    """Return why a figure is not ranked, by what its backend gives back; empty if it is ranked.

    Returns:
        ``floor``, ``predictor``, or ``unknown``: no record says what the backend gives back.
    """
    return _APART.get(figure.returns, "unknown")


_APART = {"estimator": "", "bytes": "floor", "predictor": "predictor"}


def dominating(
    point: Sequence[Figure], others: Iterable[Sequence[Figure]]
) -> list[Sequence[Figure]]:
    """Return the other points that are nowhere worse than a point and somewhere better.

    Args:
        point: the figures of one backend, one for each axis.
        others: the same of all backends.

    Medians decide: the front that is drawn through them can be recalculated.
    """
    result = []
    for other in others:
        pairs = [(a.value or 0.0, b.value or 0.0) for a, b in zip(other, point, strict=True)]
        if all(a <= b for a, b in pairs) and any(a < b for a, b in pairs):
            result.append(other)
    return result


def ranked(figures: Iterable[Figure]) -> list[tuple[str, Figure]]:
    """Return figures by question, pipeline and value, each with its rank.

    The rank is its place among the backends of the same machine, environment, question and
    pipeline; ``=`` before it says that it is a tie with the first. ``floor`` is no
    contender. Without a figure the rank is empty.
    """
    result: list[tuple[str, Figure]] = []
    rows: dict[tuple[str, ...], list[Figure]] = defaultdict(list)
    for figure in figures:
        rows[figure.row].append(figure)
    for _, group in sorted(rows.items()):
        places = itertools.count(1)
        first: Figure | None = None
        for figure in in_order(group):
            rank = ""
            if contends(figure):
                first = first or figure
                tie = figure is not first and ratio(figure, first).tie
                rank = f"{'=' if tie else ''}{next(places)}"
            elif figure.value is not None:
                rank = apart(figure)
            result.append((rank, figure))
    return result
