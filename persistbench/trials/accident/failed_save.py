"""The save that fails: what lies at the path afterwards, where a good artifact was before?

A pipeline of 20 MB is saved to a path where an earlier one lies. Something goes wrong: its last
member cannot be saved, the disk is full, the process is killed, or another process saves to the
same path at that moment. Each is tried with the backend's own dump straight to the path (``own``),
and with a draft that is renamed (``renamed``, see :func:`._places.renamed`).

For the full disk stands a limit on the size of files, at half of the artifact: write() then fails
as it does when somebody else has taken the room, with EFBIG in place of ENOSPC. On a small file
system of its own the outcome would be luck: to open the path for writing frees the room of the
earlier artifact, which is just what the new one needs.

``kill -9`` comes at the same byte: Linux sends SIGXFSZ to a process that writes beyond the limit,
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
from pathlib import Path
from typing import Any, Literal

from persistbench import backends, sandbox
from persistbench.backends import Backend
from persistbench.case import Case
from persistbench.cells import attempt
from persistbench.outcomes import Outcome, Verdict
from persistbench.sandbox import child
from persistbench.trials import campaign
from persistbench.trials.accident import _members, _methods
from persistbench.trials.campaign import Record, Task, Trial
from persistbench.trials.kinds import Selection

KIND = "failed-save"
GROUP: Literal["attack", "accident"] = "accident"
VERSION = 1

FULL, KILLED, TWO = "full-disk", "killed", "two-savers"
AWKWARD = ("open-file", "lock", "lambda", "local-class", "connection", "generator")
SUBJECTS = (*AWKWARD, FULL, KILLED, TWO)

EARLIER, NEW, BROKEN, WRONG, NOTHING = "earlier", "new", "broken", "wrong", "nothing"
_WORST = (WRONG, BROKEN, NOTHING, NEW, EARLIER)

LIMITS = sandbox.Limits(seconds=120, memory=2 * 10**9)
TRIES = 5
"""So often two processes save at the same time; the worst that they leave is what counts."""

TRIES_SECONDS = 15.0
"""After so long there are no more tries: slow backends have fewer."""

FEATURES, BLOCK, TIMES = 2000, 64, 20  # 20 blocks of 1 MB


def tasks(selection: Selection) -> list[Task]:
    """Return a task for each backend: its earlier artifact is made once."""
    return [
        Task(
            tuple(
                campaign.trial(KIND, VERSION, subject, backend.id, condition)
                for subject in SUBJECTS
                for condition in _methods.CONDITIONS
            ),
            make,
        )
        for backend in selection.backends
    ]


def make(trials: Sequence[Trial]) -> list[Record]:
    """Return the records of one backend's trials."""
    sandbox.preload("persistbench.sandbox.warm_libraries")
    backend = backends.for_trials()[trials[0].backend]
    with sandbox.folder() as folder:
        if backend.missing:
            verdict = Verdict(Outcome.NOT_INSTALLED, backend.unavailable)
        else:
            verdict = sandbox.run(_save_earlier, backend, folder, limits=LIMITS)
        if not verdict.same:
            return [trial.record(verdict, left=None, litter=None) for trial in trials]
        return [_tried(trial, backend, folder) for trial in trials]


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


def _tried(trial: Trial, backend: Backend, folder: Path) -> Record:
    """Let one save go wrong; return the record."""
    if trial.subject not in AWKWARD and sys.platform != "linux":
        verdict = Verdict(Outcome.UNSUPPORTED, "needs Linux's limits and fork()")
        return trial.record(verdict, left=None, litter=None)
    condition = folder / "place"
    path = condition / "model"
    condition.mkdir()
    shutil.copyfile(folder / "earlier", path)
    if trial.subject in AWKWARD:
        backend = backend.trusting(_members.MEMBERS[trial.subject].trusted)
    limits, function, copies = LIMITS, _save, [condition]
    if trial.subject in (FULL, KILLED):
        half = path.stat().st_size // 2
        limits = sandbox.Limits(LIMITS.seconds, LIMITS.memory, file_size=half)
    if trial.subject == TWO:
        function, copies = _save_together, [folder / f"copy-{turn}" for turn in range(TRIES)]
    try:
        verdict = sandbox.run(
            function, backend, trial.subject, trial.condition, path, copies, limits=limits
        )
        litter = sum(one != path for one in condition.iterdir())
        result = [
            _left(backend, one / path.name, folder / "answers") for one in copies if one.exists()
        ]
    finally:
        for one in {condition, *copies}:
            shutil.rmtree(one, ignore_errors=True)
    left, reason = min(result, key=lambda one: _WORST.index(one[0]), default=(None, ""))
    tries = {"tries": dict(Counter(one for one, _ in result))} if trial.subject == TWO else {}
    return trial.record(verdict, left=left, left_reason=reason, litter=litter, **tries)


def _left(backend: Backend, path: Path, answers: Path) -> tuple[str, str]:
    """Return what lies at a path, and why it is broken or wrong."""
    if not path.exists():
        return NOTHING, ""
    try:
        ((left, reason),) = sandbox.answers(_judge, backend, path, answers, limits=LIMITS)
    except sandbox.DeadError as death:
        return BROKEN, death.verdict.reason
    return left, reason


# What follows runs in children.


def _save_earlier(backend: Backend, folder: Path) -> Verdict:
    """Make the earlier artifact, and keep what it and both new ones should answer."""
    from persistbench.integrity.answers import reference

    child.required()
    child.hush()
    originals = [pipeline(number) for number in range(3)]
    answers = [reference(Case(one, rows())) for one in originals]
    (folder / "answers").write_bytes(pickle.dumps(answers))
    return attempt.dump(backend, originals[0], rows(), str(folder / "earlier"))


def _save(
    backend: Backend, subject: str, condition: str, path: Path, copies: list[Path]
) -> Verdict:
    """Save a new pipeline over the earlier one."""
    child.required()
    child.hush()
    last = None
    if subject in AWKWARD:
        last = _members.holder(_members.MEMBERS[subject].make(Path.cwd()))
    if subject == KILLED:
        kill_at_limit()
    return _saved(backend, condition, pipeline(1, last), path)


def _saved(backend: Backend, condition: str, estimator: Any, path: Path) -> Verdict:
    return attempt.call(
        Outcome.ERROR_AT_DUMP,
        lambda: _methods.save(backend, condition, backend.payload(estimator, rows()), str(path)),
    )


def kill_at_limit() -> None:
    """Make the write that passes this process's limit on the size of files its last."""
    # A handler in C: Python's own would wait for the write to end.
    ctypes.CDLL(None).signal(signal.SIGXFSZ, _KILL)


_KILL = ctypes.CFUNCTYPE(None, ctypes.c_int)(lambda _: os.kill(os.getpid(), signal.SIGKILL))


def _save_together(
    backend: Backend, subject: str, condition: str, path: Path, copies: list[Path]
) -> Verdict:
    """Let two processes save to the path at the same time, several times; copy what they leave."""
    child.required()
    child.hush()
    fork: Any = multiprocessing.get_context("fork")  # from here: this process has not computed
    earlier = path.read_bytes()
    worst = Verdict(Outcome.SAME)
    deadline = time.monotonic() + TRIES_SECONDS
    for copy in copies:
        if time.monotonic() > deadline:
            break
        path.write_bytes(earlier)
        start, told = fork.Barrier(2), fork.SimpleQueue()
        two = [
            fork.Process(target=_saver, args=(backend, condition, path, number, start, told))
            for number in (1, 2)
        ]
        for one in two:
            one.start()
        for one in two:
            one.join()
            if one.exitcode:
                worst = Verdict(Outcome.CRASH, f"a process ended with {one.exitcode}")
        while not told.empty():
            verdict = told.get()
            worst = worst if verdict.same else verdict
        copy.mkdir()
        if path.exists():
            shutil.copyfile(path, copy / path.name)
    return worst


def _saver(
    backend: Backend, condition: str, path: Path, number: int, start: Any, told: Any
) -> None:
    """Save one of the two new pipelines when both are ready."""
    estimator = pipeline(number)
    backend.import_failure()
    start.wait(LIMITS.seconds)
    told.put(_saved(backend, condition, estimator, path))


def _judge(backend: Backend, path: Path, answers: Path) -> Iterator[tuple[str, str]]:
    """Load what lies at the path, and compare it with all that may lie there."""
    child.required()
    child.hush()
    loaded, verdict = attempt.load(backend, str(path))
    if not verdict.same:
        yield BROKEN, verdict.reason
        return
    reason = ""
    for number, answer in enumerate(pickle.loads(answers.read_bytes())):
        verdict = attempt.use(backend, loaded, answer)
        if verdict.same:
            yield EARLIER if number == 0 else NEW, ""
            return
        reason = reason or verdict.reason
    broken = verdict.outcome is Outcome.ERROR_AT_USE
    yield BROKEN if broken else WRONG, reason
