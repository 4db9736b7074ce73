"""A mapped file is changed under the pipeline that uses it; each backend's outcome is its own."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import joblib
import pytest

from persistbench import backends
from persistbench.backends import Claims
from persistbench.errors import UnsupportedError
from persistbench.outcomes import Outcome, Verdict
from persistbench.trials import selection
from persistbench.trials.accident import map_in_use
from persistbench.trials.accident.map_in_use import MapInUse, Opened
from tests._doubles import Faulty, known, linux
from tests._unseeded import NOTES_LOADS, unseeded


class Lazy:
    """Answers from its file each time, and may write to it."""

    def __init__(self, path: str, writes: bool) -> None:
        self._path, self._writes = Path(path), writes

    def predict(self, X: Any) -> Any:
        if self._writes:
            with self._path.open("ab") as file:
                file.write(b"\0")
        return joblib.load(self._path).predict(X)


class Mapper(Faulty):
    """A backend that maps in its own way."""

    @property
    def claims(self) -> Claims:
        lazy = self.fault in ("lazy", "writes")
        return Claims(memory_maps=True, returns="predictor" if lazy else "estimator")

    def dump(self, payload: Any, path: str) -> None:
        joblib.dump(payload, path)

    def load(self, path: str, mmap_mode: str | None = None) -> Any:
        if mmap_mode == "c":
            raise UnsupportedError("not so")
        if self.fault in ("lazy", "writes"):
            return Lazy(path, self.fault == "writes")
        return joblib.load(path)


@pytest.fixture
def doubles(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Children know the doubles because they are forked from this process."""
    with known(monkeypatch, *map(Mapper, ("lazy", "writes", "copies"))):
        yield


def records(*backend_ids: str) -> dict[tuple[str, str], dict[str, Any]]:
    """Return the records of these backends by subject and mode."""
    tasks = MapInUse(selection.usual(["small"], backend_ids)).tasks()
    return {(record["subject"], record["place"]): record for task in tasks for record in task()}


@linux
def test_change_of_the_file_is_seen(doubles: None) -> None:
    """What answers from its file fails, or answers as another version, when the file is changed."""
    result = records("lazy")
    outcomes = {subject: one["outcome"] for (subject, mode), one in result.items() if mode == "r+"}
    assert outcomes == {
        "truncated": "error-at-use",
        "overwritten": "labels-differ",
        "replaced": "labels-differ",
        "deleted": "error-at-use",
        "written by use": "same",
    }
    assert result["deleted", "c"]["outcome"] == "unsupported"
    assert not result["written by use", "r+"]["file_changed"]


@linux
def test_file_that_use_writes_to_is_named(doubles: None) -> None:
    """A pipeline that writes to its file when it predicts is found."""
    assert records("writes")["written by use", "r"]["file_changed"]


@linux
def test_what_does_not_map_is_named(doubles: None) -> None:
    """A backend that claims to map, and reads into memory, keeps its answers and is not mapped."""
    result = records("copies")
    assert result["truncated", "r"]["outcome"] == "same"
    assert result["truncated", "r"]["mapped"] is False


@pytest.mark.skipif(sys.platform != "linux", reason="mapped files are seen in /proc")
def test_joblib_maps_and_is_overwritten() -> None:
    """Joblib's map follows a file that is overwritten, and not one that is renamed into place."""
    result = records("joblib")
    assert len(result) == 16
    assert result["overwritten", "r"]["mapped"]
    assert result["overwritten", "r"]["outcome"] == "labels-differ"
    for mode in ("r", "r+", "c"):
        assert result["replaced", mode]["outcome"] == result["deleted", mode]["outcome"] == "same"
        assert result["truncated", mode]["outcome"] != "same"
    assert result["file object", "r"]["mapped"] is False
    assert result["file object", "r"]["reason"] == "loaded into memory without a warning"


@linux
def test_map_is_compared_with_the_fit_that_was_dumped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pipeline of which no copy is kept, and no two builds are alike, blames no backend."""
    own = unseeded(tmp_path, monkeypatch, NOTES_LOADS)
    kind = MapInUse(selection.Selection((own.name,), (backends.get("joblib"),)))
    result = {(r["subject"], r["place"]): r for task in kind.tasks() for r in task()}
    assert result["deleted", "r"]["outcome"] == "same", result["deleted", "r"]
    assert result["overwritten", "r"]["outcome"] == "labels-differ"


def test_compressed_file_is_loaded_with_a_warning() -> None:
    """Joblib, asked to map a compressed file, warns and loads; other libraries have no option."""
    result = records("joblib-zlib-3")["compressed", "r"]
    assert (result["outcome"], result["mapped"]) == ("same", False)
    assert "is not compatible with compressed file FILE" in result["reason"]
    assert records("pickle-5-gzip-9")["compressed", "r"]["outcome"] == "unsupported"


def test_worst_of_all_pipelines_is_told() -> None:
    """A wrong answer that nobody is told of comes before a crash, and a crash before an error."""
    verdicts = [
        Verdict(Outcome.SAME),
        Verdict(Outcome.CRASH, "SIGBUS"),
        Verdict(Outcome.VALUES_DIFFER, "row 3"),
    ]
    result = map_in_use.together({str(n): Opened(one) for n, one in enumerate(verdicts)})
    assert result.verdict == Verdict(Outcome.VALUES_DIFFER, "2: row 3")
    assert result.pipelines["1"] == {"outcome": "crash", "reason": "SIGBUS"}
    assert result.mapped is None
