"""A calibration passes a good instrument, fails a bad one, and is shown as it was stored."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from persistbench.calibrate import judge, run
from persistbench.calibrate.judge import PLANTED, Rows, Task, needed
from persistbench.measure import paired
from persistbench.records import calibration
from persistbench.records.calibration import FILE, Agreement, Calibration, Planted
from persistbench.statistics import ratios

GOOD = Calibration(
    "2026-11-22T00:00:00+00:00",
    100,
    1,
    (Planted(0.05, 50, 40), Planted(0.10, 50, 48)),
    0.02,
    6,
    (Agreement("load small joblib", 1.05, 1.01, 1.09),),
    200.0,
    {"numpy": "2"},
)


def test_good_instrument_passes() -> None:
    """One false alarm in a hundred, 80 % of 5 % and 95 % of 10 % found, pyperf within 10 %."""
    assert GOOD.passed
    assert "Passed" in GOOD.sentences()[-1]


@pytest.mark.parametrize(
    "fault",
    [
        {"alarms": 2},
        {"planted": (Planted(0.05, 50, 39), Planted(0.10, 50, 50))},
        {"planted": (Planted(0.05, 50, 50), Planted(0.10, 50, 47))},
        {"pyperf": (Agreement("load small joblib", 1.2, 1.1, 1.3),)},
    ],
)
def test_bad_instrument_does_not(fault: dict[str, object]) -> None:
    """More alarms, fewer finds or another time than pyperf's: it says so."""
    result = replace(GOOD, **fault)
    assert not result.passed
    assert "too noisy" in result.sentences()[-1]


def test_what_is_stored_is_read_again(tmp_path: Path) -> None:
    """And what is not a calibration is none, and is named."""
    assert calibration.read(tmp_path) == (None, [])
    assert calibration.write(tmp_path, GOOD) == tmp_path / FILE
    assert calibration.read(tmp_path) == (GOOD, [])
    for foreign in ('{"date": ', "[1]", '{"date": "2026-11-22"}'):
        (tmp_path / FILE).write_text(foreign)
        result, (sentence,) = calibration.read(tmp_path)
        assert result is None
        assert str(tmp_path / FILE) in sentence


def test_more_noise_needs_more_processes() -> None:
    """With the square of the noise; and one noisy cell in ten does not ask for many more."""
    quiet, noisy, wild = ([sd**2] * 10 for sd in (0.02, 0.05, 0.10))
    assert needed(noisy, []) > needed(quiet, []) >= 2
    assert needed(wild, []) == pytest.approx(4 * needed(noisy, []), abs=3)
    assert needed(quiet[:9] + wild[:1], []) < needed(wild, [])


def test_what_was_missed_needs_more_processes() -> None:
    """Where too little was found, the suite's number is too small, whatever variances promise."""
    quiet = [0.02**2] * 10
    assert needed(quiet, []) <= paired.PROCESSES
    assert needed(quiet, [Planted(0.05, 10, 7)]) > paired.PROCESSES
    assert needed(quiet, [Planted(0.05, 10, 2)]) > needed(quiet, [Planted(0.05, 10, 7)])


def rows(ratio: float, wall: float = 0.005) -> list[Rows]:
    """Return three processes whose pairs all have nearly this ratio."""
    wobble = (0.995, 1.0, 1.005)
    return [[(9.0, 1.0), *[(wall * ratio * w, wall)] * 10] for w in wobble]


def test_verdict_counts_what_was_called_different() -> None:
    """Planted slow-downs that are there are found, and equal cells are not called different."""
    cells = [("load", f"p{number}", "joblib") for number in range(20)]
    measured = {Task(*cell, by): rows(1 + by) for cell in cells for by in PLANTED}
    result = judge.judged(cells, measured, (), 10.0)
    assert (result.cells, result.alarms) == (20, 0)
    assert [(part.slower, part.cells, part.found) for part in result.planted] == [
        (0.05, 20, 20),
        (0.10, 20, 20),
    ]
    assert result.noise == pytest.approx(0.005, rel=0.5)
    assert result.passed


def test_false_alarms_widen_every_interval() -> None:
    """By as much as it takes for the equal cells not to be called different."""
    cells = [("load", f"p{number}", "joblib") for number in range(20)]
    measured = {Task(*cell, by): rows(1 + by) for cell in cells for by in PLANTED}
    assert judge.judged(cells, measured, (), 10.0).wider == 1
    measured[Task(*cells[0], 0.0)] = rows(1.03)
    result = judge.judged(cells, measured, (), 10.0)
    assert result.alarms == 1
    measured_ratios = {
        cell: [[a / b for a, b in one[1:]] for one in measured[Task(*cell)]] for cell in cells
    }
    widened = ratios.estimate(measured_ratios, wider=result.wider)[cells[0]].interval()
    assert widened[1] <= 1 <= widened[2]
    assert result.wider > 1


def test_slow_down_that_is_not_there_is_not_found() -> None:
    """Were the planted calls no slower, the calibration would fail: it can."""
    cells = [("load", f"p{number}", "joblib") for number in range(20)]
    measured = {Task(*cell, by): rows(1.0) for cell in cells for by in PLANTED}
    result = judge.judged(cells, measured, (), 10.0)
    assert [part.found for part in result.planted] == [0, 0]
    assert not result.passed


def test_short_calls_plant_nothing() -> None:
    """Only cells of over 1 ms must show a planted slow-down."""
    long, short = ("load", "long", "joblib"), ("load", "short", "joblib")
    tasks = run.planned({long: 2e-3, short: 1e-4})
    assert tasks == [*(Task(*long, by) for by in PLANTED), Task(*short)]
    result = judge.judged([long, short], {task: rows(1.0) for task in tasks}, (), 1.0)
    assert (result.cells, [part.cells for part in result.planted]) == (2, [1, 1])


class Ticking:
    """An action whose call takes a second of a clock of its own."""

    warming = 0
    now = 0.0

    def before(self) -> None:
        pass

    def call(self) -> None:
        self.now += 1.0

    def reset(self) -> None:
        pass

    def clock(self) -> float:
        self.now += 1e-3
        return self.now


def test_slowed_call_is_slower(monkeypatch: pytest.MonkeyPatch) -> None:
    """A call of a second that is made slower by a half takes a second and a half."""
    action = Ticking()
    monkeypatch.setattr(run.time, "perf_counter", action.clock)
    run.Slowed(action, 0.5).call()
    assert action.now == pytest.approx(1.5, abs=0.01)
