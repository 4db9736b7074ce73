"""When a ratio may stop: intervals that hold the truth at every look, and who can be dropped.

A look is a moment at which the intervals are read and something may be stopped. Six looks at
ordinary 99 % intervals mislead in 4 % of cases, not in 1 %. The intervals here are wider: with a
probability of 99 %, all intervals of a ratio hold the truth, at every look of the plan. They are
the repeated confidence intervals of Jennison and Turnbull (1989, Journal of the Royal Statistical
Society B 51:305). They hold for any rule for stopping, and for none.

- **The plan ends early.** The budget is spent, or a process fails: the interval of the last look
  remains valid. A look that is left out makes nothing wrong.
- **More looks than planned.** The intervals of the planned looks remain valid. A further look has
  no interval, and :func:`repeated_interval` refuses it. So plan for the largest budget: a plan up
  to 55 processes has intervals 3 % wider than a plan up to 20.
- **Other numbers of processes than planned.** The intervals change too little to matter: they
  depend on the numbers only through the correlation of successive looks.
- **Few cells.** Fewer than about 20 cells of very different noise show their usual variance badly.
  Simulated for 12 such cells, 1.5 % of ratios are missed at some look, not 1 %.
- **A part of the noise that no process shows** (``SHARED_SD``) correlates the looks even more.
  Then the intervals hold the truth more often than they say.
"""

import math
from collections.abc import Hashable, Mapping, Sequence
from enum import StrEnum
from functools import cache
from typing import Any, TypeVar

from persistbench.statistics.ratios import LEVEL, LogRatio

K = TypeVar("K", bound=Hashable)

POCOCK, O_BRIEN_FLEMING = 0.5, 0.0
"""Members of the family of boundaries by Wang and Tsiatis (1987, Biometrics 43:193).

Pocock's member has one critical value for all looks. It is the default, because it decides most at
the first looks. At a standard deviation of 3 %, a difference of 10 % takes 2.9 processes on
average, and 5.5 with the member 0.25. The last interval of the member 0.25 is 13 % narrower."""

EQUAL = 1.02
"""A ratio whose interval lies between this and its inverse is equal."""

NEAR = 1.1
"""A contender is near the best if it takes at most this many times as much."""


def looks(most: int) -> tuple[int, ...]:
    """Return the plan of looks: the numbers of processes after which the intervals are read.

    Each look has as many processes as the two looks before it together: 2, 3, 5, 8, 13. Each is
    worth its price: it has about 1.6 times the information of the look before it. The last look
    spends the budget.

    Args:
        most: the budget, a number of processes; at least 2.

    Raises:
        ValueError: the budget is below 2.
    """
    if most < 2:
        raise ValueError(f"A plan needs at least 2 processes, not {most}.")
    result = []
    look, following = 2, 3
    while look < most:
        result.append(look)
        look, following = following, look + following
    return (*result, most)


def boundaries(
    information: Sequence[float], level: float = LEVEL, family: float = POCOCK
) -> tuple[float, ...]:
    """Return the critical value of each look.

    Z is the estimate divided by its standard error. If there is no difference, |Z| stays within
    its critical value at all looks with the probability ``level``. The critical values are
    ``c * (information / last information) ** (family - 0.5)``.

    Args:
        information: of all processes up to each look, in ascending order; shape (n_looks,). Only
            the ratios count, so numbers of processes will do.
        level: a probability, above 0 and below 1.
        family: 0 (O'Brien and Fleming: late looks are narrow) to 0.5 (Pocock: all looks are equal).

    Raises:
        ValueError: the information does not ascend from above 0, or ``level`` or ``family`` is out
            of range.
    """
    known = tuple(information)
    ascends = all(a < b for a, b in zip((0.0, *known), known, strict=False))
    if not known or not ascends:
        raise ValueError(f"The information must ascend from above 0: {known}")
    if not 0 < level < 1 or not O_BRIEN_FLEMING <= family <= POCOCK:
        raise ValueError(f"Out of range: the level {level} or the family {family}")
    return _boundaries(known, level, family)


@cache
def _boundaries(information: tuple[float, ...], level: float, family: float) -> tuple[float, ...]:
    from scipy.optimize import brentq
    from scipy.stats import norm

    fractions = [value / information[-1] for value in information]
    shape = [fraction ** (family - 0.5) for fraction in fractions]

    def excess(constant: float) -> float:
        return _staying(fractions, [constant * each for each in shape]) - level

    # One look would need the first value. By Bonferroni's inequality the second is enough for all.
    one, enough = norm.isf((1 - level) / 2), norm.isf((1 - level) / 2 / len(information))
    constant = brentq(excess, one / 2, enough + 0.1, xtol=1e-10)
    return tuple(float(constant * each) for each in shape)


def _staying(fractions: Sequence[float], limits: Sequence[float]) -> float:
    """Return the probability that |Z| stays within its limit at all looks.

    The sum ``S = Z * sqrt(fraction)`` has independent normal increments. So the density of the sums
    that have stayed is carried from look to look by an integral (Armitage, McPherson and Rowe 1969,
    Journal of the Royal Statistical Society A 132:235). The integrals are Gauss's and Legendre's.
    """
    import numpy as np
    from scipy.stats import norm

    ends = [limit * math.sqrt(part) for limit, part in zip(limits, fractions, strict=True)]
    deviations = np.sqrt(np.diff(fractions, prepend=0.0))
    # Nodes lie at most half a standard deviation of the next increment apart.
    widths = [end / deviation for end, deviation in zip(ends[:-1], deviations[1:], strict=True)]
    nodes, weights = _gauss(64 + math.ceil(2 * math.pi * max(widths, default=0.0)))
    sums, mass = np.zeros(1), np.ones(1)
    for end, deviation in zip(ends, deviations, strict=True):
        following = end * nodes
        density = norm.pdf(following[:, None], sums, deviation) @ mass
        sums, mass = following, density * end * weights
    return float(mass.sum())


@cache
def _gauss(count: int) -> tuple[Any, Any]:
    from numpy.polynomial.legendre import leggauss

    return leggauss(count)


def level_of(plan: Sequence[int], level: float = LEVEL) -> float:
    """Return the level of an ordinary interval that is read at every look of a plan.

    With Pocock's boundaries it is the same at all looks: :func:`repeated_interval` says why.

    Args:
        plan: of :func:`looks`.
        level: the share of ratios whose intervals hold the truth at every look of the plan.
    """
    from scipy.stats import norm

    return float(1 - 2 * norm.sf(boundaries(plan, level)[-1]))


def repeated_interval(
    ratio: LogRatio, look: int, plan: Sequence[int], level: float = LEVEL
) -> tuple[float, float, float]:
    """Return the ratio (no logarithm) and the two ends of its interval at a look.

    The critical value of the look is one of a normal distribution. The variance of a ratio is
    estimated, so the interval takes the Student value with the same two-sided probability, with
    the moderated degrees of freedom. This is the significance level approach (Pocock 1977,
    Biometrika 64:191; Jennison and Turnbull 2000, Group Sequential Methods, section 3.8).

    It is an approximation, and ``DEARER`` pays for it. Simulated with the plan up to 20 and without
    shared noise, the intervals of 0.8 % of ratios miss the truth at some look. That is so if the
    prior has 4 degrees of freedom or more; it is 1.0 % with none. Without ``DEARER`` it would be
    1.1 and 1.2 %.

    Args:
        ratio: the estimate from all processes up to the look.
        look: the planned number of processes at this look; one of ``plan``.
        plan: of :func:`looks`, made before the first look.
        level: the share of ratios whose intervals hold the truth at every look of the plan.

    Raises:
        ValueError: the plan has no such look.
    """
    if look not in plan:
        raise ValueError(f"The plan {tuple(plan)} has no look at {look} processes.")
    return ratio.interval(level_of(plan, level))


class Decision(StrEnum):
    """What an interval decides."""

    DIFFERENT = "different"
    EQUAL = "equal"
    OPEN = "open"


def decision(interval: tuple[float, float, float], equal: float = EQUAL) -> Decision:
    """Return what an interval decides about a ratio.

    An interval inside the limits of equality may miss 1. Then the ratio is equal, not different:
    nobody chooses by so little.

    Args:
        interval: the ratio and the two ends of its interval.
        equal: the largest ratio that counts as equal, above 1.
    """
    _, low, high = interval
    if low >= 1 / equal and high <= equal:
        return Decision.EQUAL
    return Decision.OPEN if low <= 1 <= high else Decision.DIFFERENT


def dropped(
    contenders: Mapping[K, Sequence[LogRatio]],
    look: int,
    plan: Sequence[int],
    level: float = LEVEL,
    near: float = NEAR,
    equal: float = EQUAL,
) -> set[K]:
    """Return the contenders that need no more processes.

    A contender is dropped if two things are sure:

    - It is far from the best in each goal: some rival needs less by more than the factor ``near``.
    - It is not on the Pareto front: one rival beats it. That rival is nowhere worse by more than
      the factor ``equal``, and somewhere better by more than ``near``.

    "Sure" is said by the end of a repeated interval. Each rival in each goal gets an equal part of
    the error (Bonferroni). So a contender that is near the best in one goal, or on the front, is
    ever dropped with a probability of at most ``1 - level``. Kim and Nelson (2001, ACM Transactions
    on Modeling and Computer Simulation 11:251) share the error among rivals in the same way. But
    their boundary needs the variance of a first stage, and looks after every observation. Here the
    variance is moderated and the looks are few; so the boundary of the intervals is taken.

    The contender that is best by its estimates in one goal always stays.

    Args:
        contenders: the log ratios of each contender to one reference, a value for each goal; shape
            (n_goals,). Goals are costs: dump, load, size. An exact value has the variance 0 and
            infinite degrees of freedom. A contender that was stopped keeps its last values.
        look: the planned number of processes at this look; one of ``plan``.
        plan: of :func:`looks`, made before the first look.
        level: the probability that a contender which should stay does stay, at every look.
        near: the largest ratio to the best that counts as near, at least ``equal``.
        equal: the largest ratio that counts as equal, at least 1.

    Raises:
        ValueError: the plan has no such look, or the contenders differ in their number of goals.
    """
    result: set[K] = set()
    for key, own in contenders.items():
        rivals = [costs for other, costs in contenders.items() if other != key]
        if not rivals or not own:
            continue
        # Only the lower end is used, so the errors of both ends are spent on it.
        share = 2 * (1 - level) / (len(rivals) * len(own))
        # By rival and goal: how much more than the rival the contender needs at the very least.
        surely = [
            [
                repeated_interval(mine.minus(its), look, plan, 1 - share)[1]
                for mine, its in zip(own, costs, strict=True)
            ]
            for costs in rivals
        ]
        far = all(any(more > near for more in goal) for goal in zip(*surely, strict=True))
        beaten = any(max(more) > near and min(more) >= 1 / equal for more in surely)
        if far and beaten:
            result.add(key)
    return result
