"""What opening an artifact runs is found out, stage by stage, and held against what is claimed."""

import contextlib
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from persistbench import backends
from persistbench.backends import Backend, Claims
from persistbench.errors import UserError
from persistbench.trials import selection
from persistbench.trials.attack import code, payloads
from persistbench.trials.attack.code import Code
from persistbench.trials.attack.payloads import MARKER, Saved, Shape, has_list
from persistbench.trials.trial import Task
from tests._doubles import Faulty, Missing, known, linux

EVERY = {
    id: backend
    for id, backend in backends.for_trials().items()
    if not backend.variant and backend.claims.returns != "bytes"
}


class Runner(Faulty):
    """A backend that runs a payload, or dies, at one stage."""

    @property
    def claims(self) -> Claims:
        return Claims(audits=True, executes_code=False)

    def dump(self, payload: Any, path: str) -> None:
        if self.fault == "dump":
            raise ValueError("no")
        super().dump(payload, path)

    def load(self, path: str, mmap_mode: str | None = None) -> Any:
        if self.fault == "dies":
            os.kill(os.getpid(), signal.SIGKILL)
        if self.fault == "refuses":
            raise PermissionError("not this one")
        self._touch("load")
        return Answering(self.fault)

    def audit(self, path: str) -> list[str]:
        self._touch("audit")
        return []

    def refuses(self, error: Exception) -> bool:
        return isinstance(error, PermissionError)

    def _touch(self, stage: str) -> None:
        if self.fault == stage:
            Path(MARKER).touch()


class Answering:
    """Answers, and may touch the marker when it is asked or let go."""

    def __init__(self, fault: str) -> None:
        self.fault = fault

    def predict(self, X: Any) -> Any:
        if self.fault == "use":
            Path(MARKER).touch()
        if self.fault == "breaks":
            raise ValueError("no")
        return X

    def __del__(self) -> None:
        if self.fault == "end":
            Path(MARKER).touch()


def _nothing() -> None:
    return None


FAULTS = ["audit", "load", "use", "end", "never", "breaks", "refuses", "dies", "dump"]
SHAPE = Shape("double", Saved(_nothing), key="1")


@pytest.fixture
def doubles(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Backends with faults, which children know because they are forked from this process."""
    monkeypatch.setattr(payloads, "discover", lambda: {SHAPE.name: SHAPE})
    with known(monkeypatch, *map(Runner, FAULTS), Missing()):
        yield


def tasks(*chosen: Backend) -> list[Task]:
    """Return the trials of these backends, with the usual pipelines."""
    return Code(selection.Selection(selection.USUAL, chosen)).tasks()


def tried(
    *chosen: Backend, shapes: Any = None, conditions: Any = None
) -> dict[tuple[str, str, str], dict[str, Any]]:
    """Return the records of backends, by shape, backend and condition; of all, or of these."""
    records = {}
    for task in tasks(*chosen):
        others = [
            one.key
            for one in task.trials
            if (shapes is not None and one.subject not in shapes)
            or (conditions is not None and one.condition not in conditions)
        ]
        left = task.without(others)
        for record in left() if left.trials else []:
            records[record["subject"], record["backend"], record["place"]] = record
    return records


@linux
def test_marker_is_seen_at_the_stage_that_runs_the_payload(doubles: None) -> None:
    """At audit, load, use, or when what was loaded is let go, which counts as use; or never."""
    records = {
        backend: one for (_, backend, _), one in tried(*backends.for_trials().values()).items()
    }
    assert "pip install no-such-library" in records["missing"]["reason"]
    seen = {
        backend: (record["marker"], record["outcome"], record["refused"])
        for backend, record in records.items()
    }
    assert seen == {
        "audit": ("audit", "same", False),
        "load": ("load", "same", False),
        "use": ("use", "same", False),
        "end": ("use", "same", False),
        "never": ("never", "same", False),
        "breaks": ("never", "error-at-use", False),
        "refuses": ("never", "error-at-load", True),
        "dies": (None, "crash", False),
        "dump": (None, "error-at-dump", False),
        "missing": (None, "not-installed", False),
    }


def contradicted(backend: Backend, records: Any) -> list[str]:
    """Return the shapes whose records contradict what a backend says of code."""
    admitted = {name for name, shape in payloads.discover().items() if shape.admits}
    ran = [
        record["subject"]
        for record in records
        if record["marker"] in ("audit", "load", "use") and record["subject"] not in admitted
    ]
    if runs(backend):
        return [] if ran else ["none has run"]
    return ran


def runs(backend: Backend) -> bool:
    """Return whether the shapes of the trials are expected to run: no list is in their way."""
    return backend.claims.executes_code and not backend.claims.restricted


@linux
def test_false_claim_is_found(doubles: None) -> None:
    """Whoever runs a payload and claims to run none is contradicted, and the other way round."""
    ran, innocent = (tried(Runner(one)).values() for one in ("load", "never"))
    assert contradicted(Runner("load"), ran) == ["double"]
    assert contradicted(Runner("never"), innocent) == []
    assert contradicted(EVERY["pickle-5"], innocent) == ["none has run"]


@pytest.mark.parametrize(
    "backend", [one for one in EVERY.values() if not runs(one)], ids=lambda b: b.id
)
def test_no_payload_runs_where_none_is_claimed_to(backend: Backend) -> None:
    """No shape reaches its marker, not even with the list that honest pipelines need.

    A name that a user's list admits beside those is the exception: a list is as good as its
    review, and the record shows it.
    """
    if backend.missing:
        pytest.skip(backend.unavailable)
    records = tried(backend, conditions=(code.DOCUMENTED, code.REVIEWED))
    assert contradicted(backend, records.values()) == []
    for (shape, _, condition), record in records.items():
        admits = bool(payloads.discover()[shape].admits)
        assert (record["marker"] == "use") == (admits and condition == code.REVIEWED)


@pytest.mark.parametrize(
    "backend",
    {(one.extension, one.only_for_trials): one for one in EVERY.values() if runs(one)}.values(),
    ids=lambda b: b.id,
)
def test_payload_runs_where_one_is_claimed_to(backend: Backend) -> None:
    """A class of the victim's own does what it does when it is loaded."""
    if backend.missing:
        pytest.skip(backend.unavailable)
    records = tried(backend, shapes={"setstate"})
    assert contradicted(backend, records.values()) == []
    assert {record["marker"] for record in records.values()} == {"load"}


def test_conditions_are_the_ways_in_which_a_backend_can_load() -> None:
    """As documented; with a list, with its own and a reviewed one; blindly, what nobody should."""
    ways = Code(selection.usual()).ways
    assert ways(EVERY["pickle-5"]) == ("documented",)
    assert ways(EVERY["skops"]) == ("no trust", "reviewed")
    assert ways(EVERY["pickle-5-allowlist"]) == ("no trust", "reviewed")
    assert ways(EVERY["skops-blind"]) == ("blind",)


def test_blind_trust_runs_what_a_list_refuses() -> None:
    """skops: an honest operator is refused by a list and run by blind trust; a lie is neither."""
    shapes = {"skops-operator", "skops-operator-lie"}
    if EVERY["skops"].missing:
        pytest.skip(EVERY["skops"].unavailable)
    records = tried(EVERY["skops"], EVERY["skops-blind"], shapes=shapes)
    told = {key: (one["marker"], one["refused"]) for key, one in records.items()}
    assert told == {
        ("skops-operator", "skops", "no trust"): ("never", True),
        ("skops-operator", "skops", "reviewed"): ("never", True),
        ("skops-operator", "skops-blind", "blind"): ("load", False),
        ("skops-operator-lie", "skops", "no trust"): ("never", False),
        ("skops-operator-lie", "skops", "reviewed"): ("never", False),
        ("skops-operator-lie", "skops-blind", "blind"): ("never", False),
    }


def test_shape_is_one_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file dropped into the folder is found; another change of the file is another trial."""
    monkeypatch.setattr(payloads, "__path__", [*payloads.__path__, str(tmp_path)])
    source = """
from persistbench.trials.attack.payloads import Saved, Shape
SHAPES = (Shape("one-more", Saved(list)),)
"""
    shapes = []
    for text in (source, source + "# changed\n"):
        (tmp_path / "zz_one_more.py").write_text(text)
        with fresh_discovery():
            shapes.append(payloads.discover()["one-more"])
    assert shapes[0].fits(EVERY["onnx"])
    assert shapes[0].key != shapes[1].key
    keys = {task.trials[0].key for shape in shapes for task in tasks_of(shape, monkeypatch)}
    assert len(keys) == 2


def tasks_of(shape: Shape, monkeypatch: pytest.MonkeyPatch) -> list[Task]:
    """Return the trials of one shape."""
    monkeypatch.setattr(payloads, "discover", lambda: {shape.name: shape})
    return tasks(EVERY["pickle-5"])


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        ("", "yields no shape: define SHAPES, a tuple of Shape instances"),
        ("SHAPES = ()", "yields no shape"),
        ("SHAPES = 7", "yields no shape"),
        ("SHAPES = ('setstate',)", "yields no shape"),
        ("SHAPES = Shape('alone', Saved(list))", "yields no shape"),
        ("SHAPES = [Shape('listed', Saved(list))]", "yields no shape"),
        ("SHAPES = (Shape('setstate', Saved(list)),)", "both define the shape 'setstate'"),
        ("1 / 0", "cannot be imported: ZeroDivisionError"),
    ],
    ids=["none", "empty", "number", "texts", "no-tuple", "list", "taken", "broken"],
)
def test_file_without_proper_shapes_is_named(
    source: str, sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that yields no shape, or a second shape of one name, is one sentence."""
    monkeypatch.setattr(payloads, "__path__", [*payloads.__path__, str(tmp_path)])
    door = "from persistbench.trials.attack.payloads import Saved, Shape\n"
    (tmp_path / "zz_wrong.py").write_text(door + source)
    with fresh_discovery(), pytest.raises(UserError, match=sentence) as caught:
        payloads.discover()
    assert "persistbench/trials/attack/payloads/zz_wrong.py" in str(caught.value)


@contextlib.contextmanager
def fresh_discovery() -> Iterator[None]:
    """Let shapes be found anew, and forgotten afterwards."""
    payloads.discover.cache_clear()
    try:
        yield
    finally:
        payloads.discover.cache_clear()
        for name in [one for one in sys.modules if "payloads.zz_" in one]:
            del sys.modules[name]


def test_shapes_for_lists_are_for_backends_with_lists() -> None:
    """What can be crafted for whom is asked of the contract, never of ids."""
    shapes = payloads.discover()
    for backend in EVERY.values():
        assert shapes["methodcaller-admitted"].fits(backend) == has_list(backend)
        assert shapes["skops-operator"].fits(backend) == ("skops" in backend.requires)
        assert shapes["onnx-operator"].fits(backend) == (backend.extension == ".onnx")
