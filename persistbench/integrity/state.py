"""The state of an estimator, as a graph that another process can compare.

Each value becomes a node with a digest. Edges lead to its parts and have names, such as ``.coef_``.
An object shows its attributes, and what pickle would save of it (``__reduce_ex__``). So trees that
are written in C show their arrays, too. Some attributes are no state: a class leaves them out in
its own ``__getstate__``. Identity, sharing, the order of attributes and the layout in memory are no
state either.
"""

import functools
import re
import sys
import types
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from operator import itemgetter
from typing import Any

import numpy as np

from persistbench.files import digest
from persistbench.outcomes import explain

LIMIT = 2_000_000
"""So many values of an estimator are compared: a walk through objects without end ends here."""

_PLAIN = ("builtins", "collections", "sklearn.utils._bunch")
"""Modules of mappings whose state is their items: a Bunch has attributes for warnings, too."""

_BY_PICKLE = {*sys.stdlib_module_names, "numpy", "pandas", "polars", "pyarrow"}
"""Packages whose objects have caches among their attributes: they show only what pickle saves."""

_NO_STATE = "_sklearn_version"
"""What scikit-learn adds to the attributes of an estimator when it is saved."""

_NAMED = 3
"""The number of attributes that a text names; the others are counted."""


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
    transient: dict[str, None] = {}  # the attributes that a __getstate__ leaves out
    known: dict[int, int] = {}  # the node of an object, by its id
    leaves: dict[str, int] = {}  # the node of a value without parts, by its digest
    visited: list[Any] = []  # alive during the walk: an id stays that of one object
    waiting: list[tuple[int, Any]] = []

    def add(value: Any) -> int:
        node = known.get(id(value))
        if node is not None:
            return node
        try:
            simple = _digest(value, uncompared)
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
            walk = _Walk(limit, uncompared, transient)
            own = list(islice(walk.parts(value), limit - count + 1))
        except Exception as error:
            digests[node], parts[node] = _unreadable(value, error, uncompared), ()
            continue
        count += len(own)
        if count > limit:
            uncompared.append(f"it holds more than {limit:,} values, and the others are not known")
            break
        parts[node] = tuple((name, add(part)) for name, part in own)
    uncompared += [f"{name} is left out by its __getstate__" for name in [*transient][:_NAMED]]
    if (more := len(transient) - _NAMED) > 0:
        uncompared.append(f"{more} more attributes are left out by a __getstate__")
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


def _digest(value: Any, uncompared: list[str]) -> str | None:
    """Return the digest of a value without parts; None if the value has parts."""
    if isinstance(value, int):
        return digest(_kind(value), hex(value))  # Python has no decimal digits for very long ones
    if value is None or isinstance(value, (float, complex, str, bytes, range, slice)):
        return digest(_kind(value), repr(value))
    if isinstance(value, (set, frozenset)):
        return digest(_kind(value), *sorted(_elements(value, uncompared)))
    plain = type(value) in (np.ndarray, np.memmap)  # a memory map of an array is that array
    if plain and not (value.dtype.hasobject or value.dtype.kind == "T"):
        about = f"{value.dtype.descr if value.dtype.names else value.dtype.str} {value.shape}"
        # Field by field: the bytes between the fields of a record have no meaning, and change.
        fields = [value[name] for name in value.dtype.names or ()] or [value]
        return digest(about, *(np.ascontiguousarray(field).tobytes() for field in fields))
    if isinstance(value, (np.generic, np.dtype)):
        return digest(_kind(value), repr(value))
    if isinstance(value, type | types.BuiltinFunctionType | np.ufunc | types.ModuleType):
        return digest(getattr(value, "__module__", "") or "", value.__name__)
    return None


def _elements(values: Iterable[Any], uncompared: list[str]) -> Iterator[str]:
    """Yield a text on each element of a set, which is the same in another process."""
    for value in values:
        text = _name(value)
        if text is None:
            text = _kind(value)
            uncompared.append(f"{text} in a set is counted, and not compared")
        yield text


def _name(value: Any) -> str | None:
    """Return a text on an element or a key; None if its own text holds an address in memory."""
    if isinstance(value, type | types.FunctionType | types.BuiltinFunctionType):
        return class_name(value)
    if type(value) in (tuple, frozenset):
        names = [_name(part) for part in value]
        known = [name for name in names if name is not None]
        if len(known) < len(names):
            return None
        return f"{_kind(value)} {known if type(value) is tuple else sorted(known)}"
    text = repr(value)
    if isinstance(value, str | bytes):
        return text
    return None if _ADDRESS.search(text) else text


_ADDRESS = re.compile(" at 0x[0-9a-fA-F]+")


@dataclass(frozen=True)
class _Walk:
    """Takes one value apart.

    Attributes:
        limit: an iterator of a value is read so far.
        uncompared: gets a text on what cannot be read.
        transient: gets the attributes that a ``__getstate__`` leaves out.
    """

    limit: int
    uncompared: list[str]
    transient: dict[str, None]

    def parts(self, value: Any) -> Iterator[tuple[str, Any]]:
        """Yield the parts of a value, each with its addition to the path."""
        if isinstance(value, Mapping) and type(value).__module__ in _PLAIN:
            yield from self._items(value)
        elif isinstance(value, list | tuple):
            for index, item in enumerate(value):
                yield f"[{index}]", item
            if type(value) not in (list, tuple):
                yield from self._attributes(value, _own(value))
        elif isinstance(value, np.ma.MaskedArray):
            yield "", np.asarray(value.data)
            yield ".mask", np.ma.getmaskarray(value)
            yield ".fill_value", value.view().fill_value  # of a view: to ask sets it
        elif type(value) in (np.ndarray, np.memmap):
            yield ".shape", value.shape
            for index, item in enumerate(value.ravel().tolist()):
                yield f"[{index}]", item
        elif isinstance(value, np.ndarray):
            yield "", np.asarray(value)
            yield from self._attributes(value, _own(value))
        elif isinstance(value, types.FunctionType):
            yield ".__qualname__", f"{value.__module__}.{value.__qualname__}"
            yield ".__code__", value.__code__.co_code
            yield ".__defaults__", value.__defaults__
            yield ".__closure__", [_content(cell) for cell in value.__closure__ or ()]
        elif isinstance(value, functools.partial):
            yield ".func", value.func
            yield ".args", value.args
            yield ".keywords", value.keywords
            yield from self._attributes(value, _own(value))
        elif isinstance(value, types.MethodType):
            yield ".__func__", value.__func__
            yield ".__self__", value.__self__
        else:
            yield from self._of_object(value)

    def _items(self, value: Mapping[Any, Any]) -> Iterator[tuple[str, Any]]:
        """Yield the items of a mapping by their keys; a key without a name is a part, too."""
        names = [_name(key) for key in value]
        counts = Counter(names)
        unique = [name is not None and counts[name] == 1 for name in names]
        items = list(zip(unique, names, value.items(), strict=True))
        for name, part in sorted(
            ((str(name), item[1]) for one, name, item in items if one), key=itemgetter(0)
        ):
            yield f"[{name}]", part
        for index, item in enumerate(item for one, _, item in items if not one):
            yield f"[item {index}]", item

    def _attributes(self, value: Any, own: dict[str, Any]) -> Iterator[tuple[str, Any]]:
        """Yield the attributes of a list, an array or a partial function."""
        held = None
        if own and _has_getstate(value):
            held = (*self._reduced(value), None, None)[2]
        yield from self._kept(value, own, held)

    def _kept(self, value: Any, own: dict[str, Any], held: Any) -> Iterator[tuple[str, Any]]:
        """Yield the attributes of an object that its own ``__getstate__`` does not leave out.

        None in the place of an attribute leaves it out, too.
        """
        declared = isinstance(held, dict) and _has_getstate(value)
        for name in sorted(own, key=str):
            if declared and own[name] is not None and held.get(name) is None:
                self.transient[f"{type(value).__name__}.{name}"] = None
            elif not declared or held.get(name) is not None:
                yield f".{name}", own[name]

    def _of_object(self, value: Any) -> Iterator[tuple[str, Any]]:
        own = _own(value)
        reduced = self._reduced(value)
        if reduced and type(value).__module__.partition(".")[0] in _BY_PICKLE:
            own = {}
        _, arguments, held, items, pairs = (*reduced, *[None] * 5)[:5]
        held = _by_name(held)
        yield from self._kept(value, own, held)
        # Plain attributes have names as paths, other parts have positions.
        if isinstance(held, dict):
            for name in sorted(held.keys() - {_NO_STATE}, key=str):
                if name not in own:
                    yield f".{name}", held[name]
                elif held[name] is not None and type(held[name]) is not type(own[name]):
                    # Such as bytes for a pointer.
                    yield f"(state).{name}", held[name]
        elif held is not None:
            yield "(state)", held
        rest = [part for part in arguments or () if not isinstance(part, type)]
        for index, part in enumerate(rest):
            yield f"({index})", part
        for label, more in (("(items)", items), ("(pairs)", pairs)):
            if more is not None:
                yield label, list(islice(more, self.limit + 1))

    def _reduced(self, value: Any) -> tuple[Any, ...]:
        """Return what pickle saves of an object; nothing if it refuses a pickle."""
        try:
            reduced = value.__reduce_ex__(2)
        except Exception:  # it refuses a pickle: its attributes are its state
            reduced = None
        except (SystemExit, KeyboardInterrupt) as error:
            self.uncompared.append(f"{_kind(value)}: saving it raises {type(error).__name__}")
            reduced = None
        return reduced if isinstance(reduced, tuple) else ()


def _content(cell: types.CellType) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # the variable has no value yet
        return None


def _own(value: Any) -> dict[str, Any]:
    """Return the attributes of an object by name, also those in slots."""
    result = dict(getattr(value, "__dict__", {}))
    kind: Any = type(value)
    for name, slot in _slots(kind).items():
        try:
            result[name] = slot.__get__(value)
        except AttributeError:  # the slot is empty
            continue
    result.pop(_NO_STATE, None)
    return result


@functools.lru_cache
def _slots(kind: type) -> dict[str, Any]:
    """Return what reads the slots of a class, by name; classes written in C have none."""
    own = [vars(base) for base in reversed(kind.__mro__) if "__slots__" in vars(base)]
    is_slot = types.MemberDescriptorType
    return {name: slot for one in own for name, slot in one.items() if isinstance(slot, is_slot)}


def _has_getstate(value: Any) -> bool:
    """Return whether a class says itself what is saved; scikit-learn's base class says nothing."""
    method: Any = type(value).__getstate__
    module = getattr(method, "__module__", "")
    return method is not object.__getstate__ and module != "sklearn.base"


def _by_name(held: Any) -> Any:
    """Return what is saved of an object with slots by the names of its attributes."""
    if isinstance(held, tuple) and len(held) == 2:
        attributes, slots = held
        if isinstance(slots, dict) and (attributes is None or isinstance(attributes, dict)):
            return {**(attributes or {}), **slots}
    return held


def class_name(kind: Any) -> str:
    """Return the module and the name of a class or function.

    Of a class that a function makes, it is the last part: cloudpickle restores only this one.
    """
    name = kind.__qualname__
    return f"{kind.__module__}.{name.split('.')[-1] if '<locals>' in name else name}"


def _kind(value: Any) -> str:
    return class_name(type(value))
