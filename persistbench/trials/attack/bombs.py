"""Small artifacts that unfold to 1 GB, or claim 3 GB: what do looking, loading and using cost?

Each bomb is crafted in one child and opened in others: with 3 GB of memory, and with 300 MB more
than the child held before, which shows whether a limit of the process makes a clean error of it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import psutil

from persistbench import backends, sandbox
from persistbench.backends import Backend
from persistbench.cells import attempt
from persistbench.errors import UnsupportedError
from persistbench.outcomes import Outcome, Verdict
from persistbench.sandbox import child
from persistbench.system import memory
from persistbench.trials import campaign, kinds
from persistbench.trials.attack import _bombs
from persistbench.trials.campaign import Record, Task, Trial

KIND = "bombs"
GROUP = kinds.ATTACK
VERSION = 1

LIMITS = sandbox.Limits(seconds=60, memory=3 * 10**9, file_size=2 * _bombs.SMALL)

CRAFTING = sandbox.Limits(seconds=180, memory=5 * 10**9, file_size=2 * _bombs.SMALL)
"""To save 1 GB may take several copies of it."""

TIGHT = 3 * 10**8
"""Bytes that the second child may take beside what it has."""


_STEPS = {
    "audit": Outcome.ERROR_AT_LOAD,
    "load": Outcome.ERROR_AT_LOAD,
    "use": Outcome.ERROR_AT_USE,
}


@dataclass(frozen=True)
class Result:
    """What is known so far of one opening of a bomb.

    Attributes:
        verdict: on the last step.
        peak: bytes of memory of each step, above what was held before.
        looked: why the look refused; empty if it did not, None if there is none.
        outside: by which ways a file outside was read.
    """

    verdict: Verdict
    peak: dict[str, int | None] = field(default_factory=lambda: dict.fromkeys(_STEPS))
    looked: str | None = None
    outside: dict[str, bool] | None = None


def tasks(selection: kinds.Selection) -> list[Task]:
    """Return a task for each backend and shape: one bomb at a time."""
    return [
        Task((campaign.trial(KIND, VERSION, shape, backend.id),), make)
        for backend in selection.backends
        for shape in _bombs.SHAPES
    ]


def make(trials: Sequence[Trial]) -> list[Record]:
    """Return the records of bombs."""
    sandbox.preload("persistbench.sandbox.warm_libraries")
    return [_record(trial) for trial in trials]


def _record(trial: Trial) -> Record:
    backend = backends.for_trials()[trial.backend]
    record = partial(trial.record, limit=backend.size_limit)
    if refusal := _refusal(backend):
        return record(refusal, **_facts(None, Result(refusal), None))
    with sandbox.folder() as folder:
        path = folder / "in" / "artifact"
        path.parent.mkdir()
        work = (trial.backend, trial.subject, str(path))
        crafted = sandbox.run(_craft, *work, limits=CRAFTING)
        if not crafted.same:
            return record(crafted, **_facts(None, Result(crafted), None))
        result, limited = (_nameless(_opened(*work, tight), folder) for tight in (None, TIGHT))
        return record(result.verdict, **_facts(path.stat().st_size, result, limited))


def _nameless(found: Result, folder: Path) -> Result:
    """Return what was found without the name of a folder that is no more."""
    reason = found.verdict.reason.replace(str(folder), "FOLDER")
    looked = found.looked and found.looked.replace(str(folder), "FOLDER")
    return replace(found, verdict=replace(found.verdict, reason=reason), looked=looked)


def _facts(size: int | None, found: Result, limited: Result | None) -> dict[str, Any]:
    verdict = limited.verdict if limited else None
    return {
        "bytes": size,
        "peak": found.peak,
        "limited": verdict and {"outcome": verdict.outcome, "reason": verdict.reason},
        "looked": found.looked,
        "outside": found.outside,
    }


def _refusal(backend: Backend) -> Verdict | None:
    """Return why no bomb is opened here, if so."""
    if backend.missing:
        return Verdict(Outcome.NOT_INSTALLED, backend.unavailable)
    try:
        memory.require()
    except UnsupportedError as error:
        return Verdict(Outcome.UNSUPPORTED, str(error))
    free = psutil.virtual_memory().available
    needed = 2 * (CRAFTING.memory or 0)  # other bombs may be open at the same time
    if free < needed:
        reason = f"{child.size(free)} of memory are free: {child.size(needed)} are needed"
        return Verdict(Outcome.UNSUPPORTED, reason)
    return None


def _craft(backend_id: str, shape: str, path: str) -> Verdict:
    """Write a bomb, and an honest artifact beside it; in a child process."""
    child.required()
    child.hush()
    backend = backends.for_trials()[backend_id]
    verdict = attempt.dump(backend, _bombs.honest(), _bombs.rows(), _honest(path))
    if not verdict.same:
        return verdict
    craft = _bombs.SHAPES[shape].craft
    verdict = attempt.call(Outcome.ERROR_AT_DUMP, lambda: craft(backend, path))
    if not verdict.same:
        return verdict
    if (size := Path(path).stat().st_size) > _bombs.SMALL:
        return Verdict(Outcome.UNSUPPORTED, f"{child.size(size)} are no small artifact")
    return verdict


def _honest(path: str) -> str:
    return f"{path}-honest"


def _opened(backend_id: str, shape: str, path: str, tight: int | None) -> Result:
    """Let a child open a bomb; return how far it came."""
    result = Result(Verdict(Outcome.CRASH, "no answer"))
    try:
        for result in sandbox.answers(_open, backend_id, shape, path, tight, limits=LIMITS):  # noqa: B007
            pass
    except sandbox.DeadError as death:
        return replace(result, verdict=death.verdict)
    return result


def _open(backend_id: str, shape: str, path: str, tight: int | None) -> Iterator[Result]:
    """Yield what is found at each step: look, load, use; in a child process."""
    child.required()
    child.hush()
    backend, how = backends.for_trials()[backend_id], _bombs.SHAPES[shape]
    look = how.look or (backend.audit if backend.claims.audits else None)
    if look:  # what code and buffers take that stay in memory, the bomb does not
        look(_honest(path))
    _use(backend.load(_honest(path)))
    if tight is not None:
        child.tighten(tight)
    loaded: Any = None
    answer: Any = None

    def load() -> None:
        nonlocal loaded
        loaded = backend.load(path)

    def use() -> None:
        nonlocal answer
        answer = _use(loaded)

    calls = {"audit": look and partial(look, path), "load": load, "use": use}
    result = Result(Verdict(Outcome.SAME))
    for step, outcome in _STEPS.items():
        call = calls[step]
        if call is None:
            continue
        verdict = Verdict(Outcome.SAME)
        before = memory.mark()
        try:
            call()
        except Exception as error:
            verdict = child.of_exception(outcome, error)
        result = replace(result, verdict=verdict, peak=result.peak | {step: memory.risen(before)})
        if step == "audit":  # one that refuses keeps nobody from loading
            result = replace(result, verdict=Verdict(Outcome.SAME), looked=verdict.reason)
        yield result
        if not result.verdict.same:
            break
    if how.outside is not None:
        yield replace(result, outside=how.outside(path, answer))


def _use(loaded: Any) -> Any:
    """Use what was loaded as its user would: predict, or show it."""
    if hasattr(loaded, "predict"):
        return loaded.predict(_bombs.rows())
    return repr(loaded) if isinstance(loaded, list) else None
