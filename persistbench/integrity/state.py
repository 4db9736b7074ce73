"""The state of an estimator, as a graph that another process can compare.

Each value becomes a node with a digest. Edges lead to its parts and have names, such as ``.coef_``.
Objects are taken apart as pickle does it (``__reduce_ex__``), so that trees written in C show their
arrays, too. Identity, sharing, the order of attributes and the layout in memory are no state.
"""

import functools
import types
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np

from persistbench.files import digest
from persistbench.outcomes import explain

LIMIT = 2_000_000
"""So many values of an estimator are compared: a walk through objects without end ends here."""

_PLAIN = ("builtins", "collections", "sklearn.utils._bunch")
"""Modules of mappings whose state is their items: a Bunch has attributes for warnings, too."""

_NAMED = 3
"""The number of differing attributes that a text names; the others are counted."""


@dataclass(frozen=True, eq=False)
class State:
    """What an object holds. Node 0 is the object itself.

    Two states are equal if :func:`differences` finds nothing.

    Attributes:
        digests: of each node: the value, or the class if the value has parts.
        parts: of each node: the name and the node of each part; None if the walk ended before.
        uncompared: what is not in the graph, a text for each; empty if the graph is whole.
    """

    digests: tuple[str, ...]
    parts: tuple[tuple[tuple[str, int], ...] | None, ...]
    uncompared: tuple[str, ...] = ()

    def __eq__(self, other: object) -> bool:
        """Return whether two objects hold the same."""
        return isinstance(other, State) and not differences(self, other)

    __hash__ = None  # type: ignore[assignment]


def state(estimator: Any, limit: int = LIMIT) -> State:
    """Return what an object holds; each object in it is visited once.

    Args:
        estimator: any object.
        limit: so many values are visited; the result says so if there are more.
    """
    digests: list[str] = []
    parts: list[tuple[tuple[str, int], ...] | None] = []
    uncompared: list[str] = []
    known: dict[int, int] = {}  # the node of an object, by its id
    leaves: dict[str, int] = {}  # the node of a value without parts, by its digest
    visited: list[Any] = []  # alive during the walk: an id stays that of one object
    waiting: list[tuple[int, Any]] = []

    def add(value: Any) -> int:
        node = known.get(id(value))
        if node is not None:
            return node
        try:
            simple = _digest(value)
        except Exception as error:
            simple = _unreadable(value, error, uncompared)
        if simple is not None and simple in leaves:
            node = leaves[simple]
        else:
            node = len(digests)
            digests.append(_kind(value) if simple is None else simple)
            parts.append(None if simple is None else ())
            if simple is None:
                waiting.append((node, value))
            else:
                leaves[simple] = node
        known[id(value)] = node
        visited.append(value)
        return node

    add(estimator)
    count = 1
    while waiting:
        node, value = waiting.pop()
        try:
            own = list(islice(_parts(value, limit), limit - count + 1))
        except Exception as error:
            digests[node], parts[node] = _unreadable(value, error, uncompared), ()
            continue
        count += len(own)
        if count > limit:
            uncompared.append(f"it holds more than {limit:,} values, and the others are not known")
            break
        parts[node] = tuple((name, add(part)) for name, part in own)
    return State(tuple(digests), tuple(parts), tuple(dict.fromkeys(uncompared)))


def differences(before: State, after: State) -> str:
    """Return a text on the values that differ, are new or are gone; empty if there are none.

    Where one of the graphs ends at its limit, nothing differs.

    Args:
        before: the :func:`state` of the original.
        after: the :func:`state` of the loaded estimator.
    """
    named, count = [], 0
    for path, what in _differing(before, after):
        count += 1
        if count <= _NAMED:
            named.append(f"{_text(path) or 'the estimator'} {what}")
    return ", ".join(named) + (f" and {count - _NAMED} more" if count > _NAMED else "")


_Path = tuple[Any, str] | None
"""The path of the object around a value, and the name of the value in it."""


def _differing(before: State, after: State) -> Iterator[tuple[_Path, str]]:
    """Yield path and kind of each difference.

    Two nodes that were compared are one from then on, as in the algorithm of Hopcroft and Karp for
    automata: so cycles end, and there are no more comparisons than nodes.
    """
    leader = list(range(len(before.digests) + len(after.digests)))

    def lead(node: int) -> int:
        while leader[node] != node:
            leader[node] = node = leader[leader[node]]
        return node

    waiting: list[tuple[int, int, _Path]] = [(0, 0, None)]
    while waiting:
        one, other, path = waiting.pop()
        if before.digests[one] != after.digests[other]:
            yield path, "differs"
            continue
        first, second = lead(one), lead(len(before.digests) + other)
        here, there = before.parts[one], after.parts[other]
        if first == second or here is None or there is None:
            continue
        leader[second] = first
        own, others = dict(here), dict(there)
        for name in sorted(own.keys() - others.keys()):
            yield (path, name), "is gone"
        for name in sorted(others.keys() - own.keys()):
            yield (path, name), "is new"
        for name in reversed(own):
            if name in others:
                waiting.append((own[name], others[name], (path, name)))


def _text(path: _Path) -> str:
    """Return a path as a text, without its middle if it is long."""
    names = []
    while path is not None:
        path, name = path
        names.append(name)
    text = "".join(reversed(names))
    return text if len(text) <= _LONG else f"{text[: _LONG // 2]}...{text[-_LONG // 2 :]}"


_LONG = 200


def _unreadable(value: Any, error: Exception, uncompared: list[str]) -> str:
    """Note that a value cannot be taken apart; return its digest."""
    uncompared.append(f"{_kind(value)} cannot be taken apart ({explain(error)})")
    return f"{_kind(value)}: {type(error).__name__}"


def _digest(value: Any) -> str | None:
    """Return the digest of a value without parts; None if the value has parts."""
    if isinstance(value, int):
        return digest(_kind(value), hex(value))  # Python has no decimal digits for very long ones
    if value is None or isinstance(value, (float, complex, str, bytes, range, slice)):
        return digest(_kind(value), repr(value))
    if isinstance(value, (set, frozenset)):
        return digest(_kind(value), *sorted(repr(item) for item in value))
    if isinstance(value, np.ndarray) and not (value.dtype.hasobject or value.dtype.kind == "T"):
        # A memory map of an array is that array.
        about = f"{value.dtype.descr if value.dtype.names else value.dtype.str} {value.shape}"
        # Field by field: the bytes between the fields of a record have no meaning, and change.
        fields = [value[name] for name in value.dtype.names or ()] or [value]
        return digest(about, *(np.ascontiguousarray(field).tobytes() for field in fields))
    if isinstance(value, (np.generic, np.dtype)):
        return digest(_kind(value), repr(value))
    if isinstance(value, type | types.BuiltinFunctionType | np.ufunc | types.ModuleType):
        return digest(getattr(value, "__module__", "") or "", value.__name__)
    return None


def _parts(value: Any, limit: int) -> Iterator[tuple[str, Any]]:
    """Yield the parts of a value, each with its addition to the path."""
    if isinstance(value, Mapping) and type(value).__module__ in _PLAIN:
        for key in sorted(value, key=repr):
            yield f"[{key!r}]", value[key]
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield f"[{index}]", item
    elif isinstance(value, np.ndarray):
        yield ".shape", value.shape
        for index, item in enumerate(value.ravel().tolist()):
            yield f"[{index}]", item
    elif isinstance(value, types.FunctionType):
        yield ".__qualname__", f"{value.__module__}.{value.__qualname__}"
        yield ".__code__", value.__code__.co_code
        yield ".__defaults__", value.__defaults__
        yield ".__closure__", [_content(cell) for cell in value.__closure__ or ()]
    elif isinstance(value, functools.partial):
        yield ".func", value.func
        yield ".args", value.args
        yield ".keywords", value.keywords
    elif isinstance(value, types.MethodType):
        yield ".__func__", value.__func__
        yield ".__self__", value.__self__
    else:
        yield from _of_object(value, limit)


def _content(cell: types.CellType) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # the variable has no value yet
        return None


def _of_object(value: Any, limit: int) -> Iterator[tuple[str, Any]]:
    own = getattr(value, "__dict__", {})
    try:
        reduced = value.__reduce_ex__(2)
    except Exception:  # it refuses a pickle: its attributes are its state
        reduced = None
    if not isinstance(reduced, tuple):
        for name in sorted(own):
            yield f".{name}", own[name]
        return
    # Plain attributes have names as paths, other parts have positions.
    _, arguments, held, items, pairs = (*reduced, None, None, None, None)[:5]
    plain = held if isinstance(held, dict) else {}
    for name in sorted(plain, key=str):
        yield f".{name}", plain[name]
    rest = [part for part in arguments or () if not isinstance(part, type)]
    for index, part in enumerate(rest):
        yield f"({index})", part
    if held is not None and not isinstance(held, dict):
        yield "(state)", held
    for label, more in (("(items)", items), ("(pairs)", pairs)):
        if more is not None:
            yield label, list(islice(more, limit + 1))


def _kind(value: Any) -> str:
    return f"{type(value).__module__}.{type(value).__qualname__}"
