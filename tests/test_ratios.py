"""Intervals of ratios hold what they claim, also from two or three processes."""

import math
import random
from statistics import fmean, variance

import pytest

from persistbench.statistics import ratios
from persistbench.statistics.ratios import SAME, LogRatio


def simulated(
    truth: float, spread: float, cells: int, processes: int, seed: int = 0
) -> dict[int, list[list[float]]]:
    """Return cells whose processes have normal log ratios around what a run makes of the truth."""
    rng = random.Random(seed)
    return {
        cell: [[math.exp(rng.gauss(here, own))] * 5 for _ in range(processes)]
        for cell in range(cells)
        for here in [rng.gauss(math.log(truth), ratios.SHARED_SD)]
        for own in [spread * math.exp(rng.gauss(0, 0.3))]
    }


@pytest.mark.parametrize("processes", [2, 3, 5])
def test_intervals_hold_the_truth_as_often_as_they_say(processes: int) -> None:
    """Of 2,000 cells whose noise differs, 98 to 99.8 % of the 99 % intervals hold it."""
    result = ratios.estimate(simulated(1.2, 0.03, 2000, processes))
    held = sum(low <= 1.2 <= high for _, low, high in (e.interval() for e in result.values()))
    assert 0.98 <= held / 2000 <= 0.998


def test_other_cells_make_intervals_narrow() -> None:
    """Three processes alone would say plus or minus 17 %; with hundreds of cells it is 6."""
    result = ratios.estimate(simulated(1.0, 0.03, 500, 3))
    widths = sorted(
        math.log(high / low) / 2 for _, low, high in (e.interval() for e in result.values())
    )
    assert 0.04 < widths[250] < 0.07


def test_few_cells_are_taken_for_noisy() -> None:
    """A narrowed run does not know what is usual, and does not pretend to."""
    result = ratios.estimate({0: [[1.0], [1.0], [1.0]]})
    _, low, high = result[0].interval()
    assert high / low > 1.1


def test_single_process_has_an_interval() -> None:
    """That of a usual one."""
    cells = simulated(1.0, 0.03, 50, 3) | {99: [[2.0] * 5]}
    value, low, high = ratios.estimate(cells)[99].interval()
    assert value == pytest.approx(2.0)
    assert low < 2.0 < high


def test_process_with_few_pairs_does_not_count() -> None:
    """That of a quick run, added to those of a whole one, changes nothing."""
    cells = simulated(1.0, 0.01, 100, 5)
    before = ratios.estimate(cells)
    after = ratios.estimate({key: [*result, [7.0, 7.0]] for key, result in cells.items()})
    assert after == before


def test_no_number_of_processes_shows_what_they_share() -> None:
    """Processes that agree to the last digit still leave 1.5 %: another run differs so."""
    _, low, high = ratios.estimate({0: [[1.0] * 9] * 99, 1: [[1.0] * 9] * 99})[0].interval()
    assert low < 1 / 1.015
    assert high > 1.015


def test_one_odd_process_of_five_does_not_decide() -> None:
    """A process that is three times as slow throughout moves the ratio by less than 2 %."""
    cells = simulated(1.0, 0.01, 100, 5)
    before = ratios.estimate(cells)[0].interval()[0]
    cells[0][0] = [3.0] * 5
    value, low, high = ratios.estimate(cells)[0].interval()
    assert value == pytest.approx(before, rel=0.02)
    assert high / low > 2  # and what has been seen of its spread is not hidden


def test_calibrated_noise_widens() -> None:
    """What a calibration has found is the least that is taken for usual."""
    cells = simulated(1.0, 0.01, 100, 3)
    quiet, noisy = ratios.estimate(cells), ratios.estimate(cells, at_least=0.1**2)
    assert all(noisy[cell].variance > quiet[cell].variance for cell in cells)
    wider = ratios.estimate(cells, wider=2.0)
    assert all(wider[cell].variance == 4 * quiet[cell].variance for cell in cells)


def test_order_of_the_references_cancels() -> None:
    """Rows in which the reference went first and those in which it did not count alike."""
    assert ratios.typical([1.1, 0.9 / 0.99, 1.1, 0.9 / 0.99]) == pytest.approx(
        math.log(math.sqrt(1.1 * 0.9 / 0.99))
    )
    assert ratios.typical([2.0, 2.0, 2.1, 2.1, 9.0]) == pytest.approx(math.log(2.1), abs=0.03)


def test_ratios_to_one_reference_are_compared() -> None:
    """Their variances add up, and the other way round is the inverse."""
    a, b = LogRatio(math.log(3), 0.01, 8.0, 30), LogRatio(math.log(2), 0.02, 6.0, 20)
    result = a.minus(b)
    assert result == LogRatio(pytest.approx(math.log(1.5)), pytest.approx(0.03), 6.0, 20)  # type: ignore[arg-type]
    assert result.inverse().interval()[0] == pytest.approx(2 / 3)
    assert SAME.interval() == (1.0, 1.0, 1.0)


def test_ratio_of_exact_values_is_exact() -> None:
    """Values without intervals give a ratio without a width, also where one of them is 0."""
    assert ratios.of_separate((6.0, None, None), (3.0, None, None)) == (2.0, 2.0, 2.0)
    nothing, something = (0.0, None, None), (3.0, 2.0, 4.0)
    assert ratios.of_separate(nothing, nothing) == (1.0, 1.0, 1.0)
    assert ratios.of_separate(nothing, something) == (0.0, 0.0, 0.0)
    assert ratios.of_separate(something, nothing) == (math.inf, math.inf, math.inf)


def test_exact_value_only_scales_the_interval_of_the_other() -> None:
    """The interval of the numerator is divided; that of the denominator is turned round."""
    exact, measured = (4.0, None, None), (2.0, 1.0, 8.0)
    assert ratios.of_separate(measured, exact) == pytest.approx((0.5, 0.25, 2.0))
    assert ratios.of_separate(exact, measured) == pytest.approx((2.0, 0.5, 4.0))


def test_distances_of_both_intervals_add_up_as_squares() -> None:
    """Each end combines two distances on a log scale: 3 and 4 are 5, and 5 and 12 are 13."""
    one = (2.0, 2.0 * math.exp(-0.3), 2.0 * math.exp(0.5))
    other = (8.0, 8.0 * math.exp(-1.2), 8.0 * math.exp(0.4))
    value, low, high = ratios.of_separate(one, other)
    assert value == 0.25
    assert math.log(value / low) == pytest.approx(0.5)  # 0.3 and 0.4
    assert math.log(high / value) == pytest.approx(1.3)  # 0.5 and 1.2


def test_other_way_round_is_the_inverse_interval() -> None:
    """The ratio of two values and the ratio of the same two turned round agree."""
    one, other = (2.0, 1.5, 3.0), (5.0, 4.0, 5.5)
    value, low, high = ratios.of_separate(one, other)
    assert ratios.of_separate(other, one) == pytest.approx((1 / value, 1 / high, 1 / low))


def test_end_at_zero_leaves_an_end_of_the_ratio_open() -> None:
    """A numerator that may be 0 gives a ratio that may be 0; a denominator, one without limit."""
    reaches_zero, known = (2.0, 0.0, 3.0), (4.0, 3.0, 5.0)
    value, low, high = ratios.of_separate(reaches_zero, known)
    assert (value, low) == (0.5, 0.0)
    assert 0.5 < high < math.inf
    value, low, high = ratios.of_separate(known, reaches_zero)
    assert (value, high) == (2.0, math.inf)
    assert 0 < low < 2.0


def with_interval(rng: random.Random, median: float, spread: float, count: int) -> ratios.Ends:
    """Return an estimate of the median of log-normal values, with its exact 99 % interval."""
    logs = [rng.gauss(math.log(median), spread) for _ in range(count)]
    own = LogRatio(fmean(logs), variance(logs) / count, count - 1.0, count)
    return own.interval()


@pytest.mark.parametrize(
    ("spreads", "counts"),
    [((0.1, 0.1), (30, 30)), ((0.05, 0.3), (30, 10)), ((0.2, 0.2), (5, 50))],
    ids=["alike", "one-noisy", "one-with-few-values"],
)
def test_interval_of_separate_values_holds_the_truth(
    spreads: tuple[float, float], counts: tuple[int, int]
) -> None:
    """Of 4,000 ratios of log-normal medians, at least 98.6 % of the intervals hold the truth."""
    rng = random.Random(0)
    held = 0
    for _ in range(4000):
        one = with_interval(rng, 3.0, spreads[0], counts[0])
        other = with_interval(rng, 2.0, spreads[1], counts[1])
        _, low, high = ratios.of_separate(one, other)
        held += low <= 1.5 <= high
    assert 0.986 <= held / 4000 <= 0.998


def test_interval_of_what_nobody_knows_is_infinite() -> None:
    """Two processes that differ widely, and no other cells: the interval is still an interval."""
    value, low, high = LogRatio(0.5, 1e6, 0.3, 2).interval(1 - 1e-9)
    assert (value, low, high) == (pytest.approx(math.exp(0.5)), 0.0, math.inf)
