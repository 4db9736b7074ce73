"""Dump, load, use: what happened is called by its word."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from persistbench.backends import Backend
from persistbench.errors import UnsupportedError
from persistbench.integrity.answers import Reference, compare
from persistbench.outcomes import Blame, Outcome, Verdict
from persistbench.sandbox import child


def dump(backend: Backend, estimator: Any, rows: Any, path: str) -> Verdict:
    """Return the verdict on a dump of an estimator; ``same`` if it has reported success.

    Args:
        backend: which has to be there.
        estimator: fitted.
        rows: like those that it will be asked about.
        path: of the artifact.
    """
    if failure := backend.import_failure():
        return Verdict(Outcome.NOT_INSTALLED, failure)
    try:
        payload = backend.payload(estimator, rows)
    except UnsupportedError as error:  # what is ours to prepare: the library was not asked
        return Verdict(Outcome.UNSUPPORTED, str(error), fault=Blame.CHECK)
    except Exception as error:
        return child.of_exception(Outcome.ERROR_AT_DUMP, error)
    return call(Outcome.ERROR_AT_DUMP, lambda: backend.dump(payload, path))


def call(stage: Outcome, function: Callable[[], object]) -> Verdict:
    """Return ``same`` if a call returns; else what was raised, at the stage that is named."""
    try:
        function()
    except UnsupportedError as error:
        return Verdict(Outcome.UNSUPPORTED, str(error))
    except Exception as error:
        return child.of_exception(stage, error)
    return Verdict(Outcome.SAME)


def load(backend: Backend, path: str, mmap_mode: str | None = None) -> tuple[Any, Verdict]:
    """Return what is loaded, or None, and the verdict; ``same`` if nothing was raised.

    It is ``by_design`` if the backend says that the file asks for what nobody has admitted.
    """
    try:
        return backend.load(path, mmap_mode), Verdict(Outcome.SAME)
    except UnsupportedError as error:
        return None, Verdict(Outcome.UNSUPPORTED, str(error))
    except Exception as error:
        verdict = child.of_exception(Outcome.ERROR_AT_LOAD, error)
        return None, replace(verdict, by_design=backend.refuses(error))


def use(backend: Backend, loaded: Any, reference: Reference, held: Any = None) -> Verdict:
    """Return the verdict on the answers of what was loaded, and on what it holds.

    Args:
        backend: that has loaded it.
        loaded: by :func:`load`.
        reference: what the original answers.
        held: the original's :func:`~persistbench.integrity.state.state`; None to compare
            answers only.
    """
    if held is not None:
        reference = replace(reference, state=held)
    try:
        return compare(reference, loaded, backend.claims, with_state=held is not None)
    except UnsupportedError as error:
        return Verdict(Outcome.UNSUPPORTED, str(error), fault=Blame.CHECK)
    except Exception as error:
        return child.of_exception(Outcome.ERROR_AT_USE, error)
