"""What nobody meant to save: is a secret from around the estimator in the artifact?

A recognisable secret is planted where users leave such: in a file that is open, in a cache, among
the rows that an estimator keeps, in a global variable of the script. After the save it is
searched in the artifact's bytes, then in what these unfold to, then in the object that another
process has loaded; numbers as the bytes of float64 and float32.
"""

import pickle
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

from persistbench import backends, sandbox
from persistbench.backends import Backend
from persistbench.cells import attempt
from persistbench.outcomes import Outcome, Verdict
from persistbench.sandbox import child
from persistbench.trials import campaign
from persistbench.trials.accident import _members, _secrets
from persistbench.trials.accident._unwrap import unwrap
from persistbench.trials.campaign import Record, Task, Trial
from persistbench.trials.kinds import Selection

KIND = "leaks"
GROUP: Literal["attack", "accident"] = "accident"
VERSION = 1

ARTIFACT, LOADED, NO = "artifact", "loaded", "no"

LIMITS = sandbox.Limits(seconds=60, memory=2 * 10**9, file_size=10**9)


def tasks(selection: Selection) -> list[Task]:
    """Return a task for each backend."""
    return [
        Task(
            tuple(campaign.trial(KIND, VERSION, subject, one.id) for subject in _secrets.PLANTS),
            make,
        )
        for one in selection.backends
    ]


def make(trials: Sequence[Trial]) -> list[Record]:
    """Return the records of one backend's trials."""
    sandbox.preload("persistbench.sandbox.warm_libraries")
    backend = backends.for_trials()[trials[0].backend].trusting((_members.KEEP, "__main__.change"))
    if backend.missing:
        verdict = Verdict(Outcome.NOT_INSTALLED, backend.unavailable)
        return [trial.record(verdict, found=None) for trial in trials]
    return [_tried(trial, backend) for trial in trials]


def _tried(trial: Trial, backend: Backend) -> Record:
    result = None
    with sandbox.folder() as folder:
        path = folder / "model"
        ((verdict, _),) = _told(_save, backend, trial.subject, path)
        if verdict.same:
            *before, (verdict, last) = _told(_search, backend, path)
            result = next((where for _, where in before if where), last or NO)
    return trial.record(verdict, found=result)


def _told(function: Callable[..., Any], *arguments: Any) -> Iterator[tuple[Verdict, str]]:
    """Yield what a child finds, and last how it died, if it did."""
    try:
        yield from sandbox.answers(function, *arguments, limits=LIMITS)
    except sandbox.DeadError as death:
        yield death.verdict, ""


def _save(backend: Backend, subject: str, path: Path) -> Iterator[tuple[Verdict, str]]:
    child.required()
    child.hush()
    try:
        case = _secrets.PLANTS[subject]()
    except ModuleNotFoundError as error:
        yield Verdict(Outcome.NOT_INSTALLED, f"{error.name} is not installed"), ""
        return
    yield attempt.dump(backend, case.estimator, case.X, str(path)), ""


def _search(backend: Backend, path: Path) -> Iterator[tuple[Verdict, str]]:
    """Yield where the secret is as soon as it is known: loading may kill this process."""
    child.required()
    child.hush()
    _members.script()  # not the one that has saved
    there = any(map(holds_secret, unwrap(path.read_bytes())))
    yield Verdict(Outcome.SAME), ARTIFACT if there else ""
    loaded, verdict = attempt.load(backend, str(path))
    there = not there and verdict.same and holds_secret(_bytes_of(loaded))
    yield verdict, LOADED if there else ""


def holds_secret(data: bytes) -> bool:
    """Return whether the secret is in these bytes, as text or as numbers."""
    return any(all(part in data for part in parts) for parts in _secrets.needles())


def _bytes_of(loaded: Any) -> bytes:
    """Return what an object holds, as far as something can save it."""
    try:
        import cloudpickle

        return bytes(cloudpickle.dumps(loaded))
    except Exception:
        return b"".join(_bytes_of_each(getattr(loaded, "__dict__", {})))


def _bytes_of_each(attributes: dict[str, Any]) -> Iterator[bytes]:
    for value in attributes.values():
        try:
            yield pickle.dumps(value, protocol=5)
        except Exception:  # a file, a connection: what can be seen of it
            yield repr(value).encode()
