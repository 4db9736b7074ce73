"""Asks an estimator, always in the same way: one thread, and the same seeds."""

import copy
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from persistbench.errors import UserError

METHODS = ("predict", "predict_proba", "decision_function", "transform")
"""The methods whose answers are compared, in the order in which a user calls them."""


@dataclass(frozen=True)
class Asked:
    """An answer of an estimator.

    Attributes:
        answer: what the method returned.
        drawn: whether it drew from the global generators.
        error: what it raised instead of an answer; None if it has answered.
    """

    answer: Any
    drawn: bool
    error: Exception | None = None


def ask(estimator: Any, X: Any) -> dict[str, Asked]:
    """Return the answer of each method that the estimator has, or what the method raises."""
    result = {}
    for name in METHODS:
        with one_thread(), _seeded() as drawn:
            try:
                if hasattr(estimator, name):
                    result[name] = Asked(getattr(estimator, name)(_own(X)), drawn())
            except Exception as error:
                result[name] = Asked(None, False, error)
    return result


def _own(X: Any) -> Any:
    """Return a copy of the rows, into which an estimator may write; if there is none, the rows."""
    try:
        return copy.deepcopy(X)
    except Exception:
        return X


@contextmanager
def _seeded() -> Iterator[Callable[[], bool]]:
    """Give the global generators of NumPy and Python the seed 0, and restore them afterwards.

    The block is given a function that tells whether something was drawn from them.
    """
    before = random.getstate(), np.random.get_state()
    random.seed(0)
    np.random.seed(0)
    start = _place()
    try:
        yield lambda: _place() != start
    finally:
        random.setstate(before[0])
        np.random.set_state(before[1])


def _place() -> Any:
    """Return where the global generators are."""
    return random.getstate(), repr(np.random.get_state(legacy=True))


def one_thread() -> Any:
    """Return a context in which OpenMP and BLAS use one thread.

    Answers can depend on the number of threads: sums are rounded in another order, and another
    one of equally near neighbours is chosen. The two processes that ask may have other cores.
    """
    return threadpool_limits(limits=1)


def check_rows(X: Any) -> None:
    """Refuse rows that cannot be asked twice.

    Raises:
        UserError: there are no rows, or they can be read only once.
    """
    if X is None:
        raise UserError("X, the held-out rows, is None: give a list or an array of rows.")
    if hasattr(X, "__next__"):
        raise UserError(
            f"X, the held-out rows, is a {type(X).__name__}, which can be read only once: "
            "give a list or an array."
        )
    shape = getattr(X, "shape", None)
    count = shape[0] if shape else len(X) if hasattr(X, "__len__") else None
    if count == 0:
        raise UserError("X, the held-out rows, has no rows: give a list or an array with some.")
