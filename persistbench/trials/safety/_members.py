"""Pipelines that hold what cannot be saved, or can be saved and is dead when it is loaded."""

import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ANSWER = 42
TEXT = "what the file holds\n"


@dataclass(frozen=True)
class Member:
    """Something that a user puts into an estimator and forgets.

    Attributes:
        make: returns one; files go to the folder that it is given.
        alive: returns whether one does what it is for; may raise instead.
    """

    make: Callable[[Path], Any]
    alive: Callable[[Any], bool]


def keep(X: Any, member: Any = None) -> Any:
    """Return the rows as they are; the member is only held."""
    return X


TRUSTED = (f"{__name__}.{keep.__name__}",)
"""What backends that open only what is on a list are told to trust."""


def holder(member: Any) -> Any:
    """Return a transformer that holds a member, in scikit-learn's own class."""
    from sklearn.preprocessing import FunctionTransformer

    return FunctionTransformer(keep, kw_args={"member": member})


def held(transformer: Any) -> Any:
    """Return the member of :func:`holder`."""
    return transformer.kw_args["member"]


def _file(mode: str) -> Callable[[Path], Any]:
    def opened(folder: Path) -> Any:
        path = folder / "data.txt"
        path.write_text(TEXT)
        return path.open(mode)

    return opened


def _connection(folder: Path) -> Any:
    connection = sqlite3.connect(folder / "data.db")
    with connection:
        connection.execute("create table answers as select ? as answer", [ANSWER])
    return connection


def _local_class(folder: Path) -> Any:
    class Local:
        def answer(self) -> int:
            return ANSWER

    return Local()


def _acquired(lock: Any) -> bool:
    if not lock.acquire(timeout=1):
        return False
    lock.release()
    return True


MEMBERS = {
    "open-file": Member(_file("r"), lambda file: file.read() == TEXT),
    "binary-file": Member(_file("rb"), lambda file: file.read() == TEXT.encode()),
    "lock": Member(lambda folder: threading.Lock(), _acquired),
    "lambda": Member(lambda folder: lambda x: x + 1, lambda function: function(1) == 2),
    "local-class": Member(_local_class, lambda one: one.answer() == ANSWER),
    "connection": Member(
        _connection,
        lambda one: one.execute("select answer from answers").fetchone() == (ANSWER,),
    ),
    "generator": Member(
        lambda folder: (number for number in [ANSWER]), lambda one: next(one) == ANSWER
    ),
    "thread-pool": Member(
        lambda folder: ThreadPoolExecutor(1),
        lambda pool: pool.submit(abs, -ANSWER).result(1) == ANSWER,
    ),
}
"""By the name that is their subject in records."""
