"""Small artifacts that ask for much: crafted for any backend, and measured by step."""

import gzip
import io
import pickle
import struct
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import psutil
import pytest

from persistbench import backends
from persistbench.outcomes import Outcome
from persistbench.trials import selection
from persistbench.trials.attack import _bombs, _formats, _onnx_bombs, bombs
from tests._doubles import Faulty, Missing, known

linux = pytest.mark.skipif(sys.platform != "linux", reason="memory is measured in /proc")


class Own(Faulty):
    """A backend in a file of its own, which nobody knows."""

    def dump(self, payload: Any, path: str) -> None:
        with open(path, "wb") as file:
            file.write(b"unknown" + pickle.dumps(payload))

    def load(self, path: str, mmap_mode: str | None = None) -> Any:
        data = Path(path).read_bytes()
        if self.fault == "hungry" and not path.endswith("honest"):
            return [np.ones(5 * 10**6)]
        return pickle.loads(data[len(b"unknown") :])


@pytest.fixture
def forked(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Small bombs, and backends that children know because they are forked from this process."""
    real = map(backends.get, ("pickle-5", "pickle-5-allowlist", "skops", "onnx"))
    monkeypatch.setattr(_bombs, "UNFOLDED", 4 * 10**7)
    monkeypatch.setattr(_bombs, "LEVELS", (100, 100, 10, 25))  # 20 MB, twice
    monkeypatch.setattr(_onnx_bombs, "FLOATS", 10**7)
    monkeypatch.setattr(bombs, "TIGHT", 10**7)
    with known(monkeypatch, Own("unknown"), Own("hungry"), Missing(), *real):
        yield


def record(shape: str, backend_id: str) -> dict[str, Any]:
    """Return the record of one bomb."""
    tasks = bombs.Bombs(selection.usual(["small"], [backend_id])).tasks()
    (task,) = (one for one in tasks if one.trials[0].subject == shape)
    (result,) = task()
    return result


@linux
@pytest.mark.parametrize("backend", ["pickle-5-allowlist", "unknown"])
def test_call_of_an_admitted_name_takes_memory_at_load(backend: str, forked: None) -> None:
    """A list of names admits bytearray with any length; a limit of the process makes an error."""
    result = record("call", backend)
    assert result["outcome"] == "same"
    assert result["bytes"] < 60
    assert result["peak"]["load"] == pytest.approx(4 * 10**7, rel=0.1)
    assert result["peak"]["use"] < 10**6
    assert result["peak"]["audit"] is None
    assert result["limited"] == {
        "outcome": "error-at-load",
        "reason": "MemoryError (limit: 10 MB of memory)",
    }


@linux
@pytest.mark.parametrize("backend", ["pickle-5", "skops"])
def test_references_unfold_when_they_are_used(backend: str, forked: None) -> None:
    """Lists that share lists take nothing until an array is made of them, by a prediction."""
    result = record("nested references", backend)
    assert result["bytes"] < 50_000
    assert result["peak"]["load"] < 10**7
    assert result["peak"]["use"] > 3 * 10**7
    assert result["limited"]["outcome"] == "error-at-use"


@linux
def test_peak_of_a_step_is_its_own(forked: None) -> None:
    """What loading takes is counted at load, also for a backend that nobody knows."""
    result = record("nested references", "hungry")
    assert result["peak"]["load"] == pytest.approx(4 * 10**7, rel=0.1)


@linux
def test_large_artifact_is_no_bomb(forked: None) -> None:
    """Where zeros are not compressed, no gigabyte is written, and the record says why."""
    result = record("zeros", "unknown")
    assert result["outcome"] == "unsupported"
    assert "is no small file" in result["reason"]
    assert result["bytes"] is None


@linux
@pytest.mark.parametrize("at_use", [False, True])
def test_graph_takes_memory_when_it_is_loaded_or_run(at_use: bool, forked: None) -> None:
    """A graph of 300 bytes fills memory: at load if it can be computed in advance, else at use."""
    pytest.importorskip("onnxruntime")
    result = record("allocating graph at use" if at_use else "allocating graph", "onnx")
    assert result["bytes"] < 400
    assert result["peak"]["use" if at_use else "load"] > 3 * 10**7
    assert result["limit"].startswith("onnxruntime")


@linux
def test_graph_that_names_a_file_outside(forked: None) -> None:
    """Each way in which bytes of a file outside could come back is recorded."""
    pytest.importorskip("onnxruntime")
    result = record("external absolute", "onnx")
    assert set(result["outside"]) == {"load", "InferenceSession(path)", "onnx.load(path)"}
    assert "persistbench-of" not in result["reason"] + result["looked"]


def test_file_that_is_read_is_noticed(tmp_path: Path) -> None:
    """A graph that may read the file beside it gives its bytes back: the ways are looked at."""
    pytest.importorskip("onnxruntime")
    folder = tmp_path / "in"
    folder.mkdir()
    artifact = folder / "artifact"
    _bombs.dump(backends.get("onnx"), _bombs.honest(), str(artifact))
    planted = _onnx_bombs.plant(str(artifact))
    planted.rename(folder / planted.name)
    artifact.write_bytes(_onnx_bombs.external(artifact.read_bytes(), planted.name))
    ways = _onnx_bombs.ways_outside(str(artifact), np.array(_onnx_bombs.KNOWN, np.float32))
    assert set(ways.values()) == {True}
    assert not _onnx_bombs.ways_outside(str(artifact), None)["load"]


@linux
def test_what_cannot_be_tried_is_said(forked: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """A missing library, a shape that is not for this backend, and too little memory are named."""
    assert record("call", "missing")["outcome"] == "not-installed"
    assert record("allocating graph", "pickle-5")["reason"] == "its artifact is no ONNX graph"
    assert record("claimed bytes", "unknown")["reason"] == "its artifact is no pickle"
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=10**9))
    result = record("call", "pickle-5")
    assert result["outcome"] == Outcome.UNSUPPORTED
    assert result["reason"] == "1 GB of memory are free: 10 GB are needed"


@pytest.mark.parametrize("wrapped", _formats.FORMATS, ids=lambda one: one.magic.hex())
def test_wrapper_is_told_by_its_first_bytes(wrapped: _formats.Format) -> None:
    """Each format finds its own files, and gives back what is inside."""
    made = wrapped.wrap(pickle.dumps("inside"))
    assert _formats.of(made) is wrapped
    assert wrapped.unwrap(made) == pickle.dumps("inside")
    if wrapped.claim is not None:
        claimed = wrapped.claim(pickle.dumps("inside"), _bombs.CLAIMED)
        size = struct.pack("<Q", _bombs.CLAIMED)
        assert size in claimed or claimed.endswith(size[:4])
        assert _formats.of(claimed) is wrapped


def test_numbers_are_claimed_in_every_encoding() -> None:
    """A pickle's length, NumPy's header and a zip's member say the larger number afterwards."""
    file = io.BytesIO()
    np.save(file, np.zeros(123_457))
    changed = _formats.claiming(file.getvalue(), {123_457: 375_000_000})
    assert len(changed) == len(file.getvalue())
    assert np.lib.format.read_magic(io.BytesIO(changed)) == (1, 0)
    header = io.BytesIO(changed[8:])
    assert np.lib.format.read_array_header_1_0(header)[0] == (375_000_000,)
    assert _formats.claiming(struct.pack(">Q", 8), {8: 9}) == struct.pack(">Q", 9)
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as opened:
        opened.writestr("schema.json", "{}")
    again = _formats.rezipped(archive.getvalue(), lambda _, content: content + b" ")
    assert zipfile.ZipFile(io.BytesIO(again)).read("schema.json") == b"{} "
    assert _formats.is_schema(again)
    assert not _formats.is_schema(gzip.compress(b""))
