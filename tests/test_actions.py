"""What is timed: each action on a right cell, and what it is paired with."""

from operator import methodcaller
from pathlib import Path

import pytest

from persistbench import backends
from persistbench.cases import catalogue
from persistbench.cells.cell import Cell
from persistbench.measure import actions
from persistbench.outcomes import Outcome
from persistbench.system import page_cache


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
    assert own.backend.load(own.path).predict(cell.load_original().X).any()
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


@pytest.mark.parametrize("action", [actions.LoadFirst, actions.MapFirst, actions.LoadSteady])
@pytest.mark.parametrize(
    ("broken", "stage"), [("load", Outcome.ERROR_AT_LOAD), ("use", Outcome.ERROR_AT_USE)]
)
def test_failure_is_called_by_what_failed(
    cell: Cell, action: type[actions.Action], broken: str, stage: Outcome
) -> None:
    """A load that fails before a use is an error at load, whatever the question asks about."""
    own = action(Cell(cell.pipeline, cell.backend, mapped=action.mapped))
    if broken == "load":
        own.path = "no such file"  # type: ignore[attr-defined]
    else:
        own.use = methodcaller("no_such_method")  # type: ignore[attr-defined]
    with pytest.raises((OSError, AttributeError)) as caught:
        own.call() if action is not actions.LoadSteady or broken == "use" else own.load()  # type: ignore[attr-defined]
    assert actions.stage_of(caught.value, action) is stage


def test_error_that_takes_no_attributes_keeps_the_usual_stage() -> None:
    """What nobody marked is called as the question calls it."""
    assert actions.stage_of(KeyError(), actions.Dump) is Outcome.ERROR_AT_DUMP
