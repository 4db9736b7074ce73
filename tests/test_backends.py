"""The contract of every backend that discovery finds."""

import contextlib
import copy
import dataclasses
import json
import mmap
import time
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from persistbench import Case, backends
from persistbench.backends import Backend
from persistbench.errors import UnsupportedError, UserError
from persistbench.integrity.answers import compare, reference

FOUND = backends.discover()
PROMISED = {
    "raw",
    *(f"pickle-{protocol}" for protocol in range(6)),
    "cloudpickle",
    "joblib",
    *(f"joblib-zlib-{level}" for level in range(1, 10)),
    *(f"joblib-{name}-3" for name in ("gzip", "bz2", "lzma", "xz")),
    "joblib-lz4-1",
    "joblib-lz4-3",
    "skops",
    "skops-deflate",
    "onnx",
    "pickle-5-oob",
    "pickle-5-allowlist",
    "pickle-5-gzip-9",
    "pickle-5-zstd-3",
    "pickle-5-blosc2-5",
    "joblib-zstd-3",
    "dill",
}

EVERY = backends.for_trials()

every_backend = pytest.mark.parametrize("backend", EVERY.values(), ids=EVERY)


def skip_without_libraries(backend: Backend) -> None:
    """Skip a test that calls a backend whose libraries are not installed."""
    if backend.missing:
        pytest.skip(f"{', '.join(backend.missing)} is not installed: {backend.install}")


def _touch(path: str) -> str:
    Path(path).touch()
    return path


class _Marker:
    """Touches a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return _touch, (str(self.path),)


def test_promised_ids_exist() -> None:
    """Every id that results and documentation use is found by discovery."""
    assert set(FOUND) >= PROMISED


@every_backend
def test_backend_is_a_frozen_key(backend: Backend) -> None:
    """A backend cannot be changed, and an equal one has the same hash."""
    twin = copy.copy(backend)
    assert twin == backend
    assert hash(twin) == hash(backend)
    with pytest.raises(dataclasses.FrozenInstanceError):
        backend.anything = 1  # type: ignore[attr-defined]


@every_backend
def test_round_trip_is_exact(backend: Backend, case: Case, tmp_path: Path) -> None:
    """What a backend loads predicts what was saved: bit for bit, if it states no tolerance."""
    skip_without_libraries(backend)
    path = str(tmp_path / "artifact")
    payload = backend.payload(case.estimator, case.X)
    backend.dump(payload, path)
    loaded = backend.load(path)
    if backend.claims.returns == "bytes":
        assert bytes(loaded) == payload
    else:
        assert compare(reference(case), loaded, backend.claims).same


@every_backend
def test_what_comes_back_is_as_claimed(backend: Backend, case: Case, tmp_path: Path) -> None:
    """An estimator can be cloned and fitted again; a predictor and bytes cannot."""
    skip_without_libraries(backend)
    path = str(tmp_path / "artifact")
    backend.dump(backend.payload(case.estimator, case.X), path)
    loaded = backend.load(path)
    if backend.claims.returns == "estimator":
        clone(loaded).fit(case.X, case.y)
    else:
        assert not hasattr(loaded, "fit")
        assert hasattr(loaded, "predict") == (backend.claims.returns == "predictor")


@every_backend
def test_two_dumps_are_the_same_bytes_as_claimed(
    backend: Backend, case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A minute later estimators become the same bytes exactly if the backend says so."""
    skip_without_libraries(backend)
    neighbours = KNeighborsClassifier(algorithm="brute").fit(case.X, case.y)
    dumps: dict[int, list[bytes]] = {0: [], 1: []}
    now = time.time()
    for minute, files in dumps.items():
        monkeypatch.setattr(time, "time", lambda minute=minute: now + 60 * minute)
        for estimator in (case.estimator, neighbours):
            backend.dump(backend.payload(estimator, case.X), str(tmp_path / "artifact"))
            files.append((tmp_path / "artifact").read_bytes())
    assert (dumps[0] == dumps[1]) == backend.claims.deterministic


@every_backend
def test_audit_is_as_claimed(backend: Backend, tmp_path: Path) -> None:
    """A look into the file names what nobody has admitted, and runs nothing of it."""
    skip_without_libraries(backend)
    path = str(tmp_path / "artifact")
    if not backend.claims.audits:
        with pytest.raises(UnsupportedError):
            backend.audit(path)  # there is no such file
        return
    backend.dump(backend.payload(FunctionTransformer(_touch), None), path)
    name = f"{__name__}._touch"
    assert backend.audit(path) == [name]
    assert backend.trusting((name,)).audit(path) == []


@every_backend
def test_memory_mapping_is_as_claimed(backend: Backend, tmp_path: Path) -> None:
    """A backend maps the file's arrays if it says so, and else refuses before opening it."""
    skip_without_libraries(backend)
    path = str(tmp_path / "artifact")
    if not backend.claims.memory_maps:
        with pytest.raises(UnsupportedError):
            backend.load(path, mmap_mode="r")  # there is no such file
        return
    model = StandardScaler().fit(np.random.default_rng(0).standard_normal((2, 10_000)))
    backend.dump(backend.payload(model, None), path)
    loaded = backend.load(path, mmap_mode="r")
    mapped = loaded if backend.claims.returns == "bytes" else _base(loaded.mean_)
    assert isinstance(mapped, mmap.mmap | np.memmap)


@every_backend
def test_code_execution_is_as_claimed(backend: Backend, tmp_path: Path) -> None:
    """Loading a crafted file runs its code exactly if the backend says so, and has no list."""
    skip_without_libraries(backend)
    marker, path = tmp_path / "marker", tmp_path / "artifact"
    path.write_bytes(_crafted(backend, marker, tmp_path))
    assert not marker.exists()
    runs = backend.claims.executes_code and not backend.claims.restricted
    with contextlib.suppress(Exception if not runs else ()):
        backend.load(str(path))
    assert marker.exists() == runs


@every_backend
def test_pickle_with_a_list_does_not_claim_to_run_no_code(backend: Backend) -> None:
    """A list limits the names and not the arguments: only another format runs no code."""
    opcodes = backend.extension == ".pkl" and backend.claims.returns == "estimator"
    assert backend.claims.executes_code or not opcodes
    assert backend.claims.executes_code or not backend.claims.restricted


def _crafted(backend: Backend, marker: Path, folder: Path) -> bytes:
    """Return a file that asks the backend to touch a marker: pickle's way, or that of skops."""
    path = folder / "crafted"
    if not backend.id.startswith("skops"):
        # What cannot save a marker is given a pickle of one.
        writer = FOUND["pickle-5"] if backend.claims.returns == "predictor" else backend
        writer.dump(writer.payload(_Marker(marker), None), str(path))
        return path.read_bytes()
    # A method of an object, which skops looks up by its name and calls nothing: so a constructor.
    backend.dump(backend.payload(np.float64(1), None), str(path))
    with zipfile.ZipFile(path) as archive:
        schema = json.loads(archive.read("schema.json"))
    shell = {"__class__": "_Toucher", "__module__": __name__, "__loader__": "ObjectNode"}
    content = {
        "__class__": "str",
        "__module__": "builtins",
        "__loader__": "JsonNode",
        "content": json.dumps(str(marker)),
        "is_json": True,
        "__id__": 2,
    }
    schema |= shell | {"content": content, "__id__": 1}
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("schema.json", json.dumps(schema))
    return path.read_bytes()


class _Toucher:
    """Touches a file when it is given its state."""

    def __setstate__(self, state: Any) -> None:
        Path(state).touch()


@every_backend
def test_carrying_code_is_as_claimed(backend: Backend, tmp_path: Path) -> None:
    """A lambda travels inside the file exactly if the backend says so."""
    skip_without_libraries(backend)
    path = str(tmp_path / "artifact")
    model = FunctionTransformer(lambda X: X + 1)
    if backend.claims.carries_code:
        assert _dump_and_load(backend, model, path).transform(np.zeros(1)) == 1
    else:  # skops saves a lambda by its name, and finds nothing by that name when it loads
        with pytest.raises(Exception, match=r"lambda|FunctionTransformer"):
            _dump_and_load(backend, model, path)


def _dump_and_load(backend: Backend, estimator: Any, path: str) -> Any:
    backend.dump(backend.payload(estimator, np.zeros((1, 1))), path)
    return backend.load(path)


def test_raw_holds_the_bytes_of_pickle_5(case: Case, tmp_path: Path) -> None:
    """The floor writes and reads the same bytes as pickle-5, so that they can be compared."""
    files = {}
    for name in ("raw", "pickle-5"):
        backend = backends.get(name)
        backend.dump(backend.payload(case.estimator, case.X), str(tmp_path / name))
        files[name] = (tmp_path / name).read_bytes()
    assert files["raw"] == files["pickle-5"]


def test_unknown_name_is_answered_with_the_closest() -> None:
    """A misspelt id gives one sentence that names what was probably meant."""
    with pytest.raises(UserError, match="'jobib-zlib-3': did you mean joblib-zlib-3"):
        backends.get("jobib-zlib-3")


@pytest.fixture
def second_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A folder whose files discovery takes for backends."""
    monkeypatch.setattr(backends, "__path__", [*backends.__path__, str(tmp_path)])
    backends.for_trials.cache_clear()
    yield tmp_path
    backends.for_trials.cache_clear()


VALID = """
from dataclasses import dataclass
from persistbench.backends._base import Backend

@dataclass(frozen=True)
class Extra(Backend):
    @property
    def id(self): return {name!r}
    def dump(self, payload, path): pass
    def load(self, path, mmap_mode=None): pass

BACKENDS = (Extra(),)
"""


def test_new_file_is_a_new_backend(second_folder: Path) -> None:
    """A file dropped into the folder is found; nothing else is edited."""
    (second_folder / "extra_one.py").write_text(VALID.format(name="extra-1"))
    assert backends.get("extra-1").id == "extra-1"


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        ("", "yields no backend: define BACKENDS"),
        ("BACKENDS = (1,)", "yields no backend: define BACKENDS"),
        ("import", "cannot be imported"),
        ("raise RuntimeError('no')", "cannot be imported"),
        (VALID.format(name="pickle-5"), "both claim the backend id 'pickle-5'"),
        (VALID.format(name="Not an id"), "use lower-case letters"),
    ],
)
def test_broken_file_fails_loudly(second_folder: Path, source: str, sentence: str) -> None:
    """A file that yields no proper backend is named in one sentence, never passed over."""
    name = f"zz_broken_{abs(hash(source))}"
    (second_folder / f"{name}.py").write_text(source)
    with pytest.raises(UserError, match=sentence) as caught:
        backends.discover()
    assert name in str(caught.value)


def _base(array: Any) -> Any:
    """Return the memory map below views of it."""
    while not isinstance(array, np.memmap):
        below = array.obj if isinstance(array, memoryview) else getattr(array, "base", None)
        if below is None:
            break
        array = below
    return array


def test_graph_beyond_the_limit_of_its_format_is_unsupported(
    case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A protocol buffer holds 2 GB: the reason has both numbers, and no file is left."""
    backend = backends.get("onnx")
    skip_without_libraries(backend)
    monkeypatch.setattr("persistbench.backends.onnx.LIMIT", 100)
    with pytest.raises(UnsupportedError, match="and a protocol buffer holds 100"):
        backend.dump(backend.payload(case.estimator, case.X), str(tmp_path / "artifact"))
    assert not list(tmp_path.iterdir())
