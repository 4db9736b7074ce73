"""Wrong answer, no number; a refusal has its outcome and reason."""

import copy
import faulthandler
import os
import re
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pytest
from sklearn.pipeline import Pipeline

from persistbench import backends, cache, sandbox
from persistbench.backends.pickle import Pickle
from persistbench.cases import catalogue
from persistbench.cases.fitted import fit
from persistbench.cells.cell import Cell
from persistbench.outcomes import Outcome
from persistbench.records import run as runs
from tests.conftest import file_size_limit

SMALL = catalogue.get("small")


@dataclass(frozen=True)
class Planted(Pickle):
    """Saves as pickle-5 does, but something else than it was given."""

    protocol: int = 5
    name: str = ""

    @property
    def id(self) -> str:
        return f"planted-{self.name}"

    def dump(self, payload: Any, path: str) -> None:
        changed = copy.deepcopy(payload)
        if self.name == "coefficient":
            changed[-1].coef_[0, 0] += 1e-12
        elif self.name == "label":
            changed[-1].classes_ = changed[-1].classes_[::-1].copy()
        elif self.name == "step":
            changed = Pipeline(changed.steps[1:])
        elif self.name == "unusable":
            del changed[-1].coef_
        elif self.name == "crash":
            faulthandler.disable()  # pytest's, which would print pages
            os.kill(os.getpid(), signal.SIGSEGV)
        elif self.name == "unloadable":
            Path(path).write_bytes(b"not a pickle")
            return
        super().dump(changed, path)


@dataclass(frozen=True)
class Lacking(Pickle):
    """Needs a library that nobody has."""

    requires = ("no-such-distribution",)


@pytest.mark.parametrize(
    ("name", "outcome", "reason"),
    [
        ("coefficient", Outcome.VALUES_DIFFER, "predict_proba"),
        ("label", Outcome.LABELS_DIFFER, "500 of 500 rows differ"),
        ("step", Outcome.LABELS_DIFFER, "accuracy"),
        ("unusable", Outcome.ERROR_AT_USE, "coef_"),
        ("unloadable", Outcome.ERROR_AT_LOAD, "UnpicklingError"),
        ("crash", Outcome.CRASH, "SIGSEGV"),
    ],
)
def test_planted_fault_is_found_and_fails(name: str, outcome: Outcome, reason: str) -> None:
    """A backend that saves something else, or dies, fails its cell and says why."""
    verdict = Cell(SMALL, Planted(name=name)).examine()
    assert verdict.outcome is outcome
    assert reason in verdict.reason
    assert not verdict.refused


def test_planted_nothing_is_the_same() -> None:
    """The double above is right when nothing is planted, so what it finds is the fault."""
    assert Cell(SMALL, Planted(name="nothing")).examine().same


def test_missing_library_names_its_install_command() -> None:
    """A backend whose library is missing is refused, with the command that installs it."""
    verdict = Cell(SMALL, Lacking(5)).examine()
    assert verdict.outcome is Outcome.NOT_INSTALLED
    assert verdict.refused
    assert "pip install no-such-distribution" in verdict.reason


@dataclass(frozen=True)
class Broken(Pickle):
    """Its library is there, and lacks a module."""

    @property
    def modules(self) -> tuple[str, ...]:
        return ("joblib.no_such_module",)


@dataclass(frozen=True)
class Old(Pickle):
    """Needs a version that nobody has."""

    requires = ("joblib",)
    oldest: ClassVar[dict[str, str]] = {"joblib": "999.1"}


@pytest.mark.parametrize(
    ("backend", "reason"),
    [
        (Broken(5), "cannot be imported: ModuleNotFoundError: .*joblib.no_such_module"),
        (Old(5), r"joblib 999.1 or newer \(.* is\) is not installed: pip install 'joblib>=999.1'"),
    ],
)
def test_library_that_will_not_do_is_not_installed(backend: Pickle, reason: str) -> None:
    """Half-installed or too old: the cell says which, and what to do."""
    verdict = Cell(SMALL, backend).examine()
    assert verdict.outcome is Outcome.NOT_INSTALLED
    assert verdict.refused
    assert re.search(reason, verdict.reason), verdict.reason


def test_what_a_safe_backend_refuses_is_a_result() -> None:
    """A name that nobody has reviewed: the dump was in vain, and the cell is n/a with the name."""
    verdict = Cell(catalogue.get("lambda_function"), backends.get("skops")).examine()
    assert verdict.outcome is Outcome.ERROR_AT_LOAD
    assert verdict.refused
    assert "pipelines.lambda_function" in verdict.reason


def test_names_of_the_pipeline_are_admitted() -> None:
    """What stands in its file as TRUSTED; without it the same artifact is refused."""
    cell = Cell(catalogue.get("custom_function"), backends.get("pickle-5-allowlist"))
    assert cell.examine().same
    with pytest.raises(Exception, match="signed_log is not on the reviewed list"):
        backends.get("pickle-5-allowlist").load(str(cell.artifact))


def test_refusal_to_dump_is_not_a_failure() -> None:
    """What plain pickle cannot save is n/a, with the exception's class and message."""
    verdict = Cell(catalogue.get("lambda_function"), backends.get("pickle-5")).examine()
    assert verdict.outcome is Outcome.ERROR_AT_DUMP
    assert verdict.refused
    assert "lambda" in verdict.reason


def test_compressed_file_cannot_be_mapped() -> None:
    """A compressed file asked to memory-map is unsupported, and the compressor is named."""
    verdict = Cell(SMALL, backends.get("joblib-zlib-3"), mapped=True).examine()
    assert verdict.outcome is Outcome.UNSUPPORTED
    assert "zlib" in verdict.reason


@pytest.mark.parametrize("name", ["raw", "joblib"])
def test_mapped_load_is_examined_itself(name: str) -> None:
    """What can be mapped is compared with the original when it is mapped, too."""
    assert Cell(SMALL, backends.get(name), mapped=True).examine().same


def test_verdict_and_artifact_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """A cell is examined once; later processes read the verdict and use the artifact."""
    assert Cell(SMALL, backends.get("pickle-4")).examine().same
    again = Cell(SMALL, backends.get("pickle-4"))
    written = again.artifact.stat().st_mtime_ns
    monkeypatch.setattr("persistbench.sandbox.parent.run", None)
    assert again.examine().same
    assert again.artifact.stat().st_mtime_ns == written


def test_neighbours_in_the_folder_are_left_alone() -> None:
    """Examining `joblib` does not remove the artifact of `joblib-zlib-1`."""
    first, second = (Cell(SMALL, backends.get(name)) for name in ("joblib-zlib-1", "joblib"))
    assert first.examine().same
    assert second.examine().same
    assert first.artifact.is_file()
    assert second.artifact.is_file()
    assert first.artifact.parent == second.artifact.parent


def test_full_disk_fails_the_cell_and_leaves_nothing() -> None:
    """A disk that fills during dump is the machine's fault: failed, tried again, nothing left."""
    cell = Cell(catalogue.get("large_array"), backends.get("pickle-4"))
    fit(cell.pipeline)
    with file_size_limit(5 * 10**6):  # there is room for the answers of the original
        verdict = cell.examine()
    assert verdict.outcome is Outcome.ERROR_AT_DUMP
    assert "File too large" in verdict.reason
    assert not verdict.refused
    assert not cell.artifact.exists()
    assert not list(cell.artifact.parent.glob(".new-*"))
    assert cell.examine().same


def test_full_disk_while_fitting_is_tried_again() -> None:
    """A disk that fills while a fitted pipeline is kept fails the cell, and only for now."""
    cell = Cell(catalogue.get("lambda_function"), backends.get("cloudpickle"))
    for file in (cache.folder() / "fitted").glob("lambda_function.*"):
        file.unlink()
    with file_size_limit(100):
        verdict = cell.examine()
    assert not verdict.refused
    assert "File too large" in verdict.reason
    assert cell.examine().same


def test_failure_is_examined_once_in_a_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cell that failed is not tried by every question again, but by the next run of asv."""
    cell = Cell(SMALL, Planted(name="label"))
    outcomes = tmp_path / "outcomes.jsonl"
    monkeypatch.setenv(runs.VARIABLE, str(runs.begin(outcomes, "0.6.6")))
    verdict = cell.examine()
    run = sandbox.run
    monkeypatch.setattr(sandbox, "run", None)
    assert Cell(SMALL, Planted(name="label")).examine() == verdict
    monkeypatch.setattr(sandbox, "run", run)
    monkeypatch.setenv(runs.VARIABLE, str(runs.begin(outcomes, "0.6.6")))
    assert Cell(SMALL, Planted(name="label")).examine() == verdict


@dataclass(frozen=True)
class Careless(Planted):
    """Takes any mmap_mode, as if it could map."""

    def load(self, path: str, mmap_mode: str | None = None) -> Any:
        return super().load(path)


def test_map_is_not_tried_where_none_is_claimed() -> None:
    """A backend that ignores mmap_mode is not called for a map that it does not claim."""
    verdict = Cell(SMALL, Careless(name="nothing"), mapped=True).examine()
    assert verdict.outcome is Outcome.UNSUPPORTED
