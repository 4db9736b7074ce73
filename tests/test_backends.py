"""The contract of every backend that discovery finds."""

import copy
import dataclasses
import mmap
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import FunctionTransformer

from persistbench import Case, backends
from persistbench.backends import Backend
from persistbench.errors import UnsupportedError, UserError
from persistbench.integrity import compare, reference

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
}

every_backend = pytest.mark.parametrize("backend", FOUND.values(), ids=FOUND)


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
    """What a backend loads predicts bit for bit what was saved."""
    skip_without_libraries(backend)
    path = str(tmp_path / "artifact")
    payload = backend.payload(case.estimator, case.X)
    backend.dump(payload, path)
    loaded = backend.load(path)
    if backend.claims.returns == "bytes":
        assert loaded == payload
    else:
        assert compare(reference(case), loaded).same


@every_backend
def test_memory_mapping_is_as_claimed(backend: Backend, tmp_path: Path) -> None:
    """A backend maps the file's arrays if it says so, and else refuses before opening it."""
    skip_without_libraries(backend)
    path = str(tmp_path / "artifact")
    if not backend.claims.memory_maps:
        with pytest.raises(UnsupportedError):
            backend.load(path, mmap_mode="r")  # there is no such file
        return
    X = np.random.default_rng(0).standard_normal((1_000, 10))
    model = KNeighborsClassifier(algorithm="brute").fit(X, X[:, 0] > 0)
    backend.dump(backend.payload(model, None), path)
    loaded = backend.load(path, mmap_mode="r")
    mapped = loaded if backend.claims.returns == "bytes" else _base(loaded._fit_X)
    assert isinstance(mapped, mmap.mmap | np.memmap)


@every_backend
def test_code_execution_is_as_claimed(backend: Backend, tmp_path: Path) -> None:
    """Loading a crafted file runs its code exactly if the backend says that it can."""
    skip_without_libraries(backend)
    marker, path = tmp_path / "marker", str(tmp_path / "artifact")
    backend.dump(backend.payload(_Marker(marker), None), path)
    assert not marker.exists()
    backend.load(path)
    assert marker.exists() == backend.claims.executes_code


@every_backend
def test_carrying_code_is_as_claimed(backend: Backend, tmp_path: Path) -> None:
    """A lambda travels inside the file exactly if the backend says so."""
    skip_without_libraries(backend)
    path = str(tmp_path / "artifact")
    model = FunctionTransformer(lambda X: X + 1)
    if backend.claims.carries_code:
        backend.dump(backend.payload(model, None), path)
        assert backend.load(path).transform(np.zeros(1)) == 1
    else:
        with pytest.raises(Exception, match="lambda"):
            backend.dump(backend.payload(model, None), path)


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
    backends.discover.cache_clear()
    yield tmp_path
    backends.discover.cache_clear()


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
    while not isinstance(array, np.memmap) and getattr(array, "base", None) is not None:
        array = array.base
    return array
