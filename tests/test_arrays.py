"""Two answers are compared as what they are: arrays, tables, sparse matrices or lists of them."""

import datetime
import decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
from hypothesis import given
from hypothesis import strategies as st

from persistbench.integrity.arrays import (
    as_expected,
    changed_rows,
    comparable,
    difference,
    largest_difference,
    spread,
    values,
)


class Odd:
    """Cannot be asked whether it equals anything."""

    def __init__(self, content: int) -> None:
        self.content = content

    def __eq__(self, other: object) -> bool:
        raise RuntimeError("do not ask")

    __hash__ = None  # type: ignore[assignment]


def differ(one: Any, other: Any) -> str:
    """Return the difference of two answers."""
    return difference(comparable(one), comparable(other))


def objects(*items: Any) -> Any:
    """Return an array of objects."""
    result = np.empty(len(items), dtype=object)
    result[:] = items
    return result


MISSING = [None, float("nan"), pd.NA, pd.NaT, np.float32("nan"), decimal.Decimal("NaN")]


@pytest.mark.parametrize("value", [*MISSING, Odd(1), np.arange(3), [1, [2]], datetime.date.min])
def test_objects_are_equal_to_themselves(value: Any) -> None:
    """Whatever an object says of `==`, it is the same as itself."""
    assert differ(objects(value, 1), objects(value, 1)) == ""
    assert "1 of 2 rows differ, the first is row 0" in differ(objects(value, 1), objects("x", 1))


@pytest.mark.parametrize("place", range(len(MISSING)))
def test_missing_equals_missing_of_its_own_type(place: int) -> None:
    """None is not NaN, and NaN is not NA."""
    one = MISSING[place]
    for other in MISSING[:place]:
        assert differ(objects(one), objects(other))


def test_objects_differ_by_what_they_hold() -> None:
    """Objects of one class are compared by their state."""
    assert differ(objects(Odd(1)), objects(Odd(1))) == ""
    assert differ(objects(Odd(1)), objects(Odd(2)))
    assert differ(objects(np.arange(3)), objects(np.arange(4)))


def test_objects_that_are_equal_are_not_the_same() -> None:
    """1 and 1.0 and True are equal values, and not bit for bit the same."""
    for other in (1.0, True, np.int64(1)):
        assert "equal, but not bit for bit" in differ(objects(1), objects(other))


@pytest.mark.parametrize(
    "column",
    [
        [1, 2, 3],
        [1.5, None, 3.0],
        ["a", None, "c"],
        pd.array([1, pd.NA, 3], dtype="Int64"),
        pd.array(["a", pd.NA, "c"], dtype="string"),
        pd.array([True, pd.NA, False], dtype="boolean"),
        pd.Categorical(["a", None, "b"]),
        pd.to_datetime(["2026-01-01", None, "2026-01-03"]),
        pd.arrays.SparseArray([0, 0, 1]),
        pd.interval_range(0, 3),
        pd.Series([pd.NA, None, float("nan")], dtype=object),
    ],
)
def test_columns_of_pandas_are_compared(column: Any) -> None:
    """Tables, columns and extension arrays are equal to themselves, and a changed row is found."""
    table = pd.DataFrame({"one": [1, 2, 3], "two": column})
    for answer in (table, table["two"], table["two"].array):
        assert differ(answer, answer[:]) == ""
        assert differ(answer, answer[::-1])
    assert differ(table, table.assign(two=["x", "y", "z"])).startswith("column 'two'")


@pytest.mark.parametrize(
    ("other", "text"),
    [
        (pd.DataFrame({"b": [1, 2]}), "columns 'a', index -> 'b', index"),
        (pd.DataFrame({"a": [1, 2], "b": 1}), "columns"),
        (pd.DataFrame({"a": [1.0, 2.0]}), "column 'a': int64 -> float64"),
        (pd.DataFrame({"a": [1, 3]}), "column 'a': 1 of 2 rows differ, the first is row 1: 2 -> 3"),
        (pd.DataFrame({"a": [1, 2]}, index=[5, 6]), "column index: 2 of 2 rows differ"),
        (pd.DataFrame({"a": [1, 2]}).to_numpy(), "it was a DataFrame, it is an array"),
        (pd.Series([1, 2], name="a"), "it was a DataFrame, it is a Series"),
        (scipy.sparse.csr_array([[1], [2]]), "it was a DataFrame, it is a sparse matrix"),
    ],
)
def test_container_and_columns_are_part_of_an_answer(other: Any, text: str) -> None:
    """The kind of container, the names and the types of columns are compared, too."""
    assert differ(pd.DataFrame({"a": [1, 2]}), other).startswith(text)


def test_categories_are_part_of_an_answer() -> None:
    """The same values of other categories are of another type."""
    one, other = (pd.Series(pd.Categorical(["a"], list(names))) for names in ("ab", "ac"))
    assert differ(one, other)


def test_tables_of_polars_are_compared() -> None:
    """Names, types and values, with null unlike NaN; a table of pandas is another container."""
    polars = pytest.importorskip("polars")
    one = polars.DataFrame({"a": [1, 2], "b": [None, "x"], "c": [None, 0.5], "d": [True, False]})
    assert differ(one, one.clone()) == ""
    assert "column 'a'" in differ(one, one.with_columns(polars.col("a") + 1))
    assert "column 'a': Int64 -> Int32" in differ(one, one.cast({"a": polars.Int32}))
    assert "column 'c'" in differ(one, one.with_columns(c=polars.Series([float("nan"), 0.5])))
    assert "columns" in differ(one, one.rename({"a": "z"}))
    assert "it was a DataFrame" in differ(one, one[["a"]].to_numpy())
    assert differ(one["b"], one["b"].clone()) == ""
    assert values(comparable(one[["a", "c"]])).shape == (2, 2)


@pytest.mark.parametrize(
    ("expected", "found"),
    [
        (np.array([False, True]), np.array([0, 1])),
        (np.array([False, True]), np.array([[0.0], [1.0]], dtype=np.float32)),
        (np.array([0.0, 1.0]), np.array([0, 1])),
        (np.array([3, 4], dtype=np.uint8), np.array([3, 4], dtype=np.int64)),
        (objects(False, True), np.array([0, 1])),
        (objects(3, 4), np.array([3.0, 4.0])),
        (np.array(["a", "long"]), objects("a", "long")),
        (np.array(["a", "b"], dtype="<U10"), np.array(["a", "b"])),
        (objects("a", "b"), np.array(["a", "b"])),
        (pd.Series([False, True]), np.array([0, 1])),
        (pd.Series(["a", "b"], dtype="category"), objects("a", "b")),
        (pd.DataFrame({"a": [1, 2], "b": [3, 4]}), np.array([[1, 3], [2, 4]], dtype=np.float32)),
        ([np.array([0, 1]), np.array([1, 0])], np.array([[0, 1], [1, 0]])),
    ],
)
def test_answer_of_a_predictor_is_equal_if_a_cast_changes_no_value(
    expected: Any, found: Any
) -> None:
    """Numbers for booleans, other integers, and texts in other arrays are the same values."""
    known = values(comparable(expected))
    assert difference(known, as_expected(known, comparable(found))) == ""


@pytest.mark.parametrize(
    ("expected", "found"),
    [
        (np.array([False, True]), np.array([0, 2])),
        (np.array([0, 1]), np.array([0.0, 1.5])),
        (np.array([0, 1]), np.array([0.0, np.nan])),
        (np.array([3, 4], dtype=np.uint8), np.array([3, 260])),
        (np.array(["0", "1"]), np.array([0, 1])),
        (np.array([0, 1]), np.array(["0", "1"])),
        (np.array(["a", "b"]), objects("a", "bc")),
        (objects(True, False), objects("True", "")),
    ],
)
def test_answer_of_a_predictor_differs_if_a_cast_would_change_it(expected: Any, found: Any) -> None:
    """No value is wrapped, cut, rounded or read from a text."""
    assert difference(expected, as_expected(expected, found))


@given(st.floats(-1e9, 1e9), st.floats(1e-3, 1e3), st.integers(0, 2**32 - 1))
def test_tolerance_does_not_grow_with_the_size(offset: float, scale: float, seed: int) -> None:
    """Numbers of one spread may differ by the same, wherever they lie."""
    rows = np.random.default_rng(seed).standard_normal(200)
    expected = offset + scale * rows
    allowed = 1e-4 * spread(expected)
    assert allowed < 1e-3 * scale
    found = expected.copy()
    found[7] += 2 * allowed
    found[9] += allowed / 2
    assert difference(expected, found, 1e-4).startswith("1 of 200 rows differ, the first is row 7")
    assert list(np.flatnonzero(changed_rows(expected, found, 1e-4))) == [7]
    assert difference(expected, np.full(200, expected.mean()), 1e-4)


def test_few_outliers_do_not_move_the_spread() -> None:
    """A row of a billion hides no difference in the others."""
    rows = np.random.default_rng(0).standard_normal(200)
    with_outliers = np.append(rows, [1e9] * 5)
    assert spread(with_outliers) == pytest.approx(spread(rows), rel=0.3)
    found = with_outliers.copy()
    found[0] += 0.01
    assert difference(with_outliers, found, 1e-4)


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        ([0.0] * 10, 1.0),
        ([-3.0] * 10, 3.0),
        ([0.1 + 0.2, 0.3] * 5, 0.3),
        ([0.0] * 99 + [10.0], np.std([0.0] * 99 + [10.0])),
        ([np.nan, np.inf, 2.0, 2.0], 2.0),
        ([np.nan] * 3, 1.0),
    ],
)
def test_spread_of_what_hardly_spreads(column: list[float], expected: float) -> None:
    """It is the deviation of rare values, the size of a constant, or 1 for zeros."""
    assert spread(np.array(column)) == pytest.approx(expected)


def test_each_column_has_its_own_spread() -> None:
    """A column of millions hides no difference in a column of ones; probabilities share theirs."""
    rows = np.random.default_rng(0).standard_normal((100, 2))
    expected = rows * np.array([1e6, 1.0])
    found = expected + np.array([0.0, 0.01])
    assert difference(expected, found, 1e-4)
    sure = np.column_stack([np.full(100, 1e-9) * (1 + rows[:, 0]), np.linspace(0, 1, 100)])
    assert difference(sure, sure + 1e-8, 1e-4)
    assert difference(sure, sure + 1e-8, 1e-4, pooled=True) == ""


def test_infinite_and_missing_numbers_stay() -> None:
    """No tolerance makes infinity of a number."""
    expected = np.array([np.inf, np.nan, -np.inf, 1.0, 2.0])
    assert difference(expected, expected.astype(np.float32).astype(float), 1e-4) == ""
    for place, value in enumerate([1.0, 1.0, np.inf, np.nan, np.inf]):
        found = expected.copy()
        found[place] = value
        assert f"the first is row {place}" in difference(expected, found, 1e-4)


def test_largest_difference_is_absolute() -> None:
    """It is that of a number, whatever its column's spread; infinite for another shape."""
    expected = np.array([[1e6, 1.0], [2e6, 2.0]])
    assert largest_difference(expected, expected + np.array([0.5, 0.25])) == 0.5
    assert largest_difference((expected,), (expected - 3,)) == 3
    assert largest_difference(expected, expected[:1]) == float("inf")
    assert largest_difference(np.array([1, 2]), np.array([3, 4])) == 0


def test_sparse_matrices_are_compared_row_by_row() -> None:
    """Another value is found in its row, and another shape is told."""
    one = scipy.sparse.csr_array([[0, 1], [2, 0]])
    assert differ(one, one.tocsc()) == ""
    assert "the first is row 1: [2 0] -> [3 0]" in differ(
        one, scipy.sparse.csr_array([[0, 1], [3, 0]])
    )
    assert "shape (2, 2) -> (2, 3)" in differ(one, scipy.sparse.csr_array((2, 3), dtype=int))
    assert "it was a sparse matrix, it is an array" in differ(one, one.toarray())


def test_lists_of_arrays_are_compared_part_by_part() -> None:
    """The part that differs is named; a list of texts or numbers is one array."""
    one = [np.array([1, 2]), np.array([3, 4])]
    assert differ(one, [one[0].copy(), one[1].copy()]) == ""
    assert differ(one, [one[0], one[1] + 1]).startswith("part 1: 2 of 2 rows differ")
    assert "2 parts, it is 1 parts" in differ(one, one[:1])
    assert "1 of 3 rows differ" in differ(["a", None, "c"], ["a", None, "d"])


def test_texts_of_numpy_are_compared_by_value() -> None:
    """The bytes of NumPy's variable texts are addresses, which are no value."""
    one, other, third = (
        np.array(["a long text beyond the small ones", last], dtype=np.dtypes.StringDType())
        for last in ("x", "x", "y")
    )
    assert differ(one, other) == ""
    assert "1 of 2 rows differ" in differ(one, third)


def test_class_of_an_array_is_part_of_an_answer() -> None:
    """A matrix is no array; a memory map of an array is that array."""
    rows = np.ones((2, 3))
    assert differ(np.matrix(rows), rows) == "it was a matrix, it is an array"
    assert differ(np.matrix(rows), np.matrix(rows)) == ""
    assert "1 of 2 rows differ" in differ(np.matrix(rows), np.matrix([[1, 1, 1], [1, 1, 2.0]]))
    assert differ(np.memmap("/dev/zero", float, "r", shape=(3,)), np.zeros(3)) == ""
    assert values(comparable(np.matrix(rows))).shape == (2, 3)


def test_mask_is_part_of_an_answer() -> None:
    """Another mask is another answer, and what is masked has no meaning."""
    one = np.ma.array([1.0, 2.0, 3.0], mask=[0, 1, 0])
    other = np.ma.array([1.0, 2.0, 3.0], mask=[0, 0, 0])
    assert differ(one, other).startswith("mask: 1 of 3 rows differ, the first is row 1")
    assert list(changed_rows(comparable(one), comparable(other))) == [False, True, False]
    assert differ(one, np.ma.array([1.0, 9.0, 3.0], mask=[0, 1, 0])) == ""
    assert "1 of 3 rows differ" in differ(one, np.ma.array([1.0, 2.0, 4.0], mask=[0, 1, 0]))
    assert differ(one, np.array([1.0, 2.0, 3.0])) == "it was a MaskedArray, it is an array"
