"""Members of estimators that cannot be saved, or that are dead when they are loaded."""

import sqlite3
import sys
import threading
import types
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
        names: what somebody who has reviewed it would trust, for backends that have a list.
    """

    make: Callable[[Path], Any]
    alive: Callable[[Any], bool]
    names: tuple[str, ...] = ()

    @property
    def trusted(self) -> tuple[str, ...]:
        """Names that are to be trusted when its :func:`holder` is loaded."""
        return (KEEP, *self.names)


def keep(X: Any, member: Any = None) -> Any:
    """Return the rows as they are; the member is only held."""
    return X


KEEP = f"{__name__}.{keep.__name__}"


def holder(member: Any) -> Any:
    """Return a transformer that holds a member, in scikit-learn's own class."""
    from sklearn.preprocessing import FunctionTransformer

    return FunctionTransformer(keep, kw_args={"member": member})


def held(transformer: Any) -> Any:
    """Return the member of :func:`holder`."""
    return transformer.kw_args["member"]


def rows() -> Any:
    """Return rows for it, shape (4, 2)."""
    import numpy as np

    return np.arange(8.0).reshape(4, 2)


def script(source: str = "", **names: Any) -> Any:
    """Give this process the user's script as ``__main__``, and return that module.

    Args:
        source: of the script.
        names: what it knows beside.
    """
    module = types.ModuleType("__main__")
    sys.modules["__main__"] = module
    vars(module).update(names)
    exec(source, vars(module))  # noqa: S102 (ours; functions of __main__ are saved in their own way)
    return module


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
    "lock": Member(lambda folder: threading.Lock(), _acquired, ("_thread.lock",)),
    "lambda": Member(
        lambda folder: lambda x: x + 1,
        lambda function: function(1) == 2,
        (f"{__name__}.<lambda>",),
    ),
    "local-class": Member(_local_class, lambda one: one.answer() == ANSWER, (f"{__name__}.Local",)),
    "script-function": Member(
        lambda folder: script("def plus(x):\n    return x + STEP", STEP=1).plus,
        lambda function: function(1) == 2,
        ("__main__.plus",),
    ),
    "connection": Member(
        _connection,
        lambda one: one.execute("select answer from answers").fetchone() == (ANSWER,),
        ("sqlite3.Connection",),
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
