"""A secret that is in an artifact is found, however it is wrapped; one that is not, is not."""

import bz2
import gzip
import io
import lzma
import os
import pickle
import zipfile
import zlib
from pathlib import Path
from typing import Any

import pytest

from persistbench import backends
from persistbench.backends import Backend
from persistbench.trials.accident import _members, _secrets, leaks
from persistbench.trials.accident._unwrap import unwrap
from persistbench.trials.selection import Selection
from persistbench.trials.trial import Record
from tests._doubles import Deadly, Double, Missing, known, linux


class Scrambler(Double):
    """A format that nothing here can unwrap."""

    def dump(self, payload: Any, path: str) -> None:
        scrambled = bytes(byte ^ 0x55 for byte in pickle.dumps(payload, protocol=5))
        Path(path).write_bytes(scrambled)

    def load(self, path: str, mmap_mode: str | None = None) -> Any:
        return pickle.loads(bytes(byte ^ 0x55 for byte in Path(path).read_bytes()))


class Forgetter(Double):
    """Saves parameters only."""

    def dump(self, payload: Any, path: str) -> None:
        super().dump(type(payload)(), path)


def tried(monkeypatch: pytest.MonkeyPatch, backend: Backend, *subjects: str) -> dict[str, Record]:
    """Return records by subject."""
    with known(monkeypatch, backend):
        (task,) = leaks.Leaks(Selection((), (backend,))).tasks()
        trials = tuple(one for one in task.trials if one.subject in subjects)
        return {one["subject"]: one for one in task.make(trials)}


def found(
    monkeypatch: pytest.MonkeyPatch, backend: Backend, *subjects: str
) -> dict[str, str | None]:
    """Return where the secret was found, by subject."""
    return {name: one["found"] for name, one in tried(monkeypatch, backend, *subjects).items()}


def _zipped(data: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("other", b"nothing")
        archive.writestr("member", data)
    return file.getvalue()


def _zstandard(data: bytes) -> bytes:
    return bytes(pytest.importorskip("zstandard").ZstdCompressor().compress(data))


def _lz4(data: bytes) -> bytes:
    return bytes(pytest.importorskip("lz4.frame").compress(data))


def _blosc2(data: bytes) -> bytes:
    return bytes(pytest.importorskip("blosc2").SChunk(data=data).to_cframe())


WRAPPERS = {
    "plain": bytes,
    "zip": _zipped,
    "gzip": gzip.compress,
    "bz2": bz2.compress,
    "xz": lzma.compress,
    "lzma": lambda data: lzma.compress(data, format=lzma.FORMAT_ALONE),
    "zlib": zlib.compress,
    "zlib-1": lambda data: zlib.compress(data, 1),
    "zstd": _zstandard,
    "lz4": _lz4,
    "blosc2": _blosc2,
}


@pytest.mark.parametrize("name", WRAPPERS)
def test_wrapped_secret_is_found(name: str) -> None:
    """Through every compressor, and through gzip around it, with rubbish behind."""
    wrapped = WRAPPERS[name](b"before " * 50 + _secrets.text().encode() + b" behind" * 50)
    assert any(map(leaks.holds_secret, unwrap(wrapped)))
    assert any(map(leaks.holds_secret, unwrap(wrapped + b"rubbish")))
    assert any(map(leaks.holds_secret, unwrap(gzip.compress(wrapped))))
    assert not any(map(leaks.holds_secret, unwrap(WRAPPERS[name](b"nothing" * 100))))


@pytest.mark.parametrize("name", ["bz2", "xz", "gzip", "zstd", "lz4", "blosc2", "zip"])
def test_what_lies_in_a_container_is_found(name: str) -> None:
    """A compressed part may begin anywhere in a file."""
    data = b"header" + WRAPPERS[name](b"x" * 99 + _secrets.text().encode())
    assert any(map(leaks.holds_secret, unwrap(data)))
    if name != "zip":
        assert any(map(leaks.holds_secret, unwrap(WRAPPERS[name](b"x" * 99) + data)))


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("kind", ["float64", "float32"])
def test_numbers_are_found_as_every_protocol_writes_them(protocol: int, kind: str) -> None:
    """Rows of an array are found in a pickle of any protocol, and other rows are not."""
    numbers = _secrets.numbers().astype(kind)
    assert leaks.holds_secret(pickle.dumps(numbers, protocol=protocol))
    assert not leaks.holds_secret(pickle.dumps(numbers[:3], protocol=protocol))


@linux
def test_places_of_the_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pickle carries what estimators keep, and only the name of a script's function."""
    places = found(monkeypatch, Double(), *_secrets.PLANTS)
    kept = {
        "cache",
        "nearest-neighbours",
        "gaussian-process",
        "vocabulary",
        "column-name",
        "parameter",
    }
    assert places == dict.fromkeys(kept, "artifact") | {
        "global": "no",
        "environment": "no",
        "closure": None,
        "open-file": None,
        "binary-file": None,
    }


@linux
@pytest.mark.parametrize(
    ("backend", "expected"),
    [(Scrambler(), "loaded"), (Forgetter(), "no"), (Deadly(), "artifact")],
    ids=lambda one: getattr(one, "id", ""),
)
def test_where_it_is_found(
    backend: Backend, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In bytes that cannot be read it is found when loaded; what kills has been searched before."""
    assert found(monkeypatch, backend, "cache") == {"cache": expected}


@linux
@pytest.mark.parametrize(
    ("backend_id", "expected"),
    [
        ("cloudpickle", {"open-file": "artifact", "global": "artifact", "environment": "artifact"}),
        ("dill", {"open-file": "no", "global": "no", "environment": "no"}),
        ("joblib-bz2-3", {"vocabulary": "artifact", "gaussian-process": "artifact"}),
        ("skops", {"cache": "artifact", "closure": "no"}),
    ],
)
def test_real_backends(
    backend_id: str, expected: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cloudpickle carries open texts, globals and the whole environment; dill refers to them."""
    assert found(monkeypatch, backends.get(backend_id), *expected) == expected


def test_secret_stays_where_it_was_planted() -> None:
    """No module holds the secret: a function that is saved with its module would carry it."""
    held = {**vars(_secrets), **vars(_members)}
    assert not any(isinstance(one, str) and _secrets.text() in one for one in held.values())
    assert "PERSISTBENCH_TOKEN" not in os.environ


def test_missing_library_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """A backend that is not there leaks nothing that is known."""
    records = tried(monkeypatch, Missing(), *_secrets.PLANTS)
    assert {one["outcome"] for one in records.values()} == {"not-installed"}
    assert {one["found"] for one in records.values()} == {None}
