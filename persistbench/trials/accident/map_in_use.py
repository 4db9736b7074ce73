"""What happens to a memory-mapped pipeline when its file is changed?

A child maps the artifact and predicts. Then the file is cut off, overwritten in place with
another version, replaced by renaming, or deleted, and the child predicts again. Two more questions:
does use write to the file, and what does a library do that has to map what cannot be mapped?
"""

import hashlib
import os
import pickle
import shutil
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from persistbench import sandbox
from persistbench.backends import Backend
from persistbench.case import Case
from persistbench.cases import building
from persistbench.cases.building import BuildError, Job
from persistbench.cells import attempt
from persistbench.cells.cell import Cell
from persistbench.errors import UnsupportedError
from persistbench.integrity.answers import Reference
from persistbench.outcomes import Outcome, Verdict
from persistbench.sandbox import child
from persistbench.trials import _artifacts, base
from persistbench.trials.base import in_child
from persistbench.trials.trial import Trial

MODES = ("r", "r+", "c")
"""As numpy.memmap has them: read only, write to the file, write to memory only."""


@dataclass(frozen=True)
class Opened(base.Result):
    """What is known of one trial with one pipeline.

    Attributes:
        verdict: on the answers after the change.
        mapped: whether the file was mapped; None where the system does not tell.
        file_changed: whether use has written to the file; None where no trial looked.
    """

    mapped: bool | None = None
    file_changed: bool | None = None


@dataclass(frozen=True)
class Result(Opened):
    """What is known of one trial with all pipelines: the worst verdict.

    Attributes:
        mapped: whether any file was mapped.
        file_changed: whether any file was written to.
        pipelines: outcome and reason by pipeline.
    """

    pipelines: dict[str, dict[str, str]] = field(default_factory=dict)


class MapInUse(base.Kind):
    """Changes of a mapped file, and maps of what cannot be mapped."""

    name = "map-in-use"
    version = 3
    result_type = Result

    @property
    def subjects(self) -> Sequence[str]:
        return (*CHANGES, COMPRESSED, FILE)

    def conditions(self, subject: str, backend: Backend) -> Sequence[str]:
        if subject in CHANGES:
            return MODES if backend.claims.memory_maps else ()
        return () if subject == COMPRESSED and backend.claims.memory_maps else ("r",)

    def inputs(self, subject: str, condition: str | None) -> str:
        return _artifacts.inputs(self.selection.pipelines)

    def results(self, trials: Sequence[Trial], folder: Path) -> Iterator[Result]:
        opened: list[dict[str, Opened]] = [{} for _ in trials]
        for name in self.selection.pipelines:
            cell, own = _artifacts.cell(name, trials[0].backend), folder / name
            own.mkdir()
            verdict = self._prepared(cell, own)
            for trial, by_name in zip(trials, opened, strict=True):
                work = (cell, own, trial.subject, trial.condition)
                by_name[name] = (
                    Opened.from_child(_try, *work, limits=self.limits)
                    if verdict.same
                    else Opened(verdict)
                )
            shutil.rmtree(own)
        yield from map(together, opened)

    def _prepared(self, cell: Cell, folder: Path) -> Verdict:
        """Put the artifact into a folder, and beside it another version if it can be mapped."""
        right = _artifacts.right(cell)
        if not right.same:
            return right
        if not cell.backend.claims.memory_maps:
            shutil.copyfile(cell.artifact, folder / _THIS)
            return sandbox.run(_keep_original, cell, folder, limits=self.limits)
        try:
            (done,) = building.do(cell.pipeline, [Job(_save_two, (cell.backend, folder))], folder)
        except BuildError as error:
            return error.verdict
        verdict: Verdict = done.facts
        if verdict.same:
            done.original.replace(folder / _ORIGINAL)
            verdict = sandbox.run(_told_apart, cell.backend, folder, limits=self.limits)
        return verdict


def together(opened: dict[str, Opened]) -> Result:
    """Return the result of one trial with all pipelines.

    Args:
        opened: by the name of the pipeline.
    """
    name, worst = min(opened.items(), key=lambda item: item[1].verdict.outcome.severity)
    reason = worst.verdict.reason
    if reason and len({one.verdict.reason for one in opened.values()}) > 1:
        reason = f"{name}: {reason}"
    return Result(
        replace(worst.verdict, reason=reason),
        _any(one.mapped for one in opened.values()),
        _any(one.file_changed for one in opened.values()),
        {
            name: {"outcome": one.verdict.outcome, "reason": one.verdict.reason}
            for name, one in opened.items()
        },
    )


def _any(facts: Iterable[bool | None]) -> bool | None:
    known = [fact for fact in facts if fact is not None]
    return any(known) if known else None


@in_child
def _keep_original(one: Cell, folder: Path) -> Verdict:
    """Put what the original answers beside its artifact."""
    (folder / _ORIGINAL).write_bytes(pickle.dumps(one.load_original(), protocol=5))
    return Verdict(Outcome.SAME)


@in_child
def _save_two(case: Case, backend: Backend, folder: Path) -> Verdict:
    """Save a fresh pipeline, and another version of it that answers otherwise.

    Both are made in one way: each number of the other lies where it lies in the first.
    """
    verdict = Verdict(Outcome.SAME)
    for name, change in ((_THIS, bytearray), (_OTHER, _negated)):
        try:
            version = _rebuilt(case.estimator, change)
        except Exception as error:
            return child.of_exception(Outcome.ERROR_AT_DUMP, error)
        verdict = attempt.dump(backend, version, case.X, str(folder / name))
        if not verdict.same:
            break
    return verdict


@in_child
def _told_apart(backend: Backend, folder: Path) -> Verdict:
    """Return whether the other version answers otherwise than the original."""
    loaded, verdict = attempt.load(backend, str(folder / _OTHER))
    if verdict.same and attempt.use(backend, loaded, _original(folder)).same:
        return Verdict(Outcome.UNSUPPORTED, "no other version of it can be made")
    return Verdict(Outcome.SAME)


def _original(folder: Path) -> Reference:
    result: Reference = pickle.loads((folder / _ORIGINAL).read_bytes())
    return result


def _rebuilt(estimator: Any, change: Callable[[pickle.PickleBuffer], bytearray]) -> Any:
    """Return a copy of an estimator with other bytes in its arrays."""
    buffers: list[pickle.PickleBuffer] = []
    rest = pickle.dumps(estimator, protocol=5, buffer_callback=buffers.append)
    return pickle.loads(rest, buffers=[change(buffer) for buffer in buffers])


def _negated(buffer: pickle.PickleBuffer) -> bytearray:
    raw, kind = buffer.raw(), memoryview(buffer).format
    return bytearray(-np.frombuffer(raw, dtype=kind) if kind in ("f", "d") else raw)


@in_child
def _try(one: Cell, folder: Path, subject: str, mode: str) -> Iterator[Opened]:
    """Map a copy of the artifact, predict, change the file, predict again."""
    original = _original(folder)
    path = Path("artifact").resolve()
    shutil.copyfile(folder / _THIS, path)
    if subject not in CHANGES:
        yield _map_unchecked(one, path, original, subject == FILE, mode)
        return
    loaded, verdict = attempt.load(one.backend, str(path), mode)
    if not verdict.same:
        yield Opened(verdict)
        return
    mapped, before = _is_mapped(path), _digest(path)
    verdict = attempt.use(one.backend, loaded, original)
    if subject == WRITTEN:
        yield Opened(verdict, mapped, _digest(path) != before)
        return
    yield Opened(verdict, mapped)  # if it does not survive the change, this stands
    if verdict.same:
        CHANGES[subject](path, folder / _OTHER)
        yield Opened(attempt.use(one.backend, loaded, original), mapped)


def _map_unchecked(one: Cell, path: Path, original: Reference, opened: bool, mode: str) -> Opened:
    """Let the library itself map what cannot be mapped, and note what it warns of."""
    with warnings.catch_warnings(record=True) as caught, path.open("rb") as file:
        warnings.simplefilter("always")
        try:
            loaded = one.backend.map_unchecked(file if opened else str(path), mode)
        except UnsupportedError as error:
            return Opened(Verdict(Outcome.UNSUPPORTED, str(error)))
        except Exception as error:
            return Opened(child.of_exception(Outcome.ERROR_AT_LOAD, error))
    mapped, verdict = _is_mapped(path), attempt.use(one.backend, loaded, original)
    if verdict.same and not mapped:
        how = "without a warning"
        if caught:
            warning = f"{caught[0].category.__name__}: {caught[0].message}"
            how = f"with a warning ({warning.replace(str(path), 'FILE')})"
        verdict = Verdict(Outcome.SAME, f"loaded into memory {how}")
    return Opened(verdict, mapped)


def _is_mapped(path: Path) -> bool | None:
    maps = Path("/proc/self/maps")
    return str(path) in maps.read_text() if sys.platform == "linux" else None


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _truncated(path: Path, other: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def _overwritten(path: Path, other: Path) -> None:
    shutil.copyfile(other, path)  # into the same file, as every dump to its path does


def _replaced(path: Path, other: Path) -> None:
    beside = path.with_name("beside")
    shutil.copyfile(other, beside)
    beside.replace(path)


def _deleted(path: Path, other: Path) -> None:
    path.unlink()


def _untouched(path: Path, other: Path) -> None:
    pass


_THIS, _OTHER, _ORIGINAL = "this", "other", "original"
WRITTEN, COMPRESSED, FILE = "written by use", "compressed", "file object"
CHANGES: dict[str, Callable[[Path, Path], None]] = {
    "truncated": _truncated,
    "overwritten": _overwritten,
    "replaced": _replaced,
    "deleted": _deleted,
    WRITTEN: _untouched,
}
