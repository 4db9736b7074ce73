"""What `persistbench bench` hands to asv."""

import re
import sys
from pathlib import Path

import pytest

from persistbench import backends
from persistbench.cases import catalogue
from persistbench.errors import UserError
from persistbench.suite import run, selection, versions
from tests._results import describe, measured, params

ROOT = Path(__file__).parents[1]


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """Figures of every pipeline but `text` and every backend but `cloudpickle`."""
    pipelines = [name for name in catalogue.discover() if name != "text"]
    backend_ids = [name for name in backends.discover() if name != "cloudpickle"]
    grid = params(pipelines, backend_ids)
    describe(tmp_path, ["load.Load.time_load"], grid=grid)
    values = [1.0] * len(pipelines) * len(backend_ids)
    measured(tmp_path, values, name="load.Load.time_load", grid=grid)
    return tmp_path


def test_only_the_new_is_measured(results: Path) -> None:
    """A pipeline and a backend without figures are asked, each with all others, and no more."""
    result = re.compile(selection.unmeasured(results, "desk", {"env"}))
    assert result.search("load.Load.time_load('text', 'pickle-5')")
    assert result.search("load.Load.time_load('small', 'cloudpickle')")
    assert not result.search("load.Load.time_load('small', 'pickle-5')")


@pytest.mark.parametrize(("machine", "environment"), [("desk", "other"), ("other", "env")])
def test_elsewhere_everything_is_new(results: Path, machine: str, environment: str) -> None:
    """Figures of another machine or environment are no reason to leave anything out."""
    result = re.compile(selection.unmeasured(results, machine, {environment}))
    assert result.search("load.Load.time_load('small', 'pickle-5')")


def test_environments_are_those_of_asv(monkeypatch: pytest.MonkeyPatch) -> None:
    """Their names are those that asv's own files bear, pinned versions and all."""
    monkeypatch.chdir(ROOT)
    (own,) = selection.environments(["--quick"])
    assert re.match(rf"\w+-py3\.\d+-asv_runner{versions.KNOWN['asv_runner']}-blosc2[\d.]+-", own)
    (existing,) = selection.environments(["-E", f"existing:{sys.executable}"])
    assert existing.startswith("existing-py")


def test_new_finds_out_itself() -> None:
    """--new does not go with names."""
    with pytest.raises(UserError, match="leave --pipeline and --backend"):
        run.run([], ["small"], [], every=False, levels=False, new=True, say=print)


def test_new_does_not_go_with_an_expression(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is said before the machine is registered or anything else is written."""
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(run.registration, "register", None)
    with pytest.raises(UserError, match="--new do not go with asv's --bench"):
        run.run(["-b", "time_load"], [], [], every=False, levels=False, new=True, say=print)
