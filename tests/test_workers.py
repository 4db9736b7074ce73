"""Processes that share an artifact are counted once for what they share."""

import multiprocessing
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from persistbench import backends
from persistbench.backends.pickle import Pickle
from persistbench.cases import catalogue
from persistbench.cells.cell import Cell
from persistbench.errors import UnsupportedError
from persistbench.measure import workers
from persistbench.records.questions import COUNTS
from persistbench.system import memory
from tests._unseeded import NOTES_LOADS, unseeded

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="smaps_rollup")


def cell(pipeline: str, backend: str) -> Cell:
    """Return a right cell."""
    result = Cell(catalogue.get(pipeline), backends.get(backend))
    assert result.examine().same
    return result


def test_loaded_is_theirs_and_mapped_is_shared() -> None:
    """Four processes hold four copies of a loaded array of 32 MB, and share one mapped one."""
    large = cell("large_array", "joblib")
    loaded, mapped = (workers.hold(large, 4, mapped) for mapped in (False, True))
    # Beside the array both hold what predicting has left behind.
    assert loaded["pss"] - mapped["pss"] == pytest.approx(3 * 32.3e6, rel=0.1)
    assert loaded["uss"] > 4 * 32e6
    assert mapped["rss"] > 3.5 * 32.3e6  # why summed resident sets mislead


@dataclass(frozen=True)
class Planted(Pickle):
    """Right when it is examined, and then not."""

    kind: str = ""

    @property
    def id(self) -> str:
        return f"planted-{self.kind}"

    def load(self, path: str, mmap_mode: str | None = None) -> Any:
        loaded = super().load(path)
        if multiprocessing.current_process().daemon:  # one of those that hold the artifact
            if self.kind == "dying":
                os._exit(3)
            loaded[-1].classes_ = loaded[-1].classes_[::-1]
        return loaded


@pytest.mark.parametrize(
    ("kind", "reason"),
    [("wrong", "process 1 of 2: answered wrongly"), ("dying", "process 1 of 2: died")],
)
def test_wrong_answer_or_death_is_no_figure(kind: str, reason: str) -> None:
    """Requests must be answered, and correctly; else the process is named, and none is left."""
    small = Cell(catalogue.get("small"), Planted(5, kind))
    assert small.examine().same
    before = set(psutil.Process().children(recursive=True))
    with pytest.raises(RuntimeError, match=reason):
        workers.hold(small, 2, False)
    assert set(psutil.Process().children(recursive=True)) == before


def test_answers_are_those_of_the_fit_that_was_dumped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pipeline of which no copy is kept, and no two builds are alike, is answered rightly."""
    pipeline = unseeded(tmp_path, monkeypatch, NOTES_LOADS)
    for name in ("pickle-5", "joblib", "cloudpickle"):
        one = Cell(pipeline, backends.get(name))
        assert one.examine().same
        assert workers.hold(one, 1, False)["pss"] > 0


def test_one_core_holds_one_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a second core nothing is said of several processes."""
    monkeypatch.setattr("os.cpu_count", lambda: 1)
    assert [workers.sensible(count) for count in COUNTS] == [True, False, False, False]


@pytest.mark.parametrize("module", [workers, memory])
def test_without_proc_there_is_a_reason(module: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Other systems than Linux tell neither shared pages nor a high-water mark to be reset."""
    monkeypatch.setattr("sys.platform", "darwin")
    with pytest.raises(UnsupportedError, match="darwin"):
        module.require()
