"""The shapes of small artifacts that ask for much memory: to add one is a function in SHAPES.

The backend's own dump crafts a shape where that is possible. Else what it has dumped is changed, as
its first bytes tell. So a backend that nobody knows gets the shapes that it can carry.
"""

import json
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from persistbench.backends import Backend
from persistbench.errors import UnsupportedError
from persistbench.sandbox.child import size
from persistbench.trials.attack import _formats, _onnx_bombs

UNFOLDED = 10**9
"""Bytes that a bomb unfolds to."""

CLAIMED = 3 * 10**9
"""Bytes that a header claims."""

SMALL = 10**8
"""Bytes: a larger artifact is no small one."""


@dataclass(frozen=True)
class Shape:
    """One kind of bomb.

    Attributes:
        craft: writes the artifact of a backend to a path. Raises UnsupportedError if it cannot
            carry this shape.
        inspect: inspects the file before it is loaded, in place of the backend's audit.
        outside: returns by which ways a file outside was read, if the shape is about that.
    """

    craft: Callable[[Backend, str], None]
    inspect: Callable[[str], Any] | None = None
    outside: Callable[[str, Any], dict[str, bool]] | None = None


class Call:
    """Pickled, it is a call of a constructor that any list of harmless names admits."""

    def __reduce__(self) -> tuple[type, tuple[int]]:
        return bytearray, (UNFOLDED,)


def dump(backend: Backend, estimator: Any, path: str) -> None:
    """Save an estimator that takes two columns, or what stands for one."""
    backend.dump(backend.payload(estimator, rows()), path)


def rows() -> Any:
    """Return a row to predict, shape (1, 2)."""
    return np.zeros((1, 2))


def honest() -> Any:
    """Return a small estimator that every backend can save."""
    from sklearn.linear_model import LinearRegression

    return LinearRegression().fit(np.eye(2), np.arange(2.0))


def zeros(backend: Backend, path: str) -> None:
    """Save training data of 1 GB of zeros."""
    _dump_neighbours(backend, PROBE, path)
    result = Path(path).stat().st_size
    if result > PROBE // 2:
        raise UnsupportedError(
            f"it saves {size(PROBE)} of zeros in {size(result)}: what unfolds to "
            f"{size(UNFOLDED)} is no small file"
        )
    _dump_neighbours(backend, UNFOLDED, path)


def nested_references(backend: Backend, path: str) -> None:
    """Save an intercept of lists that hold one list a hundred times each, four levels deep.

    In memory it is small; an array made of it, as by the first prediction, is not.
    """
    _needs_objects(backend)
    estimator = honest()
    estimator.intercept_ = [[[[0.0]]]]
    dump(backend, estimator, path)
    data = Path(path).read_bytes()
    if _formats.is_schema(data):  # it has such references, and its dump does not write them
        Path(path).write_bytes(_formats.rezipped(data, _laughing))
        return
    nested: Any = 0.0
    for width in LEVELS:
        nested = [nested] * width
    estimator.intercept_ = nested
    dump(backend, estimator, path)


def nested_containers(backend: Backend, path: str) -> None:
    """Save lists, each the only element of the next: a byte or two make a list in memory."""
    _needs_objects(backend)
    dump(backend, honest(), path)
    wrapped = _formats.of(data := Path(path).read_bytes())
    if _formats.is_pickle(wrapped.unwrap(data)):
        deep = 8 * 10**6
        Path(path).write_bytes(wrapped.wrap(b"\x80\x02" + b"]" * deep + b"a" * (deep - 1) + b"."))
        return
    estimator = honest()
    nested: Any = []
    for _ in range(100):  # deeper ones its dump would not survive
        nested = [nested]
    estimator.intercept_ = nested
    dump(backend, estimator, path)


def call(backend: Backend, path: str) -> None:
    """Save nothing but a call of ``bytearray(10**9)``."""
    _needs_objects(backend)
    backend.dump(backend.payload(Call(), rows()), path)


def claimed_array(backend: Backend, path: str) -> None:
    """Save an array, and let all headers say that it is larger than it is."""
    count = 123_457
    if backend.claims.returns == "predictor":
        _dump_neighbours(backend, 20 * count, path)
    else:
        estimator = honest()
        estimator.coef_ = np.zeros(count)
        dump(backend, estimator, path)
    data = Path(path).read_bytes()
    numbers = {8 * count: CLAIMED, count: CLAIMED // 8}
    if backend.claims.returns == "predictor":
        changed = _onnx_bombs.claiming(data, count, CLAIMED // 4)
    elif _formats.is_schema(data):
        changed = _formats.rezipped(data, lambda _, content: _formats.claiming(content, numbers))
    else:
        wrapped = _formats.of(data)
        if wrapped is _formats.CONTAINER:
            wrapped = _formats.PLAIN  # the claim stands in its table, too
        changed = wrapped.wrap(_formats.claiming(plain := wrapped.unwrap(data), numbers))
        if changed == wrapped.wrap(plain):
            raise UnsupportedError("where it says how large an array is, is not known")
    Path(path).write_bytes(changed)


def claimed_bytes(backend: Backend, path: str) -> None:
    """Save a pickle of bytes (BINBYTES8) that ends after its length."""
    _pickle(backend, path, b"\x80\x04\x8e" + struct.pack("<Q", CLAIMED) + b"x.")


def claimed_bytearray(backend: Backend, path: str) -> None:
    """Save a pickle of a bytearray (BYTEARRAY8) that ends after its length."""
    _pickle(backend, path, b"\x80\x05\x96" + struct.pack("<Q", CLAIMED) + b"x.")


def claimed_content(backend: Backend, path: str) -> None:
    """Let the compressor's header or trailer claim more than is inside."""
    dump(backend, honest(), path)
    wrapped = _formats.of(data := Path(path).read_bytes())
    if wrapped.claim is None:
        raise UnsupportedError("the file has no header that says how much is inside, or none known")
    Path(path).write_bytes(wrapped.claim(wrapped.unwrap(data), CLAIMED))


def _pickle(backend: Backend, path: str, pickled: bytes) -> None:
    """Write a pickle in the wrapper that a backend has around its own."""
    _needs_objects(backend)
    dump(backend, honest(), path)
    wrapped = _formats.of(data := Path(path).read_bytes())
    if not _formats.is_pickle(wrapped.unwrap(data)):
        raise UnsupportedError("its artifact is no pickle")
    Path(path).write_bytes(wrapped.wrap(pickled))


def _needs_objects(backend: Backend) -> None:
    if backend.claims.returns != "estimator":
        raise UnsupportedError("its artifact holds no Python objects")


def _dump_neighbours(backend: Backend, count: int, path: str) -> None:
    """Save nearest neighbours whose training data are so many bytes of zeros."""
    from sklearn.neighbors import KNeighborsRegressor

    X = np.zeros((count // 20, 2))
    estimator = KNeighborsRegressor(1, algorithm="brute")
    dump(backend, estimator.fit(X, np.zeros(len(X), dtype=np.float32)), path)


def _laughing(name: str, content: bytes) -> bytes:
    """Return the schema in which the only element of each list comes often, by reference."""
    if name != "schema.json":
        return content
    widths = iter(LEVELS)  # the innermost list comes first

    def repeat(node: Any) -> None:
        alone = isinstance(node, dict) and node.get("__loader__") == "ListNode"
        if alone and len(node["content"]) == 1:
            (part,) = node["content"]
            again = {key: value for key, value in part.items() if key != "content"}
            repeat(part)
            node["content"] += [{**again, "__loader__": "CachedNode"}] * (next(widths) - 1)
        elif isinstance(node, dict | list):
            for part in node.values() if isinstance(node, dict) else node:
                repeat(part)

    schema = json.loads(content)
    repeat(schema)
    return json.dumps(schema).encode()


def _graph(
    change: Callable[[bytes, str], bytes],
    outside: Callable[[str, Any], dict[str, bool]] | None = None,
) -> Shape:
    """Return the shape of a graph that a change of an honest one makes."""

    def craft(backend: Backend, path: str) -> None:
        dump(backend, honest(), path)
        changed = change(_onnx_bombs.dumped(backend, path), path)
        Path(path).write_bytes(changed)

    return Shape(craft, _onnx_bombs.check, outside)


def _reading_absolute(data: bytes, path: str) -> bytes:
    return _onnx_bombs.external(data, str(_onnx_bombs.plant(path)))


def _reading_parent(data: bytes, path: str) -> bytes:
    return _onnx_bombs.external(data, f"../{_onnx_bombs.plant(path).name}")


PROBE = 4 * 10**6
LEVELS = (100, 100, 100, 62)
"""An array of 0.5 GB, which the prediction holds twice."""

SHAPES = {
    "zeros": Shape(zeros),
    "nested references": Shape(nested_references),
    "nested containers": Shape(nested_containers),
    "call": Shape(call),
    "claimed length": Shape(claimed_array),
    "claimed bytes": Shape(claimed_bytes),
    "claimed bytearray": Shape(claimed_bytearray),
    "claimed content size": Shape(claimed_content),
    "allocating graph": _graph(lambda data, _: _onnx_bombs.allocating(data, at_use=False)),
    "allocating graph at use": _graph(lambda data, _: _onnx_bombs.allocating(data, at_use=True)),
    "external absolute": _graph(_reading_absolute, _onnx_bombs.ways_outside),
    "external parent": _graph(_reading_parent, _onnx_bombs.ways_outside),
}
