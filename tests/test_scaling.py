"""Pipelines of any size are saved in all of them, or refused with the numbers."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from persistbench import backends
from persistbench.backends.pickle import Pickle
from persistbench.cases import scaled
from persistbench.cases.fitted import fit
from persistbench.errors import UserError
from persistbench.measure import scaling
from persistbench.outcomes import Outcome
from persistbench.records import questions
from persistbench.records.figures import Figure, Platform, Table
from persistbench.report.sections import scaling as section


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The smallest sizes alone."""
    chosen = ("array-1MB", "array-2MB", "objects-1000", "objects-3000")
    known = {name: scaled.pipelines()[name] for name in chosen}
    monkeypatch.setattr(scaled, "pipelines", lambda: known)
    monkeypatch.chdir(tmp_path)


@dataclass(frozen=True)
class Wrong(Pickle):
    """Is right with small arrays alone."""

    @property
    def id(self) -> str:
        return "wrong"

    def load(self, path: str, mmap_mode: str | None = None) -> Any:
        loaded = super().load(path)
        if loaded.n_samples_fit_ > 2000:
            loaded.classes_ = loaded.classes_[::-1]
        return loaded


def test_sizes_are_what_they_are_called() -> None:
    """An array of 1 MB is a pickle of 1 MB; 3,000 objects are words and numbers."""
    known = scaled.pipelines()
    payload = fit(known["array-1MB"]).payload_bytes
    assert payload == pytest.approx(1e6, rel=0.02)
    vocabulary = known["objects-3000"].build().estimator.vocabulary_
    assert 2 * len(vocabulary) == 3000


def test_names_tell_the_sizes() -> None:
    """What the report reads from a name is what was measured."""
    for name, pipeline in scaled.pipelines().items():
        assert questions.size_of(name) == (pipeline.kind, pipeline.size)


def test_largest_is_chosen_by_the_reader(monkeypatch: pytest.MonkeyPatch) -> None:
    """PERSISTBENCH_MAX_MB adds the sizes up to it."""
    monkeypatch.setenv(scaled.MAX_MB, "1024")
    assert "array-1024MB" in scaled.pipelines.__wrapped__()
    monkeypatch.delenv(scaled.MAX_MB)
    assert "array-512MB" not in scaled.pipelines.__wrapped__()


@pytest.mark.parametrize("text", ["much", "0", "-1", "1e3"])
def test_what_is_no_number_of_megabytes_is_said(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """One sentence names the variable and shows what to write."""
    monkeypatch.setenv(scaled.MAX_MB, text)
    with pytest.raises(UserError, match=f"PERSISTBENCH_MAX_MB is '{text}'"):
        scaled.pipelines.__wrapped__()


@pytest.mark.parametrize("kind", scaled.KINDS)
@pytest.mark.usefixtures("few")
def test_every_size_has_its_calls(kind: str, tmp_path: Path) -> None:
    """Each pass leaves one dump and one load of each size, and no file."""
    result = scaling.measure(kind, backends.get("joblib"))
    assert len(result) == 2
    for calls in result.values():
        assert {len(calls[name]) for name in ("dump", "load", "faults")} == {scaling.PASSES}
    assert not list(tmp_path.iterdir())


@pytest.mark.usefixtures("few")
def test_wrong_size_has_no_figure() -> None:
    """A size that comes back different fails, and the others keep their figures."""
    result = scaling.measure("array", Wrong(5))
    assert "dump" in result["array-1MB"]
    assert result["array-2MB"]["verdict"]["outcome"] is Outcome.LABELS_DIFFER


@pytest.mark.usefixtures("few")
def test_slow_backend_is_not_asked_for_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a call took too long, the next size is left out and the reason says how long."""
    monkeypatch.setattr(scaling, "LIMIT_SECONDS", 0.0)
    refused = scaling.measure("array", backends.get("pickle-5"))["array-2MB"]["verdict"]
    assert refused["outcome"] is Outcome.UNSUPPORTED
    assert "with array-1MB" in refused["reason"]


@pytest.mark.parametrize(
    ("what", "function", "field"),
    [("memory", "virtual_memory", "available"), ("disk", "disk_usage", "free")],
)
@pytest.mark.usefixtures("few")
def test_no_room_is_said_before(
    what: str, function: str, field: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A size without room is refused with both numbers, and nothing is fitted for it."""
    real = getattr(psutil, function)
    monkeypatch.setattr(psutil, function, lambda *a: real(*a)._replace(**{field: 5_000_000}))
    monkeypatch.setattr(scaled.Scaled, "build", None)
    refused = scaling.measure("array", backends.get("pickle-3"))["array-2MB"]["verdict"]
    need = "8" if what == "memory" else "6"
    assert refused["reason"] == f"array-2MB needs {need} MB of {what}, and 5 MB are free"


def test_break_is_shown_with_its_page_faults() -> None:
    """A load that breaks after 32 MB is told with both slopes and both densities of faults."""
    place = Platform("m", "e", ())
    sizes = [2**power for power in range(9)]
    result = [
        Figure("m", "e", question, f"array-{size}MB", "b", value, unit, None, None, 3, "ok", "")
        for size in sizes
        for question, unit, value in (
            ("scale_load", "seconds", 1e-3 * size + 4e-3 * max(0, size - 32)),
            ("scale_faults", "page faults", 0.0 if size <= 32 else 244.0 * size),
        )
    ]
    refused = replace(result[0], pipeline="array-512MB", value=None, status="n/a", reason="why")
    (row,) = section.rows(Table([*result, refused], [place], []).scaled(place), "load-array")
    assert row.bent is not None
    assert row.bent.after == 32e6
    assert [round(line.slope * 1e9) for line in row.bent.lines] == [1, 5]
    assert row.faults == (0, 244)
    assert (row.last, row.left_out) == (256e6, "why")
