"""Processes that share an artifact are counted once for what they share."""

import sys
from typing import Any

import pytest

from persistbench import backends, catalogue, workers
from persistbench.cells import Cell

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="smaps_rollup")


def cell(pipeline: str, backend: str) -> Cell:
    """Return a right cell."""
    found = Cell(catalogue.get(pipeline), backends.get(backend))
    assert found.examine().same
    return found


def test_loaded_is_theirs_and_mapped_is_shared() -> None:
    """Four processes hold four copies of a loaded array of 32 MB, and share one mapped one."""
    large = cell("large_array", "joblib")
    loaded, mapped = (workers.hold(large, 4, mapped) for mapped in (False, True))
    # Beside the array both hold what predicting has left behind.
    assert loaded["pss"] - mapped["pss"] == pytest.approx(3 * 32.3e6, rel=0.1)
    assert loaded["uss"] > 4 * 32e6
    assert mapped["rss"] > 3.5 * 32.3e6  # why summed resident sets mislead


def test_wrong_answer_is_no_figure(monkeypatch: pytest.MonkeyPatch) -> None:
    """Requests that are answered meanwhile must be answered correctly."""
    small = cell("small", "pickle-5")
    monkeypatch.setattr(workers, "answers_same", lambda *_: False)
    with pytest.raises(RuntimeError, match="answered wrongly"):
        workers.hold(small, 2, False)


def test_process_that_dies_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """And nothing is left running."""
    small = cell("small", "pickle-5")

    def die(*_: Any) -> None:
        raise SystemExit(3)

    monkeypatch.setattr(workers, "answers_same", die)
    with pytest.raises(RuntimeError, match="process 1 of 2: died"):
        workers.hold(small, 2, False)
