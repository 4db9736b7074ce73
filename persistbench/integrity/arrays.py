"""Is one answer another? Arrays, tables and sparse matrices are compared; the difference is told.

Exact backends are compared bit for bit. Backends that compute in other numbers are compared within
a tolerance, which is a share of the spread of the original's answer.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from persistbench.integrity.state import state

_LIBRARIES = ("pandas", "polars")
"""Libraries of tables; their objects are recognized without an import."""


@dataclass(frozen=True)
class Sparse:
    """A sparse matrix in the form CSR.

    Attributes:
        data: the values, shape (n_values,).
        indices: the column of each value, shape (n_values,).
        starts: the index of each row's first value, shape (n_rows + 1,).
        shape: n_rows and n_columns.
    """

    data: Any
    indices: Any
    starts: Any
    shape: tuple[int, int]


@dataclass(frozen=True)
class Table:
    """A table, a column or an extension array.

    Attributes:
        kind: the class, such as ``DataFrame``.
        names: of the columns; the last ones are those of the index, if there is an index.
        types: of the columns.
        columns: an array of shape (n_rows,) for each column; of objects if NumPy lacks the type.
        index: number of columns that are the index.
        flat: whether it is one column, not a table of one column.
    """

    kind: str
    names: tuple[str, ...]
    types: tuple[str, ...]
    columns: tuple[Any, ...]
    index: int = 0
    flat: bool = False


@dataclass(frozen=True)
class Special:
    """An array of another class than NumPy's own.

    Attributes:
        kind: the class, such as ``matrix``.
        values: an array; zeros where something is masked.
        mask: which values are masked, in the shape of ``values``; None if the class has no masks.
    """

    kind: str
    values: Any
    mask: Any = None


def comparable(output: Any) -> Any:
    """Return a copy of an answer in a form that :func:`difference` compares.

    Returns:
        an array, a :class:`Special`, a :class:`Sparse` or a :class:`Table`; a tuple of such for
        a list or a tuple of arrays.
    """
    if hasattr(output, "tocsr"):
        matrix = output.tocsr()
        data, indices, starts = map(np.array, (matrix.data, matrix.indices, matrix.indptr))
        return Sparse(data, indices, starts, matrix.shape)
    if {kind.__module__.partition(".")[0] for kind in type(output).__mro__} & {*_LIBRARIES}:
        return _table(output)
    if isinstance(output, (list, tuple)):
        if any(hasattr(part, "__len__") and not isinstance(part, (str, bytes)) for part in output):
            return tuple(comparable(part) for part in output)  # an array for each output or class
        return _objects(output)
    result = np.array(output)  # a copy: the original may change it later
    if not isinstance(output, np.ndarray) or type(output) in (np.ndarray, np.memmap):
        return result
    mask = None
    if isinstance(output, np.ma.MaskedArray):
        mask = np.array(np.ma.getmaskarray(output))
        if mask.dtype == bool:  # what is masked has no meaning
            result[mask] = np.zeros((), result.dtype)
    return Special(type(output).__name__, result, mask)


def difference(expected: Any, found: Any, tolerance: float = 0.0, pooled: bool = False) -> str:
    """Return how an answer differs from the original's; empty if it does not.

    Args:
        expected: the original's answer, as :func:`comparable` returns it.
        found: the other answer in this form.
        tolerance: floats may differ by this share of the spread of their column.
        pooled: whether all columns have one scale, as probabilities do, and so one spread.
    """
    if _form(expected) != _form(found):
        return f"it was {_form(expected)}, it is {_form(found)}"
    if isinstance(expected, tuple):
        texts = (difference(a, b, tolerance, pooled) for a, b in zip(expected, found, strict=True))
        return next((f"part {place}: {text}" for place, text in enumerate(texts) if text), "")
    if isinstance(expected, Table):
        return _of_tables(expected, found)
    if isinstance(expected, Sparse):
        return _of_sparse(expected, found)
    if isinstance(expected, Special):
        text = "" if expected.mask is None else difference(expected.mask, found.mask)
        own = (expected.values, found.values, tolerance, pooled)
        return f"mask: {text}" if text else difference(*own)
    if _identical(expected, found):
        return ""
    changed = changed_rows(expected, found, tolerance, pooled)
    if changed is None:
        if expected.shape != found.shape:
            return f"shape {expected.shape} -> {found.shape}"
        return f"{short(expected)} -> {short(found)}"
    if not changed.any():
        return "" if _inexact(expected, found, tolerance) else _only_in_bits(expected, found)
    first = int(np.flatnonzero(changed)[0])
    return (
        f"{int(changed.sum())} of {len(expected)} rows differ, the first is row {first}: "
        f"{short(expected[first])} -> {short(found[first])}"
    )


def changed_rows(expected: Any, found: Any, tolerance: float = 0.0, pooled: bool = False) -> Any:
    """Return which rows differ in value, shape (n_rows,), or None if rows cannot be compared.

    The type of a value, and an equal value in other bits, change no row.
    """
    masks = [one.mask for one in (expected, found) if isinstance(one, Special)]
    if len(masks) == 2 and not any(mask is None for mask in masks):
        own = (expected.values, found.values, tolerance, pooled)
        changed, masked = changed_rows(*own), changed_rows(*masks)
        return None if changed is None or masked is None else changed | masked
    expected, found = values(expected), values(found)
    if isinstance(expected, tuple) and isinstance(found, tuple):
        if len(expected) != len(found):
            return None
        pairs = zip(expected, found, strict=True)
        parts = [changed_rows(one, other, tolerance, pooled) for one, other in pairs]
        known = all(part is not None for part in parts)
        return np.any(parts, axis=0) if known and len({len(part) for part in parts}) == 1 else None
    arrays = isinstance(expected, np.ndarray) and isinstance(found, np.ndarray)
    if not arrays or expected.shape != found.shape or expected.ndim == 0:
        return None
    if _inexact(expected, found, tolerance):
        changed = _beyond(expected, found, tolerance, pooled)
    elif expected.dtype.kind in "biufc" and found.dtype.kind in "biufc":
        with np.errstate(invalid="ignore"):
            changed = (expected != found) & ~(np.isnan(expected) & np.isnan(found))
    elif expected.dtype.kind == found.dtype.kind and expected.dtype.kind in "US":
        changed = expected != found
    else:
        objects = zip(expected.ravel().tolist(), found.ravel().tolist(), strict=True)
        changed = np.array([not (_same(*pair) or _equal(*pair)) for pair in objects], dtype=bool)
    return np.asarray(changed).reshape(len(expected), -1).any(axis=1)


def largest_difference(expected: Any, found: Any) -> float:
    """Return the largest absolute difference of a float; infinite if the shapes differ."""
    if isinstance(expected, Special):
        return largest_difference(expected.values, values(found))
    if isinstance(expected, tuple) and isinstance(found, tuple):
        pairs = zip(expected, found, strict=False)
        return max((largest_difference(one, other) for one, other in pairs), default=0.0)
    if not isinstance(expected, np.ndarray) or expected.dtype.kind != "f":
        return 0.0
    if expected.shape != getattr(found, "shape", None) or found.dtype.kind not in "biuf":
        return float("inf")
    finite = np.isfinite(expected) & np.isfinite(found)
    return float(np.max(np.abs(expected[finite] - found[finite]), initial=0.0))


def values(answer: Any) -> Any:
    """Return the values of a sparse matrix, a table or a special array as an array.

    Other answers are returned as they are.
    """
    if isinstance(answer, Special):
        return answer.values
    if isinstance(answer, Sparse):
        from scipy.sparse import csr_array

        parts = (answer.data, answer.indices, answer.starts)
        return csr_array(parts, shape=answer.shape).toarray()
    if isinstance(answer, Table):
        columns = answer.columns[: len(answer.columns) - answer.index]
        if answer.flat:
            return columns[0]
        numbers = all(column.dtype.kind in "biuf" for column in columns)
        return np.column_stack([one if numbers else one.astype(object) for one in columns])
    return answer


def count_rows(answer: Any) -> int | None:
    """Return the number of rows of an answer; None if it has no rows, such as a single number."""
    if isinstance(answer, tuple):
        counts = {count_rows(part) for part in answer}
        return counts.pop() if len(counts) == 1 else None
    shape = np.shape(values(answer))
    return int(shape[0]) if shape else None


def as_expected(expected: Any, found: Any) -> Any:
    """Return a predictor's answer in the shape and type of the original's, if no value changes.

    A graph answers with floats of single precision, with numbers for booleans, with one array for
    a list of arrays, and with one column where scikit-learn has a flat array.
    """
    if isinstance(expected, tuple) and len(expected) == len(found):
        return tuple(as_expected(*pair) for pair in zip(expected, found, strict=True))
    if not isinstance(expected, np.ndarray) or not isinstance(found, np.ndarray):
        return found
    if expected.ndim and found.ndim and expected.size == found.size:
        found = found.reshape(expected.shape) if len(expected) == len(found) else found
    if expected.dtype == found.dtype:
        return found
    if expected.dtype.kind in "biuf" and found.dtype.kind in "biuf":
        with np.errstate(invalid="ignore"):
            result = found.astype(expected.dtype)
        floats = expected.dtype.kind == found.dtype.kind == "f"
        return result if floats or np.array_equal(result, found) else found
    kinds = {type(value) for value in expected.ravel().tolist()}
    if len(kinds) != 1 or not kinds <= {str, bool, int, float}:
        return found
    (kind,) = kinds
    own = found.ravel().tolist()
    if {isinstance(value, str) for value in own} != {kind is str}:
        return found
    try:
        cast = [kind(value) for value in own]
    except (TypeError, ValueError, OverflowError):
        return found
    result = _objects(cast).reshape(found.shape)
    if cast != own or expected.dtype.hasobject:
        return result if cast == own else found
    result = result.astype(expected.dtype.kind)
    # Never into an array of shorter texts: it would cut them.
    cut = result.dtype.itemsize > expected.dtype.itemsize
    return result if cut else result.astype(expected.dtype)


def form(answer: Any) -> Any:
    """Return what two answers have in common that were drawn at random: kind, type and shape."""
    if isinstance(answer, tuple):
        return tuple(form(part) for part in answer)
    if isinstance(answer, Table):
        return _form(answer), answer.names, answer.types, {len(column) for column in answer.columns}
    if isinstance(answer, Sparse):
        return _form(answer), str(answer.data.dtype), answer.shape
    if isinstance(answer, Special):
        return _form(answer), form(answer.values)
    kind = answer.dtype.kind
    return _form(answer), kind if kind in "US" else str(answer.dtype), answer.shape


def spread(column: Any) -> float:
    """Return the scale of differences that matter in numbers, shape (n,).

    It is the range of the middle 90 %: a few outliers do not move it, and a class that a tenth of
    the rows belong to does. Where the range is 0, it is the standard deviation; where that is 0,
    too, the absolute value of the constant, or 1 for 0.
    """
    finite = column[np.isfinite(column)].astype(float)
    if not len(finite):
        return 1.0
    if np.ptp(finite) <= _ROUNDING * np.abs(finite).max():
        return float(abs(finite[0]) or 1.0)
    low, high = np.percentile(finite, (5, 95))
    return float(high - low or finite.std())


_ROUNDING = 1e-12
"""Numbers that differ by a smaller share are one number, which sums have rounded in two ways."""


def _table(output: Any) -> Table:
    """Return a table of pandas or polars, one of its columns, or an extension array, as arrays."""
    kind = type(output).__name__
    polars = type(output).__module__.startswith("polars")
    if not hasattr(output, "columns"):
        index = () if polars or not hasattr(output, "index") else (output.index,)
        columns = (output, *index)
        names = (repr(getattr(output, "name", None)), *("index" for _ in index))
    else:
        index = () if polars else (output.index,)
        places = range(output.shape[1])
        own = (output[:, place] if polars else output.iloc[:, place] for place in places)
        columns = (*own, *index)
        names = (*(repr(name) for name in output.columns), *("index" for _ in index))
    types = tuple(_type(column) for column in columns)
    arrays = tuple(_column(column) for column in columns)
    flat = not hasattr(output, "columns")
    return Table(kind, names, types, arrays, len(index), flat)


def _type(column: Any) -> str:
    plain = isinstance(column.dtype, np.dtype)
    return str(column.dtype) if plain else repr(column.dtype)  # with the categories


def _column(column: Any) -> Any:
    if isinstance(column.dtype, np.dtype):
        return np.array(column)
    if hasattr(column, "null_count") and column.dtype.is_numeric() and not column.null_count():
        return np.array(column.to_numpy())
    return _objects(list(column))


def _objects(items: Any) -> Any:
    result = np.empty(len(items), dtype=object)
    for place, item in enumerate(items):
        result[place] = item
    return result


def _form(answer: Any) -> str:
    """Return the container of an answer, in words."""
    if isinstance(answer, tuple):
        return f"{len(answer)} parts"
    if isinstance(answer, Table):
        return f"a {answer.kind}"
    if isinstance(answer, Special):
        return f"a {answer.kind}"
    return "a sparse matrix" if isinstance(answer, Sparse) else "an array"


def _of_tables(expected: Table, found: Table) -> str:
    if expected.names != found.names:
        return f"columns {short(', '.join(expected.names))} -> {short(', '.join(found.names))}"
    for name, *pair in zip(
        expected.names, expected.types, found.types, expected.columns, found.columns, strict=True
    ):
        before, after, one, other = pair
        text = f"{before} -> {after}" if before != after else difference(one, other)
        if text:
            return f"column {name}: {text}"
    return ""


def _of_sparse(expected: Sparse, found: Sparse) -> str:
    if expected.shape != found.shape:
        return f"shape {expected.shape} -> {found.shape}"
    names = ("data", "indices", "starts")
    if all(_identical(getattr(expected, name), getattr(found, name)) for name in names):
        return ""
    return difference(values(expected), values(found)) or "equal, but not stored in the same way"


def _identical(expected: Any, found: Any) -> bool:
    """Return whether two arrays have the same type, shape and bits."""
    if expected.dtype != found.dtype or expected.shape != found.shape:
        return False
    if expected.dtype.hasobject or expected.dtype.kind == "T":  # their bytes are addresses
        pairs = zip(expected.ravel().tolist(), found.ravel().tolist(), strict=True)
        return all(_same(*pair) for pair in pairs)
    return bool(expected.tobytes() == found.tobytes())


def _same(one: Any, other: Any) -> bool:
    """Return whether two objects are of one class and hold the same; their ``==`` is not asked."""
    if type(one) is not type(other):
        return False
    if isinstance(one, (str, bytes, bool, int)):
        return bool(one == other)
    if isinstance(one, (float, complex)):
        return repr(one) == repr(other)
    return one is other or state(one) == state(other)


def _equal(one: Any, other: Any) -> bool:
    """Return whether two objects say that they are equal, such as 1 and 1.0."""
    try:
        return (one == other) is True or bool(np.all(one == other))
    except Exception:  # a missing value is neither equal nor unequal
        return False


def _inexact(expected: Any, found: Any, tolerance: float) -> bool:
    """Return whether two arrays may differ by a tolerance."""
    return tolerance > 0 and expected.dtype.kind == found.dtype.kind == "f"


def _beyond(expected: Any, found: Any, tolerance: float, pooled: bool) -> Any:
    """Return which numbers differ by more than the tolerance, shape (n_rows, n_columns)."""
    rows, others = (array.reshape(len(array), -1) for array in (expected, found))
    columns = [rows.ravel()] if pooled else rows.T
    allowed = tolerance * np.array([spread(column) for column in columns])
    with np.errstate(invalid="ignore"):
        near = (np.abs(rows - others) <= allowed) | (rows == others)
    return ~(near | (np.isnan(rows) & np.isnan(others)))


def _only_in_bits(expected: Any, found: Any) -> str:
    return f"equal, but not bit for bit ({expected.dtype} -> {found.dtype})"


def short(value: Any) -> str:
    """Return a value as a text of at most 60 characters."""
    text = " ".join(str(value).split())
    return text if len(text) <= 60 else text[:57] + "..."
