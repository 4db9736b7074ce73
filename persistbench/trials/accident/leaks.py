"""What nobody meant to save: is a secret from around the estimator in the artifact?

A recognisable secret is planted where users leave secrets: in an open file, in a cache, among the
rows that an estimator keeps, in a global variable of the script. After the save it is
searched in the artifact's bytes, then in what these unfold to. Then it is searched in the object
that another process has loaded. Numbers are searched as the bytes of float64 and float32.
"""

import pickle
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from persistbench.backends import Backend
from persistbench.cells import attempt
from persistbench.outcomes import Outcome, Verdict
from persistbench.trials import _artifacts, base
from persistbench.trials.accident import _members, _secrets
from persistbench.trials.accident._unwrap import unwrap
from persistbench.trials.base import in_child
from persistbench.trials.trial import Trial

ARTIFACT, LOADED, NO = "artifact", "loaded", "no"


@dataclass(frozen=True)
class Result(base.Result):
    """Where the secret is.

    Attributes:
        found: in the bytes of the ``artifact``, in the ``loaded`` object, or ``no`` place; None
            where nothing was saved.
    """

    found: str | None = None


class Leaks(base.OneByOne):
    """Secrets, by where they are planted."""

    name = "leaks"
    version = 1
    subjects = _secrets.PLANTS
    result_type = Result

    def inputs(self, subject: str, condition: str | None) -> str:
        return _artifacts.code(_members.__file__, _secrets.__file__)

    def result(self, trial: Trial, backend: Backend, folder: Path) -> Result:
        backend = backend.trusting((_members.KEEP, "__main__.change"))
        path = folder / trial.subject
        saved = Result.from_child(_save, backend, trial.subject, path)
        return Result.from_child(_search, backend, path) if saved.verdict.same else saved


@in_child
def _save(backend: Backend, subject: str, path: Path) -> Iterator[Result]:
    try:
        case = _secrets.PLANTS[subject]()
    except ModuleNotFoundError as error:
        yield Result(Verdict(Outcome.NOT_INSTALLED, f"{error.name} is not installed"))
        return
    yield Result(attempt.dump(backend, case.estimator, case.X, str(path)))


@in_child
def _search(backend: Backend, path: Path) -> Iterator[Result]:
    """Yield where the secret is as soon as it is known: loading may kill this process."""
    _members.script()  # not the one that has saved
    where = ARTIFACT if any(map(holds_secret, unwrap(path.read_bytes()))) else NO
    yield Result(Verdict(Outcome.SAME), where)
    loaded, verdict = attempt.load(backend, str(path))
    if where == NO and verdict.same and holds_secret(_bytes_of(loaded)):
        where = LOADED
    yield Result(verdict, where)


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
