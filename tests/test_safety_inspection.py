"""What looking into an artifact runs and imports is found out."""

import pickle
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from persistbench import backends
from persistbench.backends import Backend
from persistbench.trials.attack.inspection import Inspection
from persistbench.trials.selection import Selection
from tests._doubles import Double, known, linux


def _load(path: str) -> None:
    with open(path, "rb") as file:
        pickle.load(file)


def _fail(path: str) -> None:
    _load(path)
    if "honest" not in path:
        raise ValueError("no")


def _read(path: str) -> None:
    Path(path).read_bytes()


class Careless(Double):
    """A backend one of whose inspections loads the file."""

    def inspections(self) -> dict[str, Callable[[str], object]]:
        return {"load": _load, "fail": _fail, "read": _read}


class Missing(Careless):
    """The same, and nobody has its library."""

    requires = ("no-such-library",)


@pytest.fixture
def careless(monkeypatch: pytest.MonkeyPatch) -> Iterator[Backend]:
    """A planted backend, which children know because they are forked from this process."""
    backend = Careless()
    with known(monkeypatch, backend):
        yield backend


def records(backend: Backend, *shapes: str) -> dict[tuple[str, str], dict[str, Any]]:
    """Return the records of a backend by shape and look."""
    return {
        (record["subject"], record["place"]): record
        for task in Inspection(Selection((), (backend,))).tasks()
        if task.trials[0].subject in shapes
        for record in task()
    }


@linux
def test_look_that_loads_is_found_out(careless: Backend) -> None:
    """The marker is there after it, also if it failed; what only the crafted file imports counts.

    What a look at an honest file imports is the library's own business.
    """
    result = records(careless, "import")
    told = {
        look: (one["outcome"], one["marker"], one["imported"], one["modules"])
        for (_, look), one in result.items()
    }
    assert told == {
        "load": ("same", True, 1, ["persistbench_payload"]),
        "fail": ("error-at-load", True, 1, ["persistbench_payload"]),
        "read": ("same", False, 0, []),
    }


@pytest.mark.parametrize(
    "backend",
    {
        tuple(one.inspections()): one for one in backends.discover().values() if one.inspections()
    }.values(),
    ids=lambda one: one.id,
)
def test_looks_of_libraries_run_nothing(backend: Backend) -> None:
    """Real backends: a payload that runs when it is loaded does not run when it is looked at."""
    if backend.missing:
        pytest.skip(backend.unavailable)
    for record in records(backend, "import", "setstate").values():
        assert (record["outcome"], record["marker"], record["modules"]) == ("same", False, [])


def test_schema_that_lies_is_refused_by_the_look() -> None:
    """skops: the list of untrusted types is an error, which says so, and runs nothing."""
    skops = backends.for_trials()["skops"]
    if skops.missing:
        pytest.skip(skops.unavailable)
    result = records(skops, "skops-operator-lie")
    record = result["skops-operator-lie", "skops.io.get_untrusted_types"]
    assert (record["outcome"], record["marker"]) == ("error-at-load", False)
    assert "malicious" in record["reason"]


def test_backend_that_is_missing_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """No look is taken, and the record says why."""
    missing = Missing()
    monkeypatch.setattr(backends, "for_trials", lambda: {missing.id: missing})
    result = records(missing, "setstate")
    assert {one["outcome"] for one in result.values()} == {"not-installed"}
    assert {one["marker"] for one in result.values()} == {None}
    assert "pip install no-such-library" in result["setstate", "load"]["reason"]


def test_backends_without_a_look_and_blind_trust_have_no_trials() -> None:
    """What a library does not offer is not tried; the files of blind trust are those of skops."""
    known = backends.for_trials()
    chosen = tuple(one for one in known.values() if not one.inspections() or one.only_for_trials)
    assert not Inspection(Selection((), chosen)).tasks()
