"""Intervals of ratios hold what they claim, also from two or three processes."""

import math
import random

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
