"""Intervals hold the truth at every look, and who is dropped is surely out."""

import math
import random
from collections.abc import Sequence

import numpy as np
import pytest
from scipy.stats import multivariate_normal

from persistbench.report import compare
from persistbench.statistics import ratios
from persistbench.statistics.ratios import LogRatio
from persistbench.statistics.sequential import (
    EQUAL,
    O_BRIEN_FLEMING,
    POCOCK,
    Decision,
    boundaries,
    decision,
    dropped,
    looks,
    repeated_interval,
)

PLAN = looks(20)


def exact(ratio: float) -> LogRatio:
    """Return a ratio that is known exactly, as that of two sizes is."""
    return LogRatio(math.log(ratio), 0.0, math.inf, 0)


def about(ratio: float, sd: float = 0.01) -> LogRatio:
    """Return a ratio that was measured, with the standard deviation of its logarithm."""
    return LogRatio(math.log(ratio), sd**2, 12.0, 30)


def typical(values: np.ndarray) -> np.ndarray:
    """Return the estimator of Hodges and Lehmann for each row; shape (n_rows,)."""
    one, other = np.triu_indices(values.shape[1])
    chunks = np.array_split(values, max(1, len(values) // 10_000))
    return np.concatenate(
        [np.median((each[:, one] + each[:, other]) / 2, axis=1) for each in chunks]
    )


def misses(prior: float, plan: Sequence[int], rows: int = 100_000) -> float:
    """Return the share of simulated ratios that an interval misses at some look.

    Their usual variance is known with ``prior`` degrees of freedom. No noise is shared.
    """
    rng = np.random.default_rng(0)
    variances = np.ones(rows)
    if 0 < prior < math.inf:
        variances = prior / rng.chisquare(prior, rows)
    values = rng.normal(size=(rows, plan[-1])) * np.sqrt(variances)[:, None]
    missed = np.zeros(rows, bool)
    for look in plan:
        here = values[:, :look]
        usual = np.ones(rows)
        if prior < math.inf:
            spread = (look - 1) * here.var(axis=1, ddof=1)
            usual = (prior + spread) / (prior + look - 1)
        unit = LogRatio(0.0, 1.0, prior + look - 1, 0)
        reach = math.log(repeated_interval(unit, look, plan)[2])
        missed |= np.abs(typical(here)) > reach * np.sqrt(ratios.DEARER * usual / look)
    return float(missed.mean())


@pytest.mark.parametrize(
    ("level", "family", "published"),
    [
        # Jennison and Turnbull (2000), tables 2.1 and 2.3.
        (0.95, POCOCK, {1: 1.960, 2: 2.178, 3: 2.289, 4: 2.361, 5: 2.413, 6: 2.453, 10: 2.555}),
        (0.99, POCOCK, {1: 2.576, 2: 2.772, 3: 2.873, 4: 2.939, 5: 2.986, 6: 3.023, 10: 3.117}),
        (0.95, O_BRIEN_FLEMING, {2: 1.977, 3: 2.004, 4: 2.024, 5: 2.040, 6: 2.053, 10: 2.087}),
        (0.99, O_BRIEN_FLEMING, {2: 2.580, 3: 2.595}),
        # Wang and Tsiatis: the example in section 3.2.2 of the same book.
        (0.95, 0.25, {4: 2.113}),
    ],
)
def test_critical_values_are_the_published_ones(
    level: float, family: float, published: dict[int, float]
) -> None:
    """For looks at equal steps the last critical value is that of the tables, to three digits."""
    for count, value in published.items():
        assert boundaries(range(1, count + 1), level, family)[-1] == pytest.approx(value, abs=6e-4)


@pytest.mark.parametrize("family", [O_BRIEN_FLEMING, 0.25, POCOCK])
def test_critical_values_of_unequal_steps_hold(family: float) -> None:
    """Another integration, that of scipy, gives the same probability for our plan."""
    limits = np.array(boundaries(PLAN, 0.99, family))
    correlation = [[math.sqrt(min(a, b) / max(a, b)) for b in PLAN] for a in PLAN]
    normal = multivariate_normal(cov=correlation, seed=0)
    assert normal.cdf(limits, lower_limit=-limits) == pytest.approx(0.99, abs=1e-4)


def test_critical_values_of_a_member_follow_its_power_of_information() -> None:
    """They are those of the book's example. Only the ratios of information count."""
    result = boundaries((1, 2, 3, 4), 0.95, 0.25)
    assert result == pytest.approx((2.988, 2.513, 2.271, 2.113), abs=1e-3)
    assert boundaries((0.25, 0.5, 0.75, 1.0), 0.95, 0.25) == pytest.approx(result)


def test_two_looks_at_almost_the_same_processes_cost_almost_nothing() -> None:
    """The integral is right for a small step, too: the second look is the first one again."""
    assert 2.576 < boundaries((500, 501))[-1] < 2.6


@pytest.mark.parametrize(
    ("information", "level", "family"),
    [
        ((), 0.99, 0.5),
        ((0, 1), 0.99, 0.5),
        ((2, 2), 0.99, 0.5),
        ((3, 2), 0.99, 0.5),
        ((1, 2), 1.0, 0.5),
        ((1, 2), 0.0, 0.5),
        ((1, 2), 0.99, 0.6),
        ((1, 2), 0.99, -0.1),
    ],
)
def test_impossible_plan_has_no_critical_values(
    information: tuple[float, ...], level: float, family: float
) -> None:
    """Information that does not ascend, and a level or a family out of range, are refused."""
    with pytest.raises(ValueError, match=r"must ascend|Out of range"):
        boundaries(information, level, family)


def test_plan_ends_with_the_budget() -> None:
    """Each look is the sum of the two before it; the last look spends the budget."""
    assert looks(20) == (2, 3, 5, 8, 13, 20)
    assert looks(5) == (2, 3, 5)
    assert looks(6) == (2, 3, 5, 6)
    assert looks(2) == (2,)
    assert looks(60) == (2, 3, 5, 8, 13, 21, 34, 55, 60)
    with pytest.raises(ValueError, match="at least 2 processes, not 1"):
        looks(1)


@pytest.mark.parametrize("prior", [4.0, 8.0, math.inf])
def test_six_looks_mislead_at_most_once_in_a_hundred(prior: float) -> None:
    """At most 1 % of equal ratios are ever called different, however well variances are known."""
    assert 0.006 < misses(prior, PLAN) <= 0.01


def test_looks_mislead_hardly_more_without_a_usual_variance() -> None:
    """With variances of the own processes only it is 1.0 %: nowhere near the 4 % of six looks."""
    assert misses(0.0, PLAN) == pytest.approx(0.0102, abs=0.0006)


def test_intervals_of_a_run_hold_the_truth_at_all_looks() -> None:
    """Of 2,000 cells with estimated variances 1 % are missed; ordinary intervals miss over 2 %."""
    rng = random.Random(1)
    missed: set[tuple[int, int]] = set()
    ordinary: set[tuple[int, int]] = set()
    for run in range(4):
        processes = {
            (run, cell): [[math.exp(rng.gauss(0.0, own))] for _ in range(20)]
            for cell in range(500)
            for own in [0.05 * math.exp(rng.gauss(0, 0.3))]
        }
        for look in PLAN:
            found = ratios.estimate({key: each[:look] for key, each in processes.items()})
            for key, ratio in found.items():
                _, low, high = repeated_interval(ratio, look, PLAN)
                missed |= set() if low <= 1 <= high else {key}
                _, low, high = ratio.interval()
                ordinary |= set() if low <= 1 <= high else {key}
    assert len(missed) / 2000 <= 0.01
    assert len(ordinary) / 2000 > 0.02


def test_plan_that_ends_early_misses_less() -> None:
    """The intervals up to a look of a longer plan hold at least as often as those of all looks."""
    short = tuple(look for look in PLAN if look <= 5)
    critical = boundaries(PLAN)[0]
    assert all(limit < critical for limit in boundaries(short))


def test_larger_budget_costs_little() -> None:
    """A plan up to 55 processes has critical values that are 2 to 4 % higher."""
    assert 1.02 < boundaries(looks(55))[0] / boundaries(PLAN)[0] < 1.04


def test_look_that_was_not_planned_has_no_interval() -> None:
    """The error is spent at the planned looks, so nothing is left for another one."""
    for look in (4, 21):
        with pytest.raises(ValueError, match=f"no look at {look} processes"):
            repeated_interval(about(1.0), look, PLAN)


def test_repeated_interval_is_wider_by_one_factor_at_all_looks() -> None:
    """With known variances it is 19 % wider than an ordinary one, at the first look as the last."""
    known = LogRatio(0.2, 0.01, math.inf, 9)
    value, low, high = repeated_interval(known, 2, PLAN)
    assert (value, low, high) == repeated_interval(known, 20, PLAN)
    assert math.log(high / value) == pytest.approx(math.log(value / low))
    ordinary = known.interval()
    assert math.log(high / value) / math.log(ordinary[2] / value) == pytest.approx(1.188, abs=1e-3)


def test_single_look_is_an_ordinary_interval() -> None:
    """Who looks once needs no wider interval."""
    ratio = about(1.3)
    assert repeated_interval(ratio, 2, (2,)) == pytest.approx(ratio.interval())


@pytest.mark.parametrize(
    ("interval", "expected"),
    [
        ((1.1, 1.05, 1.2), Decision.DIFFERENT),
        ((0.9, 0.8, 0.99), Decision.DIFFERENT),
        ((1.0, 0.99, 1.01), Decision.EQUAL),
        ((1.01, 1.005, 1.015), Decision.EQUAL),
        ((1.0, 0.97, 1.01), Decision.OPEN),
        ((1.05, 1.0, 1.1), Decision.OPEN),
    ],
)
def test_interval_decides(interval: tuple[float, float, float], expected: Decision) -> None:
    """Inside ± 2 % it is equal, without 1 it is different, else it is open."""
    assert decision(interval) is expected


def test_decision_and_page_agree_on_what_is_equal() -> None:
    """A ratio that stops as equal is shown as equal."""
    assert EQUAL == compare.EQUAL


def test_contender_that_is_far_and_beaten_is_dropped() -> None:
    """One rival that is better in dump, load and size is enough."""
    contenders = {
        "good": (about(1.0), about(1.0), exact(1.0)),
        "bad": (about(1.5), about(3.0), exact(1.2)),
    }
    assert dropped(contenders, 5, PLAN) == {"bad"}


def test_contender_that_is_near_the_best_in_one_goal_stays() -> None:
    """Slow dumps do not drop it: it may be the choice of somebody who only loads."""
    contenders = {
        "good": (about(1.0), about(1.0), exact(1.0)),
        "near": (about(9.0), about(1.05), exact(9.0)),
    }
    assert dropped(contenders, 20, PLAN) == set()


def test_contender_on_the_front_stays() -> None:
    """A compromise is far from the best in each goal, and yet nobody is better in both."""
    contenders = {
        "fast": (about(1.0), exact(4.0)),
        "small": (about(4.0), exact(1.0)),
        "between": (about(2.0), exact(2.0)),
        "behind": (about(2.3), exact(2.3)),
    }
    assert dropped(contenders, 20, PLAN) == {"behind"}


def test_size_that_differs_by_a_few_bytes_puts_nobody_on_the_front() -> None:
    """A rival that is up to 2 % larger beats a contender that takes three times as long."""
    contenders = {
        "good": (about(1.0), exact(1.001)),
        "bad": (about(3.0), exact(1.0)),
        "small": (about(9.0), exact(0.5)),
    }
    assert dropped(contenders, 20, PLAN) == {"bad"}


def test_of_two_that_resemble_each_other_none_drops_the_other() -> None:
    """Both are far from the best in each goal; who drops must be better somewhere by 10 %."""
    contenders = {
        "fast": (exact(1.0), exact(4.0)),
        "small": (exact(4.0), exact(1.0)),
        "one": (exact(2.0), exact(2.01)),
        "other": (exact(2.01), exact(2.0)),
    }
    assert dropped(contenders, 20, PLAN) == set()


def test_nobody_is_dropped_by_a_wide_interval() -> None:
    """Twice as much with a standard deviation of 30 % is not sure."""
    contenders = {"good": (about(1.0, 0.3),), "bad": (about(2.0, 0.3),)}
    assert dropped(contenders, 2, PLAN) == set()
    assert dropped({"alone": (about(1.0),)}, 2, PLAN) == set()


def test_contenders_need_the_same_goals_and_a_planned_look() -> None:
    """A missing goal is no goal at which a contender is good."""
    contenders = {"one": (about(1.0), about(1.0)), "other": (about(2.0),)}
    with pytest.raises(ValueError, match=r"shorter|longer"):
        dropped(contenders, 5, PLAN)
    with pytest.raises(ValueError, match="no look at 4"):
        dropped({"one": (about(1.0),), "other": (about(2.0),)}, 4, PLAN)


def ever_dropped(
    truth: dict[str, Sequence[float]], key: str, plan: Sequence[int], level: float, rows: int
) -> float:
    """Return the share of simulated runs that drop a contender; the noise of a process is 3 %."""
    rng = np.random.default_rng(1)
    count = 0
    for _ in range(rows):
        noise = {
            name: rng.normal(0, 0.03, (plan[-1], len(costs))).cumsum(axis=0)
            for name, costs in truth.items()
        }
        for look in plan:
            contenders = {
                name: [
                    LogRatio(math.log(cost) + total / look, 0.03**2 / look, math.inf, look)
                    for cost, total in zip(truth[name], sums[look - 1], strict=True)
                ]
                for name, sums in noise.items()
            }
            if key in dropped(contenders, look, plan, level):
                count += 1
                break
    return count / rows


def test_contender_at_the_margin_is_dropped_as_often_as_stated() -> None:
    """One that needs exactly 10 % more is dropped in 5 % of runs at a level of 95 %."""
    share = ever_dropped({"best": (1.0,), "near": (1.1,)}, "near", PLAN, 0.95, 1000)
    assert 0.03 < share <= 0.05


def test_contender_near_the_best_in_one_goal_is_dropped_at_most_as_often_as_stated() -> None:
    """Of four contenders in two goals: at the margin of load, hopeless in dump."""
    truth = {"best": (1.0, 1.0), "second": (1.0, 1.0), "third": (1.02, 1.0), "near": (1.1, 5.0)}
    assert 0 < ever_dropped(truth, "near", looks(5), 0.9, 300) <= 0.1


def test_contender_at_twice_the_time_is_dropped_at_once() -> None:
    """At a noise of 3 % two processes are enough."""
    truth = {"best": (1.0, 1.0), "second": (1.2, 1.2), "bad": (2.0, 2.0)}
    assert ever_dropped(truth, "bad", (2, 20), 0.99, 20) == 1
    assert ever_dropped(truth, "best", (2, 20), 0.99, 20) == 0


def test_best_of_a_goal_always_stays() -> None:
    """Whatever the noise, the best by the estimates of a goal is never dropped."""
    rng = random.Random(0)
    for _ in range(20):
        contenders = {
            name: [about(math.exp(rng.gauss(0, 1)), 0.001) for _ in range(2)] for name in range(6)
        }
        out = dropped(contenders, 5, PLAN)
        for goal in range(2):
            assert min(contenders, key=lambda name: contenders[name][goal].mean) not in out
    assert out
