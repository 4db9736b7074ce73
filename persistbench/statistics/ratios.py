"""The interval of a paired ratio: a call and its reference, measured in a few processes.

The pairs of one process resemble each other. So a process is one observation: the typical ratio of
its pairs, on a log scale. Two or three observations say little about their own variance. But a run
has hundreds of cells, and together they show the usual variance. The variance of a cell is
moderated towards the usual variance, as in the analysis of many small experiments at once. The
method is that of Smyth (2004, Statistical Applications in Genetics and Molecular Biology 3:3).
"""

import itertools
import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean, median
from typing import TypeVar

K = TypeVar("K", bound=Hashable)

LEVEL = 0.99
"""The level of all intervals."""

FEW = 10
"""The fewest cells that show a usual variance."""

GROUPS = (0.0, 3.0, 9.0, math.inf)
"""Borders of the groups of cells, as numbers of pairs in a process."""

DEARER = 1.1
"""The variance of the typical value divided by that of the mean, at most, for normal values.
Simulated it is 1.02 of three, 1.09 of four and 1.08 of five. Of many it is 1.05, as Hodges and
Lehmann say."""

SHARED_SD = 0.006
"""Standard deviation of a log ratio between runs. The processes of a run share the layout of their
memory, so their number does not show it. Measured by docs/experiments/between_runs.py."""

USUAL_SD, USUAL_FREEDOM = 0.05, 4.0
"""The usual standard deviation, and its degrees of freedom, where too few cells show one."""


@dataclass(frozen=True)
class LogRatio:
    """The logarithm of a ratio.

    Attributes:
        mean: the estimate.
        variance: the variance of the estimate.
        freedom: the degrees of freedom of the variance; may be infinite.
        pairs: the number of paired calls.
        level: the share of intervals that hold the true ratio, for :meth:`interval`.
    """

    mean: float
    variance: float
    freedom: float
    pairs: int
    level: float = LEVEL

    def minus(self, other: "LogRatio") -> "LogRatio":
        """Return the log ratio of two backends that have the same reference."""
        return LogRatio(
            self.mean - other.mean,
            self.variance + other.variance,
            min(self.freedom, other.freedom),
            min(self.pairs, other.pairs),
            max(self.level, other.level),
        )

    def inverse(self) -> "LogRatio":
        """Return the log of the inverse ratio."""
        return replace(self, mean=-self.mean)

    def interval(self, level: float | None = None) -> tuple[float, float, float]:
        """Return the ratio (no logarithm) and the two ends of its interval.

        The interval is Student's, with the moderated degrees of freedom.

        Args:
            level: the share of intervals that hold the true ratio; None for that of the ratio.
        """
        from scipy.stats import t

        reach = t.ppf((1 + (level or self.level)) / 2, self.freedom) * math.sqrt(self.variance)
        return tuple(_exp(self.mean + step) for step in (0.0, -reach, reach))  # type: ignore[return-value]


def _exp(value: float) -> float:
    """Return e to this power; infinite where it is larger than the largest number."""
    try:
        return math.exp(value)
    except OverflowError:
        return math.inf


SAME = LogRatio(0.0, 0.0, math.inf, 0)
"""The log ratio of the reference to itself."""


@dataclass(frozen=True)
class Usual:
    """The usual variance between the processes of a cell.

    Attributes:
        variance: of the typical log ratio of a process.
        freedom: the degrees of freedom that it adds to those of a cell; may be infinite.
    """

    variance: float
    freedom: float


def estimate(
    cells: Mapping[K, Sequence[Sequence[float]]],
    at_least: float = 0.0,
    wider: float = 1.0,
    level: float = LEVEL,
    mothers: Mapping[K, Sequence[int]] | None = None,
) -> dict[K, LogRatio]:
    """Return the log ratio of each cell.

    Args:
        cells: by cell, a sequence for each process: the ratios of its pairs, above 0.
        at_least: the least usual variance, from a calibration.
        wider: a factor for all intervals, from a calibration with false alarms.
        level: the share of intervals that hold the true ratio.
        mothers: by cell, from which mother each process is; all from one where nothing is said.
    """
    result: dict[K, LogRatio] = {}
    # A process with one or two pairs is noisier than a process with ten. So it does not count
    # beside such a process, and the usual variance is that of cells with about as many pairs.
    whole = {key: _whole(processes) for key, processes in cells.items()}
    for least, limit in itertools.pairwise(GROUPS):
        group = {
            key: [typical(pairs) for pairs in processes]
            for key, processes in whole.items()
            if least <= median(map(len, processes)) < limit
        }
        prior = usual(list(group.values()), at_least)
        for key, values in group.items():
            freedom = len(values) - 1
            total = prior.freedom + freedom
            spread = _variance(values) * freedom if freedom else 0.0
            # An infinitely trusted prior is the limit of this weighted mean.
            variance = (
                prior.variance
                if math.isinf(total)
                else (prior.freedom * prior.variance + spread) / total
            )
            pairs = sum(map(len, whole[key]))
            share = shared((mothers or {}).get(key, ()))
            variance = wider**2 * of_ratio(DEARER * variance, len(values), share)
            result[key] = LogRatio(_middle(values), variance, total, pairs, level)
    return result


def _whole(processes: Sequence[Sequence[float]]) -> list[Sequence[float]]:
    """Return the processes with at least half as many pairs as the median process of the cell."""
    least = median(map(len, processes)) / 2
    return [pairs for pairs in processes if len(pairs) >= least]


def of_ratio(variance: float, processes: float, share: float = 1.0) -> float:
    """Return the variance of a log ratio.

    Args:
        variance: between the processes of the cell.
        processes: their number.
        share: see :func:`shared`.
    """
    return variance / processes + share * SHARED_SD**2


def shared(mothers: Sequence[int]) -> float:
    """Return what is left of the variance that processes of one mother share: 1 with one mother.

    Args:
        mothers: from which mother each process is.
    """
    if not mothers:
        return 1.0
    return sum(mothers.count(one) ** 2 for one in set(mothers)) / len(mothers) ** 2


def typical(pairs: Sequence[float]) -> float:
    """Return the logarithm of the typical ratio of one process.

    The order of the calls changes from one row to the next. It shifts half of the ratios one way
    and half the other way, and the two shifts cancel here.

    Args:
        pairs: ratios of the pairs, above 0; shape (n_pairs,).
    """
    return _middle([math.log(ratio) for ratio in pairs])


def usual(cells: Sequence[Sequence[float]], at_least: float = 0.0) -> Usual:
    """Return the usual variance of the cells of a run (Smyth 2004, section 6.2).

    Args:
        cells: for each cell, the typical log ratio of each process.
        at_least: the least variance to return.
    """
    from scipy.special import digamma, polygamma

    known = [values for values in cells if len(values) > 1]
    if len(known) < FEW:
        floor = max([USUAL_SD**2, at_least, *([median(map(_variance, known))] if known else [])])
        return Usual(floor, USUAL_FREEDOM)
    halves = [(len(values) - 1) / 2 for values in known]
    logs = [math.log(max(_variance(values), 1e-10)) for values in known]
    shifted = [z - digamma(h) + math.log(h) for z, h in zip(logs, halves, strict=True)]
    mean = fmean(shifted)
    excess = _variance(shifted) - fmean(float(polygamma(1, h)) for h in halves)
    if excess <= 0:
        return Usual(max(math.exp(mean), at_least), math.inf)
    half = _inverse_trigamma(excess)
    variance = math.exp(mean + float(digamma(half)) - math.log(half))
    return Usual(max(variance, at_least), 2 * half)


def _inverse_trigamma(value: float) -> float:
    from scipy.optimize import brentq
    from scipy.special import polygamma

    return float(brentq(lambda x: float(polygamma(1, x)) - value, 1e-4, 1e8))


def _middle(values: Sequence[float]) -> float:
    """Return the estimator of Hodges and Lehmann (1963, Annals of Mathematical Statistics 34:598).

    It is the median of the means of all pairs of values. Without disturbance it is nearly as steady
    as a mean. A burst of other work does not move it far, nor does one slow process of five.
    """
    return median(
        (one + other) / 2 for one, other in itertools.combinations_with_replacement(values, 2)
    )


def _variance(values: Sequence[float]) -> float:
    mean = fmean(values)
    return sum((value - mean) ** 2 for value in values) / (len(values) - 1)


Ends = tuple[float, float | None, float | None]
"""A value with the ends of its interval; None where an end is missing."""


def of_separate(one: Ends, other: Ends) -> tuple[float, float, float]:
    """Return the ratio of two values that were measured apart, with the ends of its interval.

    The interval is made of both intervals on a log scale by the MOVER method (Zou and Donner 2008,
    Statistics in Medicine 27:1693). A value without an interval is exact. An end at 0 lies
    infinitely far away on a log scale: that end of the ratio is 0 or infinite.

    Args:
        one: value, low and high of the numerator; not below 0.
        other: the same of the denominator.
    """
    (a, a_low, a_high), (b, b_low, b_high) = one, other
    if not a or not b:
        value = 1.0 if a == b else math.inf if a else 0.0
        return value, value, value
    below = math.hypot(_log_distance(a, a_low), _log_distance(b_high, b))
    above = math.hypot(_log_distance(a_high, a), _log_distance(b, b_low))
    value = a / b
    return value, value * math.exp(-below), value * math.exp(above)


def _log_distance(larger: float | None, smaller: float | None) -> float:
    """Return the distance of two ends on a log scale: 0 where an end is missing."""
    if larger is None or smaller is None:
        return 0.0
    return math.log(larger / smaller) if smaller > 0 else math.inf
