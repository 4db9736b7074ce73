"""Where the bytes of a pipeline go: each step is saved and loaded by itself."""

import os
import pickle
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from persistbench.backends import Backend
from persistbench.errors import UserError
from persistbench.outcomes import explain
from persistbench.records.steps import Step

LOADS = 5
"""The number of loads of each step; their median counts."""


def of_artifact(
    path: Path, backend: Backend, names: tuple[str, ...], trusted: bool
) -> tuple[int, list[Step]]:
    """Return the size of an artifact in bytes, and the costs of its steps.

    Args:
        path: of the artifact.
        backend: the backend that saved the artifact.
        names: names that a backend may load beside its own list.
        trusted: whether the user lets the file run code.

    Raises:
        UserError: the user does not trust the file, it cannot be loaded, or it holds no
            estimator.
    """
    if backend.missing:
        raise UserError(backend.unavailable + ".")
    if backend.claims.returns != "estimator":
        raise UserError(f"{backend.id} gives back a {backend.claims.returns}, which has no steps.")
    if backend.claims.executes_code and not trusted:
        raise UserError(
            f"Loading {path} with {backend.id} may run any code that its maker has put into it: "
            "say --trusted if you know where it comes from."
        )
    try:
        size = path.stat().st_size
        estimator = backend.trusting(names).load(str(path))
    except Exception as error:
        raise UserError(f"{path} cannot be loaded with {backend.id}: {explain(error)}.") from error
    return size, costs(estimator, backend.trusting(names))


def costs(estimator: Any, backend: Backend, rows: Any = None) -> list[Step]:
    """Return the costs of each step, in the order of the pipeline.

    An estimator that is no pipeline is one step. A part of several steps, such as a common
    vocabulary, counts in each of them.

    Args:
        estimator: a fitted estimator.
        backend: saves and loads each step by itself.
        rows: held-out rows, for backends that must know the types of the columns.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder, "step"))
        return [_cost(name, part, backend, rows, path) for name, part in _steps(estimator)]


def _steps(estimator: Any) -> list[tuple[str, Any]]:
    steps = getattr(estimator, "steps", None)
    if not isinstance(steps, list):
        return [(type(estimator).__name__.lower(), estimator)]
    result = []
    for name, part in steps:
        inner = _steps(part) if hasattr(part, "steps") else [("", part)]
        result += [(f"{name}.{below}".rstrip("."), one) for below, one in inner]
    return result


def _cost(name: str, part: Any, backend: Backend, rows: Any, path: str) -> Step:
    size, seconds = None, None
    try:
        backend.dump(backend.payload(part, rows), path)
        size = os.stat(path).st_size  # noqa: PTH116 (a path as text, as backends take it)
        seconds = statistics.median(_load_seconds(backend, path) for _ in range(LOADS))
    except Exception:  # noqa: S110 (it cannot be saved apart: there is no size)
        pass
    largest, largest_bytes = max(
        ((key, _pickled_bytes(value)) for key, value in vars(part).items()),
        key=lambda item: item[1],
        default=("", 0),
    )
    return Step(name, type(part).__name__, size, seconds, largest, largest_bytes)


def _load_seconds(backend: Backend, path: str) -> float:
    start = time.perf_counter()
    backend.load(path)
    return time.perf_counter() - start


def _pickled_bytes(value: Any) -> int:
    try:
        return len(pickle.dumps(value, protocol=5))
    except Exception:
        return 0
