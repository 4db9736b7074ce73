"""Small artifacts that unfold to 1 GB, or claim 3 GB: what do inspecting, loading and using cost?

Each bomb is crafted in one child and opened in two others. One child has 3 GB of memory. The other
has 300 MB more than it held before: it shows whether a limit of the process makes a clean error.
"""

from collections.abc import Iterator
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
from persistbench.trials import _artifacts, base
from persistbench.trials.attack import _bombs, _formats, _onnx_bombs
from persistbench.trials.base import in_child
from persistbench.trials.trial import Trial

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
class Result(base.Result):
    """What is known of a bomb.

    Attributes:
        verdict: on the last step.
        bytes: of the artifact; None if there is none.
        peak: bytes of memory of each step, above what was held before.
        limited: outcome and reason where memory is limited to :data:`TIGHT`.
        looked: why the inspection refused; empty if it did not, None if there is none.
        outside: by which ways a file outside was read.
    """

    bytes: int | None = None
    peak: dict[str, int | None] = field(default_factory=lambda: dict.fromkeys(_STEPS))
    limited: dict[str, str] | None = None
    looked: str | None = None
    outside: dict[str, bool] | None = None


class Bombs(base.OneByOne):
    """Shapes of bombs; one bomb at a time."""

    name = "bombs"
    version = 1
    limits = sandbox.Limits(seconds=60, memory=3 * 10**9, file_size=2 * _bombs.SMALL)
    shared = ("subject", "backend")
    subjects = _bombs.SHAPES
    result_type = Result

    def inputs(self, subject: str, condition: str | None) -> str:
        return _artifacts.code(_bombs.__file__, _formats.__file__, _onnx_bombs.__file__)

    def facts(self, trial: Trial) -> dict[str, Any]:
        return {"limit": backends.for_trials()[trial.backend].size_limit}

    def prepare(self, trial: Trial, backend: Backend, folder: Path) -> Verdict:
        if refusal := _refusal():
            return refusal
        path = _path(folder)
        path.parent.mkdir()
        return sandbox.run(_craft, trial.backend, trial.subject, str(path), limits=CRAFTING)

    def result(self, trial: Trial, backend: Backend, folder: Path) -> Result:
        path = _path(folder)
        free, tight = (self._opened(trial, folder, limit) for limit in (None, TIGHT))
        limited = {"outcome": tight.verdict.outcome, "reason": tight.verdict.reason}
        return replace(free, bytes=path.stat().st_size, limited=limited)

    def _opened(self, trial: Trial, folder: Path, tight: int | None) -> Result:
        """Return what one child knows, without the name of a folder that is then no more."""
        work = (trial.backend, trial.subject, str(_path(folder)), tight)
        result = Result.from_child(_open, *work, limits=self.limits)
        reason = result.verdict.reason.replace(str(folder), "FOLDER")
        looked = result.looked and result.looked.replace(str(folder), "FOLDER")
        return replace(result, verdict=replace(result.verdict, reason=reason), looked=looked)


def _path(folder: Path) -> Path:
    """Return where the bomb lies: the folder above it holds what a bomb should not read."""
    return folder / "in" / "artifact"


def _refusal() -> Verdict | None:
    """Return why no bomb is opened here, if so."""
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


@in_child
def _craft(backend_id: str, shape: str, path: str) -> Verdict:
    """Write a bomb, and an honest artifact beside it."""
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


@in_child
def _open(backend_id: str, shape: str, path: str, tight: int | None) -> Iterator[Result]:
    """Yield what is known after each step: audit, load, use."""
    backend, how = backends.for_trials()[backend_id], _bombs.SHAPES[shape]
    inspect = how.inspect or (backend.audit if backend.claims.audits else None)
    if inspect:  # what code and buffers take that stay in memory, the bomb does not
        inspect(_honest(path))
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

    calls = {"audit": inspect and partial(inspect, path), "load": load, "use": use}
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
