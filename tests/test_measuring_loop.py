"""The one measuring loop: what is called, in which order, and what of it counts."""

import gc
from pathlib import Path

import pytest

from persistbench import backends
from persistbench.cases import catalogue
from persistbench.cells.cell import Cell
from persistbench.measure import actions, paired
from persistbench.system import page_cache


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


@pytest.fixture
def cell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cell:
    """A right cell, in a working directory that is new."""
    monkeypatch.chdir(tmp_path)
    result = Cell(catalogue.get("small"), backends.get("joblib"))
    assert result.examine().same
    return result


@pytest.mark.parametrize("action", [actions.Load, actions.Dump])
def test_all_backends_are_paired_with_the_reference_and_the_floor(
    cell: Cell, action: type[actions.Action]
) -> None:
    """Load and dump have the same two references, and they are called as the backend is."""
    loop = actions.pair(cell, action)
    assert loop.names == [backends.REFERENCE, backends.FLOOR]
    row = loop.row()
    assert len(row.references) == 2
    assert min(row.wall, *row.references) > 0


def test_dump_leaves_nothing_and_writes_a_new_file(cell: Cell) -> None:
    """Each call writes a file that is not there yet, as a user does."""
    own = actions.pair(cell, actions.Dump).own
    assert isinstance(own, actions.Dump)
    own.call()
    assert Path(own.path).stat().st_size == cell.artifact.stat().st_size
    own.reset()
    assert not Path(own.path).exists()


def test_reference_that_is_not_right_is_left_out(
    cell: Cell, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is paired with a cell whose answer is wrong or that is not installed."""
    wrong = actions.pair(cell, actions.Load, (("no map", actions.Map, "pickle-5"),))
    assert wrong.names == []


def test_load_reads_a_copy_that_was_just_written(cell: Cell) -> None:
    """The artifact of the cell is not read while anything is timed."""
    own = actions.pair(cell, actions.Load).own
    assert isinstance(own, actions.Load)
    assert Path(own.path).parent == Path.cwd()
    assert Path(own.path).read_bytes() == cell.artifact.read_bytes()


def test_cold_load_finds_no_page(cell: Cell) -> None:
    """Right before each call no page of the file is in the page cache."""
    try:
        page_cache.evict(str(cell.artifact))
    except Exception as error:
        pytest.skip(f"nothing can be evicted here: {error}")
    own = actions.pair(cell, actions.LoadCold).own
    assert isinstance(own, actions.LoadCold)
    own.call()
    own.before()
    assert page_cache.resident(own.path) == 0
