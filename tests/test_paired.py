"""The one measuring loop: what is called, in which order, what of it counts and is recorded."""

import gc
import itertools
from collections import Counter
from pathlib import Path

import pytest

from persistbench.measure import paired
from persistbench.measure.paired import Recorder
from persistbench.records import pairs, run

KEY = ("load", "small", "joblib")


class Told:
    """An action that writes down what is done with it, on a clock of its own."""

    def __init__(self, name: str, log: list[str], warming: int = 0) -> None:
        self.name, self.log, self.warming = name, log, warming

    def before(self) -> None:
        self.log.append(f"before {self.name}")

    def call(self) -> None:
        assert gc.isenabled()
        self.log.append(self.name)

    def reset(self) -> None:
        self.log.append(f"reset {self.name}")


def calls(log: list[str], count: int = 2, warming: int = 0) -> paired.PairedCalls:
    """Return paired calls with so many references."""
    references = {f"r{number}": Told(f"r{number}", log, warming) for number in range(count)}
    return paired.PairedCalls(Told("own", log), references)


def test_every_call_is_prepared_and_undone_outside_the_clock() -> None:
    """Each call of a row stands between its own preparation and its own reset."""
    log: list[str] = []
    calls(log).row()
    for index in range(0, len(log), 3):
        name = log[index + 1]
        assert log[index : index + 3] == [f"before {name}", name, f"reset {name}"]


def test_each_is_as_often_at_each_place_of_a_row() -> None:
    """In six rows of three calls the own call is twice first, twice second and twice last."""
    log: list[str] = []
    loop = calls(log)
    for _ in range(6):
        loop.row()
    made = [name for name in log if " " not in name]
    positions = [made[start : start + 3].index("own") for start in range(0, 18, 3)]
    assert sorted(positions) == [0, 0, 1, 1, 2, 2]


def test_references_are_warmed_up_and_the_own_call_is_not() -> None:
    """Each reference is called as often as it says before the first row."""
    log: list[str] = []
    calls(log, warming=3)
    made = [name for name in log if " " not in name]
    assert made == ["r0"] * 3 + ["r1"] * 3


def test_collector_is_on_in_a_timed_call() -> None:
    """Timeit has switched it off, and production has it on."""
    gc.disable()
    try:
        calls([]).row()
    finally:
        gc.enable()


def test_row_is_recorded_in_the_order_of_the_names(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the order of the calls, the wall times are those of the references as named."""
    seconds = {"own": 3.0, "r0": 1.0, "r1": 2.0}
    monkeypatch.setattr(paired, "timed", lambda action: (seconds[action.name], 0.5))
    loop = calls([])
    rows: list[tuple[object, ...]] = []
    loop.record = lambda *row: rows.append(row)
    for _ in range(4):
        loop.row()
    assert rows == [(3.0, 0.5, (1.0, 2.0))] * 4


def test_slow_call_is_made_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A call of over 0.3 s is its own warm-up, and its only sample."""
    now = [0.0]

    def timed(action: Told) -> tuple[float, float]:
        now[0] += 2.0
        return 2.0, 2.0

    monkeypatch.setattr(paired, "timed", timed)
    monkeypatch.setattr(paired.time, "perf_counter", lambda: now[0])
    assert len(calls([]).rows(seconds=0.0)) == 1


def test_quick_call_is_made_thirty_times_after_its_warm_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """And no more, however many fit into the time."""
    now = [0.0]

    def timed(action: Told) -> tuple[float, float]:
        now[0] += 1e-6
        return 1e-6, 1e-6

    monkeypatch.setattr(paired, "timed", timed)
    monkeypatch.setattr(paired.time, "perf_counter", lambda: now[0])
    rows = calls([], 0).rows()
    warm = round(paired.WARM_UP_SECONDS / 1e-6)
    assert len(rows) - paired.CALLS == pytest.approx(warm, abs=2)


@pytest.mark.parametrize(("seconds", "calls"), [(0.05, 10), (0.1, 3), (0.5, 0), (9.0, 0)])
def test_slower_calls_are_made_less_often(seconds: float, calls: int) -> None:
    """A call under 60 ms is made ten times at least after the first, one of over 0.3 s never."""
    assert paired.pace(seconds).calls == calls


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_every_call_is_as_often_at_every_place(count: int) -> None:
    """What the place in a row costs is paid by all that are called in turn."""
    rows = [paired.order(row, count) for row in range(2 * count)]
    assert all(sorted(row) == list(range(count)) for row in rows)
    assert all(sorted(places) == sorted([*range(count)] * 2) for places in zip(*rows, strict=True))


def test_of_three_each_follows_each_other_as_often() -> None:
    """And none follows itself: a call is quicker after one of its own kind."""
    calls = [call for row in range(7) for call in paired.order(row, 3)][:19]
    followed = Counter(itertools.pairwise(calls))
    assert followed == {(one, other): 3 for one in range(3) for other in range(3) if one != other}


@pytest.fixture
def rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a run."""
    folder = run.begin(tmp_path / "outcomes.jsonl", "0.6.6")
    monkeypatch.setenv(run.VARIABLE, str(folder))
    return folder


def test_rows_of_processes_become_ratios(rows: Path) -> None:
    """Each process is kept apart; its first row is a warm-up; files are gone afterwards."""
    for factor in (2.0, 3.0):
        recorder = Recorder(KEY, ["pickle-5", "raw"])
        recorder.add(4.0, 1.0, [1.0, 1.0])
        recorder.add(factor, 0.5, [1.0, 0.5])
        recorder.add(factor, 0.6, [2.0, 0.5])
    (result,) = pairs.gather(rows, "7")
    assert result.key == KEY
    assert result.version == "7"
    assert sorted(result.ratios["pickle-5"]) == [[2.0, 1.0], [3.0, 1.5]]
    assert sorted(result.ratios["raw"]) == [[4.0, 4.0], [6.0, 6.0]]
    assert result.cpu == [[0.5, 0.6], [0.5, 0.6]]
    assert not list(rows.glob("*.jsonl"))


def test_single_row_is_not_thrown_away(rows: Path) -> None:
    """A call that is too slow for a second one is all there is."""
    Recorder(KEY, ["raw"]).add(3.0, 3.0, [1.0])
    (result,) = pairs.gather(rows, "1")
    assert result.ratios == {"raw": [[3.0]]}


def test_process_without_a_row_leaves_nothing(rows: Path) -> None:
    """It was refused, failed or died before its first call."""
    Recorder(KEY, ["raw"])
    assert pairs.gather(rows, "1") == []


def test_nothing_is_written_without_a_folder(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A run that saves nothing records nothing."""
    monkeypatch.delenv(run.VARIABLE, raising=False)
    monkeypatch.chdir(tmp_path)
    Recorder(KEY, ["raw"]).add(1.0, 1.0, [1.0])
    assert not list(tmp_path.iterdir())


def test_slow_cell_sits_out(rows: Path) -> None:
    """The slower a call, the sooner later rounds of the same run leave it out."""
    for processes, seconds in ((3, 0.1), (2, 0.5), (1, 3.0)):
        key = ("load", str(seconds), "backend")
        for _ in range(processes):
            assert not paired.sits_out(key)
            Recorder(key, []).add(seconds, seconds, [])
        assert paired.sits_out(key)
        assert key in paired.done(rows)
    assert not paired.sits_out(KEY)
