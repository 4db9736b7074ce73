"""Is one figure different from another? Ratios with their intervals, fronts, ranks."""

import itertools
import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from persistbench.records.figures import Figure
from persistbench.records.questions import REFERENCE
from persistbench.statistics import ratios
from persistbench.statistics.ratios import SAME, LogRatio
from persistbench.statistics.sequential import EQUAL


class Word(StrEnum):
    """What a ratio says of the first of two figures."""

    FASTER = "faster"
    SLOWER = "slower"
    EQUAL = "equal"
    UNDECIDED = "undecided"


@dataclass(frozen=True)
class Ratio:
    """One figure divided by another, with its 99 % interval."""

    value: float
    low: float
    high: float

    @property
    def word(self) -> Word:
        """Equal and undecided are two facts: no difference of over 2 %, and no knowledge."""
        if self.low >= 1 / EQUAL and self.high <= EQUAL:
            return Word.EQUAL
        if self.low <= 1 <= self.high:
            return Word.UNDECIDED
        return Word.FASTER if self.value < 1 else Word.SLOWER

    @property
    def decided(self) -> bool:
        """Whether one of the two figures is known to be the smaller one."""
        return self.word in (Word.FASTER, Word.SLOWER)

    @property
    def mark(self) -> str:
        """``=`` before what is equal, ``?`` before what is undecided; else nothing."""
        return {Word.EQUAL: "=", Word.UNDECIDED: "?"}.get(self.word, "")

    @property
    def reach(self) -> str:
        """How far from 1 an undecided interval reaches, ``± x %``; empty if there is no end.

        Only this says what is still possible: half of the width of 0.97 to 1.01 is 2 %, as if the
        two were equal.
        """
        if self.word is not Word.UNDECIDED or self.low <= 0 or math.isinf(self.high):
            return ""
        percent = 100 * (max(self.high, 1 / self.low) - 1)
        return f"± {percent:.0f} %" if percent <= 100 else "± over 100 %"

    @property
    def text(self) -> str:
        """The word; of what is undecided also how far the interval reaches."""
        return f"{self.word} ({self.reach})" if self.reach else str(self.word)


def ratio(one: Figure, other: Figure) -> Ratio:
    """Return ``one / other``; both must have a value.

    Of two figures that were paired, or paired with the same reference, it is the paired ratio
    (see `persistbench.statistics.ratios`). Otherwise the interval is made of the intervals of both
    figures by :func:`~persistbench.statistics.ratios.of_separate`. Then it does not know what a
    slower minute did to one of them.
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
    """Return the paired ratio, if there is one."""
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
    if one.value is None or other.value is None:
        raise ValueError("a ratio needs two figures")
    ends = ((figure.value or 0.0, figure.low, figure.high) for figure in (one, other))
    return Ratio(*ratios.of_separate(*ends))


def best(figures: Iterable[Figure]) -> Figure | None:
    """Return the contender that comes first, or None if there is none."""
    return next(iter(in_order(figure for figure in figures if contends(figure))), None)


def in_order(figures: Iterable[Figure]) -> list[Figure]:
    """Return figures of one row from the lowest to the highest; those without a value last.

    Where all were paired with the same reference, their ratios to it decide.
    """
    result = list(figures)
    valued = [figure for figure in result if figure.value is not None]
    paired = all(REFERENCE in figure.paired for figure in valued)

    def key(figure: Figure) -> tuple[bool, float]:
        if figure.value is None:
            return True, 0.0
        if paired:
            return False, 0.0 if figure.backend == REFERENCE else figure.paired[REFERENCE].mean
        return False, figure.value

    return sorted(result, key=key)


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

    The rank is its position among the backends of the same machine, environment, question and
    pipeline. ``=`` before the rank: it is equal to the first. ``?``: it is undecided which of the
    two is first. ``floor`` is no contender. Without a figure the rank is empty.
    """
    result: list[tuple[str, Figure]] = []
    rows: dict[tuple[str, ...], list[Figure]] = defaultdict(list)
    for figure in figures:
        rows[figure.row].append(figure)
    for _, group in sorted(rows.items()):
        ranks = itertools.count(1)
        first: Figure | None = None
        for figure in in_order(group):
            rank = ""
            if contends(figure):
                first = first or figure
                mark = "" if figure is first else ratio(figure, first).mark
                rank = f"{mark}{next(ranks)}"
            elif figure.value is not None:
                rank = apart(figure)
            result.append((rank, figure))
    return result
