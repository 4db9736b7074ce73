"""The interval of a ratio that was measured in a few processes, in turn with its reference.

Pairs of one process resemble each other, so a process counts as one observation: what is
typical of its ratios, on a log scale. Two or three observations say little about their own spread.
But there are hundreds of cells, and they say much about each other's: the variance of a cell
is moderated towards what is usual in the same run, as in the analysis of many small
experiments at once (Smyth 2004, Statistical Applications in Genetics and Molecular Biology
3:3).
"""

import itertools
import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, median
from typing import TypeVar

K = TypeVar("K", bound=Hashable)

LEVEL = 0.99
"""Of all intervals."""

FEW = 10
"""Fewer cells than this do not say what is usual."""

GROUPS = (0.0, 3.0, 9.0, math.inf)
"""Borders of the groups of cells, in pairs of a process."""

DEARER = 1.1
"""By so much the variance of what is typical of a few normal values exceeds that of their mean, at
most (simulated: 1.02 of three, 1.09 of four, 1.08 of five; 1.05 of many, Hodges and Lehmann)."""

SHARED_SD = 0.006
"""What all processes of a run have in common, and no number of them shows: where things lie in the
memory that they are forked with. Measured by docs/experiments/between_runs.py."""

USUAL_SD, USUAL_FREEDOM = 0.05, 4.0
"""What is taken for usual then: processes whose ratios differ by 5 %."""


@dataclass(frozen=True)
class LogRatio:
    """The logarithm of a ratio.

    Attributes:
        mean: its estimate.
        variance: of the estimate.
        freedom: degrees of freedom of the variance; may be infinite.
        pairs: how many calls in turn it stands on.
    """

    mean: float
    variance: float
    freedom: float
    pairs: int

    def minus(self, other: "LogRatio") -> "LogRatio":
        """Return the ratio of two things that were measured against the same reference."""
        return LogRatio(
            self.mean - other.mean,
            self.variance + other.variance,
            min(self.freedom, other.freedom),
            min(self.pairs, other.pairs),
        )

    def inverse(self) -> "LogRatio":
        """Return the ratio the other way round."""
        return LogRatio(-self.mean, self.variance, self.freedom, self.pairs)

    def interval(self, level: float = LEVEL) -> tuple[float, float, float]:
        """Return the ratio and the ends of its interval; no longer a logarithm."""
        from scipy.stats import t

        reach = t.ppf((1 + level) / 2, self.freedom) * math.sqrt(self.variance)
        return tuple(math.exp(self.mean + step) for step in (0.0, -reach, reach))  # type: ignore[return-value]


SAME = LogRatio(0.0, 0.0, math.inf, 0)
"""The ratio of the reference to itself."""


@dataclass(frozen=True)
class Usual:
    """The variance between processes that is usual, and how much that is worth.

    Attributes:
        variance: of what is typical of a process.
        freedom: how many degrees of freedom it adds to those of a cell.
    """

    variance: float
    freedom: float


def estimate(
    cells: Mapping[K, Sequence[Sequence[float]]], at_least: float = 0.0, wider: float = 1.0
) -> dict[K, LogRatio]:
    """Return the ratio of each cell.

    Args:
        cells: for each cell, the ratios of the pairs of each process.
        at_least: the smallest variance that is taken for usual, from a calibration.
        wider: what all intervals are multiplied by, from a calibration with false alarms.
    """
    result: dict[K, LogRatio] = {}
    # A process that had time for one or two pairs is noisier than one that made ten: beside such
    # it does not count, and what is usual is learnt among cells of about as many.
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
            variance = wider**2 * of_ratio(DEARER * variance, len(values))
            result[key] = LogRatio(_middle(values), variance, total, pairs)
    return result


def _whole(processes: Sequence[Sequence[float]]) -> list[Sequence[float]]:
    """Return the processes that made half as many pairs as is typical of the cell, or more."""
    least = median(map(len, processes)) / 2
    return [pairs for pairs in processes if len(pairs) >= least]


def of_ratio(variance: float, processes: float) -> float:
    """Return the variance of a ratio, from the variance between its processes and their number."""
    return variance / processes + SHARED_SD**2


def typical(pairs: Sequence[float]) -> float:
    """Return the logarithm of what is typical of the ratios of one process.

    The order of the calls changes from one row to the next; half of the ratios are shifted one
    way by it and half the other, which cancels here.
    """
    return _middle([math.log(ratio) for ratio in pairs])


def usual(cells: Sequence[Sequence[float]], at_least: float = 0.0) -> Usual:
    """Return what the cells of a run say about each other's variance (Smyth 2004, section 6.2).

    Args:
        cells: for each cell, what is typical of each process.
        at_least: the smallest variance to return.
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

    It is the median of the means of all pairs: nearly as steady as a mean where nothing disturbs,
    and neither a burst of other work nor one process of five that is slow throughout moves it far.
    """
    return median(
        (one + other) / 2 for one, other in itertools.combinations_with_replacement(values, 2)
    )


def _variance(values: Sequence[float]) -> float:
    mean = fmean(values)
    return sum((value - mean) ** 2 for value in values) / (len(values) - 1)
