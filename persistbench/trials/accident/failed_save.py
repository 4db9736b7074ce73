"""The save that fails: what lies at the path afterwards, where a good artifact was before?

A pipeline of 20 MB is saved to a path where an earlier one lies, and something goes wrong. Its last
member cannot be saved, the disk is full, the process is killed, or another process saves to the
same path. Each is tried with the backend's own dump straight to the path (``own``),
and with a draft that is renamed (``renamed``, see :func:`._saving.renamed`).

For the full disk stands a limit on the size of files, at half of the artifact. write() then fails
as it does when somebody else has taken the room, with EFBIG in place of ENOSPC. On a small file
system of its own the outcome would be luck. To open the path for writing frees the room of the
earlier artifact, which is just what the new one needs.

``kill -9`` comes at the same byte. Linux sends SIGXFSZ to a process that writes beyond the limit,
and this process answers it by SIGKILL to itself. So the backend is killed while it writes, also if
it writes all in one go at its end.
"""

import ctypes
import multiprocessing
import os
import pickle
import shutil
import signal
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from persistbench import sandbox
from persistbench.backends import Backend
from persistbench.case import Case
from persistbench.cells import attempt
from persistbench.outcomes import Outcome, Verdict
from persistbench.trials import _artifacts, base
from persistbench.trials.accident import _members, _saving
from persistbench.trials.base import in_child
from persistbench.trials.trial import Trial

FULL, KILLED, TWO = "full-disk", "killed", "two-savers"
AWKWARD = ("open-file", "lock", "lambda", "local-class", "connection", "generator")
SUBJECTS = (*AWKWARD, FULL, KILLED, TWO)

EARLIER, NEW, BROKEN, WRONG, NOTHING = "earlier", "new", "broken", "wrong", "nothing"
_WORST = (WRONG, BROKEN, NOTHING, NEW, EARLIER)

TRIES = 5
"""So often two processes save at the same time; the worst that they leave is what counts."""

TRIES_SECONDS = 15.0
"""After so long there are no more tries: slow backends have fewer."""

FEATURES, BLOCK, TIMES = 2000, 64, 20  # 20 blocks of 1 MB


@dataclass(frozen=True)
class Result(base.Result):
    """What a failed save left.

    Attributes:
        verdict: on the save.
        left: what lies at the path afterwards; None if nothing was tried.
        left_reason: why that is broken or wrong.
        litter: number of files beside the path.
        tries: of two savers, how often each was left.
    """

    left: str | None = None
    left_reason: str = ""
    litter: int | None = None
    tries: dict[str, int] = field(default_factory=dict)


class FailedSave(base.OneByOne):
    """Accidents of a save; the earlier artifact is made once for each backend."""

    name = "failed-save"
    version = 1
    limits = sandbox.Limits(seconds=120, memory=2 * 10**9)
    subjects = SUBJECTS
    result_type = Result

    def conditions(self, subject: str, backend: Backend) -> Sequence[str]:
        return _saving.WAYS

    def inputs(self, subject: str, condition: str | None) -> str:
        return _artifacts.code(_members.__file__)

    def prepare(self, trial: Trial, backend: Backend, folder: Path) -> Verdict:
        return sandbox.run(_save_earlier, backend, folder, limits=self.limits)

    def result(self, trial: Trial, backend: Backend, folder: Path) -> Result:
        if trial.subject in AWKWARD:
            backend = backend.trusting(_members.MEMBERS[trial.subject].trusted)
        elif sys.platform != "linux":
            return Result(Verdict(Outcome.UNSUPPORTED, "needs Linux's limits and fork()"))
        path = folder / "saved" / "model"
        path.parent.mkdir()
        shutil.copyfile(folder / "earlier", path)
        copies = [path.parent]
        if trial.subject == TWO:
            copies = [folder / f"copy-{turn}" for turn in range(TRIES)]
        work = (backend, trial.subject, trial.condition, path, copies)
        function = _save_together if trial.subject == TWO else _save
        limits = self.limits
        if trial.subject in (FULL, KILLED):
            limits = replace(limits, file_size=path.stat().st_size // 2)
        try:
            verdict = sandbox.run(function, *work, limits=limits)
            litter = sum(one != path for one in path.parent.iterdir())
            left = [self._left(backend, one / path.name, folder) for one in copies if one.exists()]
        finally:
            for one in {path.parent, *copies}:
                shutil.rmtree(one, ignore_errors=True)
        tries = dict(Counter(one.what for one in left)) if trial.subject == TWO else {}
        if not left:  # the process died before the first of two savers was ready
            return Result(verdict, litter=litter)
        worst = min(left, key=lambda one: _WORST.index(one.what))
        return Result(verdict, worst.what, worst.verdict.reason, litter, tries)

    def _left(self, backend: Backend, path: Path, folder: Path) -> "_Left":
        """Return what lies at a path."""
        if not path.exists():
            return _Left(Verdict(Outcome.SAME), NOTHING)
        return _Left.from_child(_judge, backend, path, folder, limits=self.limits)


@dataclass(frozen=True)
class _Left(base.Result):
    """What lies at a path; what kills the child that loads it is broken.

    Attributes:
        verdict: its reason says why it is broken or wrong.
        what: one of the words above.
    """

    what: str = BROKEN


def pipeline(number: int, last: Any = None) -> Any:
    """Return a pipeline of 20 MB, whose answers tell which one it is.

    Args:
        number: seed of its weights.
        last: its last step, instead of one that does nothing.
    """
    import numpy as np
    from sklearn.decomposition import TruncatedSVD
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import FunctionTransformer

    first = TruncatedSVD(n_components=BLOCK * TIMES)
    # One block again and again: slow compressors find it, and take seconds instead of minutes.
    block = np.random.default_rng(number).standard_normal((BLOCK, FEATURES))
    first.components_ = np.tile(block, (TIMES, 1))
    first.n_features_in_ = FEATURES
    return Pipeline([("weights", first), ("last", last or FunctionTransformer())])


def rows() -> Any:
    """Return rows for it, shape (3, 2000)."""
    import numpy as np

    return np.random.default_rng(0).standard_normal((3, FEATURES))


# What follows runs in children.


@in_child
def _save_earlier(backend: Backend, folder: Path) -> Verdict:
    """Make the earlier artifact, and keep what it and both new ones should answer."""
    from persistbench.integrity.answers import reference

    originals = [pipeline(number) for number in range(3)]
    answers = [reference(Case(one, rows())) for one in originals]
    _answers(folder).write_bytes(pickle.dumps(answers))
    return attempt.dump(backend, originals[0], rows(), str(folder / "earlier"))


@in_child
def _save(backend: Backend, subject: str, way: str, path: Path, copies: list[Path]) -> Verdict:
    """Save a new pipeline over the earlier one."""
    last = None
    if subject in AWKWARD:
        last = _members.holder(_members.MEMBERS[subject].make(Path.cwd()))
    if subject == KILLED:
        kill_at_limit()
    return _saved(backend, way, pipeline(1, last), path)


def _saved(backend: Backend, way: str, estimator: Any, path: Path) -> Verdict:
    return attempt.call(
        Outcome.ERROR_AT_DUMP,
        lambda: _saving.save(backend, way, backend.payload(estimator, rows()), str(path)),
    )


def kill_at_limit() -> None:
    """Make the write that passes this process's limit on the size of files its last."""
    # A handler in C: Python's own would wait for the write to end.
    ctypes.CDLL(None).signal(signal.SIGXFSZ, _KILL)


_KILL = ctypes.CFUNCTYPE(None, ctypes.c_int)(lambda _: os.kill(os.getpid(), signal.SIGKILL))


@in_child
def _save_together(
    backend: Backend, subject: str, way: str, path: Path, copies: list[Path]
) -> Verdict:
    """Let two processes save to the path at the same time, several times; copy what they leave."""
    fork: Any = multiprocessing.get_context("fork")  # from here: this process has not computed
    earlier = path.read_bytes()
    worst = Verdict(Outcome.SAME)
    deadline = time.monotonic() + TRIES_SECONDS
    for copy in copies:
        if time.monotonic() > deadline:
            break
        path.write_bytes(earlier)
        start, verdicts = fork.Barrier(2), fork.SimpleQueue()
        two = [
            fork.Process(target=_saver, args=(backend, way, path, number, start, verdicts))
            for number in (1, 2)
        ]
        for one in two:
            one.start()
        for one in two:
            one.join()
            if one.exitcode:
                worst = Verdict(Outcome.CRASH, f"a process ended with {one.exitcode}")
        while not verdicts.empty():
            verdict = verdicts.get()
            worst = worst if verdict.same else verdict
        copy.mkdir()
        if path.exists():
            shutil.copyfile(path, copy / path.name)
    return worst


def _saver(backend: Backend, way: str, path: Path, number: int, start: Any, verdicts: Any) -> None:
    """Save one of the two new pipelines when both are ready."""
    estimator = pipeline(number)
    backend.import_failure()
    start.wait(FailedSave.limits.seconds)
    verdicts.put(_saved(backend, way, estimator, path))


@in_child
def _judge(backend: Backend, path: Path, folder: Path) -> Iterator[_Left]:
    """Load what lies at the path, and compare it with all that may lie there."""
    loaded, verdict = attempt.load(backend, str(path))
    if not verdict.same:
        yield _Left(verdict, BROKEN)
        return
    verdicts = []
    for number, answer in enumerate(pickle.loads(_answers(folder).read_bytes())):
        verdict = attempt.use(backend, loaded, answer)
        if verdict.same:
            yield _Left(verdict, EARLIER if number == 0 else NEW)
            return
        verdicts.append(verdict)
    broken = verdict.outcome is Outcome.ERROR_AT_USE
    reason = next((one.reason for one in verdicts if one.reason), "")
    yield _Left(replace(verdict, reason=reason), BROKEN if broken else WRONG)


def _answers(folder: Path) -> Path:
    return folder / "answers"
