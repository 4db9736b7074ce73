"""The state of an estimator, attribute by attribute, in a form that another process can compare.

Each value becomes a digest under its path, such as ``steps[1][1].coef_``. Objects are taken apart
as pickle does it (``__reduce_ex__``), so that trees written in C show their arrays, too. Identity,
the order of attributes and the layout in memory are no state. Two equal estimators have equal
digests in any process.
"""

import functools
import types
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from persistbench.files import digest

_PLAIN = ("builtins", "collections", "sklearn.utils._bunch")
"""Modules of mappings whose state is their items: a Bunch has attributes for warnings, too."""

_NAMED = 3
"""The number of differing attributes that a text names; the others are counted."""


def state(estimator: Any) -> dict[str, str]:
    """Return the digest of each value in the estimator, by its path.

    Args:
        estimator: any object.
    """
    return dict(_walk("", estimator, ()))


def differences(before: dict[str, str], after: dict[str, str]) -> str:
    """Return a text on the values that differ, are new or are gone; empty if there are none.

    Args:
        before: the :func:`state` of the original.
        after: the :func:`state` of the loaded estimator.
    """
    paths = sorted(
        path for path in before.keys() | after.keys() if before.get(path) != after.get(path)
    )
    named = ", ".join(
        f"{path or 'the estimator'} {_what(path, before, after)}" for path in paths[:_NAMED]
    )
    more = len(paths) - _NAMED
    return named + (f" and {more} more" if more > 0 else "")


def _what(path: str, before: dict[str, str], after: dict[str, str]) -> str:
    if path not in after:
        return "is gone"
    return "differs" if path in before else "is new"


def _walk(path: str, value: Any, holders: tuple[Any, ...]) -> Iterator[tuple[str, str]]:
    """Yield the path and the digest of a value and of each value inside it.

    Args:
        path: of the value.
        value: any object.
        holders: the objects around the value, the outermost first.
    """
    simple = _digest(value)
    if simple is not None:
        yield path, simple
        return
    cycle = next((depth for depth, one in enumerate(holders) if one is value), None)
    if cycle is not None:
        yield path, f"the holder at depth {cycle}"
        return
    yield path, _kind(value)
    for name, part in _parts(value):
        yield from _walk(f"{path}{name}", part, (*holders, value))


def _digest(value: Any) -> str | None:
    """Return the digest of a value without parts; None if the value has parts."""
    if value is None or isinstance(value, (bool, int, float, complex, str, bytes, range, slice)):
        return digest(_kind(value), repr(value))
    if isinstance(value, (set, frozenset)):
        return digest(_kind(value), *sorted(repr(item) for item in value))
    if isinstance(value, np.ndarray) and not value.dtype.hasobject:
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


def _parts(value: Any) -> Iterator[tuple[str, Any]]:
    """Yield the parts of a value, each with its addition to the path."""
    if isinstance(value, Mapping) and type(value).__module__ in _PLAIN:
        for key in sorted(value, key=repr):
            yield f"[{key!r}]", value[key]
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield f"[{index}]", item
    elif isinstance(value, np.ndarray):
        for index, item in enumerate(value.ravel().tolist()):
            yield f"[{index}]", item
    elif isinstance(value, types.FunctionType):
        yield ".__qualname__", f"{value.__module__}.{value.__qualname__}"
        yield ".__code__", value.__code__.co_code
        yield ".__defaults__", value.__defaults__
        cells = value.__closure__ or ()
        yield ".__closure__", [cell.cell_contents for cell in cells]
    elif isinstance(value, functools.partial):
        yield ".func", value.func
        yield ".args", value.args
        yield ".keywords", value.keywords
    elif isinstance(value, types.MethodType):
        yield ".__func__", value.__func__
        yield ".__self__", value.__self__
    else:
        yield from _of_object(value)


def _of_object(value: Any) -> Iterator[tuple[str, Any]]:
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
            yield label, list(more)


def _kind(value: Any) -> str:
    return f"{type(value).__module__}.{type(value).__qualname__}"
