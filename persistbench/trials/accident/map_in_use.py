"""What happens to a memory-mapped pipeline when its file is changed, and is it told at all?

A child maps the artifact and predicts; then the file is cut off, overwritten in place with
another version, replaced by renaming, or deleted; and the child predicts again. Beside it: does
use write to the file, and what does a library do that is asked to map what cannot be mapped?
"""

import hashlib
import os
import pickle
import shutil
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from persistbench import sandbox
from persistbench.cases import catalogue
from persistbench.cells import attempt
from persistbench.cells.cell import Cell
from persistbench.errors import UnsupportedError
from persistbench.integrity.answers import Reference
from persistbench.outcomes import WORST, Outcome, Verdict
from persistbench.sandbox import child
from persistbench.trials import _artifacts, campaign, kinds
from persistbench.trials.campaign import Record, Task, Trial

KIND = "map-in-use"
GROUP = kinds.ACCIDENT
VERSION = 2

LIMITS = sandbox.Limits(seconds=60, memory=2 * 10**9, file_size=10**9)

MODES = ("r", "r+", "c")
"""As numpy.memmap has them: read only, write to the file, write to memory only."""


@dataclass(frozen=True)
class Result:
    """What is to be known of one trial with one pipeline.

    Attributes:
        verdict: on the answers after the change.
        mapped: whether the file was mapped; None where the system does not tell.
        file_changed: whether use has written to the file; None where that is not asked.
    """

    verdict: Verdict
    mapped: bool | None = None
    file_changed: bool | None = None


def tasks(selection: kinds.Selection) -> list[Task]:
    """Return a task for each backend: those that map, and those that are asked all the same."""
    made_of = " ".join(catalogue.get(name).key for name in selection.pipelines)

    def task(backend_id: str, asked: Sequence[tuple[str, str]]) -> Task:
        trials = [
            campaign.trial(KIND, VERSION, subject, backend_id, mode, made_of)
            for subject, mode in asked
        ]
        return Task(tuple(trials), _Make(selection.pipelines))

    changed = [(subject, mode) for subject in CHANGES for mode in MODES]
    return [
        task(backend.id, [*changed, (FILE, "r")])
        if backend.claims.memory_maps
        else task(backend.id, [(COMPRESSED, "r"), (FILE, "r")])
        for backend in selection.backends
    ]


@dataclass(frozen=True)
class _Make:
    """Returns the records of one backend's trials; each tells the worst of all pipelines."""

    pipelines: tuple[str, ...]

    def __call__(self, trials: Sequence[Trial]) -> list[Record]:
        sandbox.preload("persistbench.sandbox.warm_libraries")
        result: dict[Trial, dict[str, Result]] = {trial: {} for trial in trials}
        for name in self.pipelines:
            one = _artifacts.cell(name, trials[0].backend)
            right = _artifacts.right(one)
            with sandbox.folder() as folder:
                if right.same:
                    shutil.copyfile(one.artifact, folder / _THIS)
                if right.same and one.backend.claims.memory_maps:
                    right = _answer(_save_two, one, folder).verdict
                for trial in trials:
                    work = (one, folder, trial.subject, trial.condition)
                    result[trial][name] = _answer(_try, *work) if right.same else Result(right)
        return [_record(trial, result[trial]) for trial in trials]


def _record(trial: Trial, found: dict[str, Result]) -> Record:
    name, worst = min(found.items(), key=lambda item: WORST.index(item[1].verdict.outcome))
    reason = worst.verdict.reason
    named = len(found) > 1 and reason and len({one.verdict.reason for one in found.values()}) > 1
    return trial.record(
        Verdict(worst.verdict.outcome, f"{name}: {reason}" if named else reason),
        mapped=_any(one.mapped for one in found.values()),
        file_changed=_any(one.file_changed for one in found.values()),
        pipelines={
            name: {"outcome": one.verdict.outcome, "reason": one.verdict.reason}
            for name, one in found.items()
        },
    )


def _any(facts: Iterator[bool | None]) -> bool | None:
    known = [fact for fact in facts if fact is not None]
    return any(known) if known else None


def _answer(function: Callable[..., Iterator[Result]], *work: Any) -> Result:
    """Return the last that a child says, with how it died if it did."""
    result = Result(Verdict(Outcome.CRASH, "no answer"))
    try:
        for result in sandbox.answers(function, *work, limits=LIMITS):  # noqa: B007
            pass
    except sandbox.DeadError as death:
        return Result(death.verdict, result.mapped, result.file_changed)
    return result


def _save_two(one: Cell, folder: Path) -> Iterator[Result]:
    """Save a pipeline, and another version of it that answers otherwise; in a child process.

    Both are made in one way: each number of the other lies where it lies in the first.
    """
    child.required()
    child.hush()
    said = one.fitted.load_reference()
    estimator = one.fitted.load_estimator()
    for name, change in ((_THIS, bytearray), (_OTHER, _negated)):
        version = _rebuilt(estimator, change)
        verdict = attempt.dump(one.backend, version, said.X, str(folder / name))
        if not verdict.same:
            yield Result(verdict)
            return
    if _artifacts.opened(one.backend, folder / _OTHER, said).same:
        verdict = Verdict(Outcome.UNSUPPORTED, "no other version of it can be made")
    yield Result(verdict)


def _rebuilt(estimator: Any, change: Callable[[pickle.PickleBuffer], bytearray]) -> Any:
    """Return a copy of an estimator with other bytes in its arrays."""
    buffers: list[pickle.PickleBuffer] = []
    rest = pickle.dumps(estimator, protocol=5, buffer_callback=buffers.append)
    return pickle.loads(rest, buffers=[change(buffer) for buffer in buffers])


def _negated(buffer: pickle.PickleBuffer) -> bytearray:
    raw, kind = buffer.raw(), memoryview(buffer).format
    return bytearray(-np.frombuffer(raw, dtype=kind) if kind in ("f", "d") else raw)


def _try(one: Cell, folder: Path, subject: str, mode: str) -> Iterator[Result]:
    """Map a copy of the artifact, predict, change the file, predict again; in a child process."""
    child.required()
    child.hush()
    said = one.fitted.load_reference()
    path = Path("artifact").resolve()
    shutil.copyfile(folder / _THIS, path)
    if subject not in CHANGES:
        yield _asked_library(one, path, said, subject == FILE, mode)
        return
    loaded, verdict = attempt.load(one.backend, str(path), mode)
    if not verdict.same:
        yield Result(verdict)
        return
    mapped, before = _is_mapped(path), _digest(path)
    verdict = attempt.use(one.backend, loaded, said)
    if subject == WRITTEN:
        yield Result(verdict, mapped, _digest(path) != before)
        return
    yield Result(verdict, mapped)  # if it does not survive the change, this stands
    if verdict.same:
        CHANGES[subject](path, folder / _OTHER)
        yield Result(attempt.use(one.backend, loaded, said), mapped)


def _asked_library(one: Cell, path: Path, said: Reference, opened: bool, mode: str) -> Result:
    """Ask the library itself to map what cannot be mapped, and note what it warns of."""
    with warnings.catch_warnings(record=True) as warned, path.open("rb") as file:
        warnings.simplefilter("always")
        try:
            loaded = one.backend.map_unchecked(file if opened else str(path), mode)
        except UnsupportedError as error:
            return Result(Verdict(Outcome.UNSUPPORTED, str(error)))
        except Exception as error:
            return Result(child.of_exception(Outcome.ERROR_AT_LOAD, error))
    mapped, verdict = _is_mapped(path), attempt.use(one.backend, loaded, said)
    told = [f"{about.category.__name__}: {about.message}" for about in warned]
    if verdict.same and not mapped:
        how = (
            f"with a warning ({told[0].replace(str(path), 'FILE')})"
            if told
            else "without a warning"
        )
        verdict = Verdict(Outcome.SAME, f"loaded into memory {how}")
    return Result(verdict, mapped)


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


_THIS, _OTHER = "this", "other"
WRITTEN, COMPRESSED, FILE = "written by use", "compressed", "file object"
CHANGES: dict[str, Callable[[Path, Path], None]] = {
    "truncated": _truncated,
    "overwritten": _overwritten,
    "replaced": _replaced,
    "deleted": _deleted,
    WRITTEN: _untouched,
}
