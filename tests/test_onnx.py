"""The types of columns that our check gives to ONNX are none of the backend's faults."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.dummy import DummyRegressor
from sklearn.ensemble import RandomForestRegressor
from sklearn.feature_extraction import DictVectorizer
from sklearn.feature_selection import RFE, RFECV
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, QuantileTransformer, StandardScaler
from sklearn.tree import DecisionTreeClassifier

from persistbench import Case, backends
from persistbench.cells import attempt
from persistbench.integrity.answers import compare, reference
from persistbench.outcomes import Blame, Outcome, Verdict

pytest.importorskip("skl2onnx")
pytest.importorskip("onnxruntime")

ONNX = backends.get("onnx")


def verdict(case: Case, folder: Path) -> Verdict:
    """Return the verdict on a case, saved and loaded as ONNX."""
    path = str(folder / "artifact.onnx")
    dumped = attempt.dump(ONNX, case.estimator, case.X, path)
    if not dumped.same:
        return dumped
    loaded, result = attempt.load(ONNX, path)
    return attempt.use(ONNX, loaded, reference(case)) if result.same else result


def numbers(size: int = 200) -> Any:
    """Return three columns of numbers."""
    return np.random.default_rng(0).standard_normal((size, 3))


def table(**columns: Any) -> pd.DataFrame:
    """Return a table of a column of numbers, and others."""
    return pd.DataFrame({"number": numbers()[:, 0], **columns})


def encoded(rows: Any, *names: str) -> Case:
    """Return a classifier of a table, some of whose columns are categories."""
    columns = make_column_transformer(
        (StandardScaler(), ["number"]), (OneHotEncoder(handle_unknown="ignore"), list(names))
    )
    y = np.asarray(rows["number"]) > 0
    return Case(make_pipeline(columns, LogisticRegression()).fit(rows, y.astype(int)), rows)


BOOLEANS = np.arange(200) % 3 == 0
TEXTS = np.array(["low", "high"], dtype=object)[np.arange(200) % 2]


@pytest.mark.parametrize(
    "column",
    [
        pytest.param(BOOLEANS, id="bool"),
        pytest.param(pd.array(BOOLEANS, dtype="boolean"), id="nullable boolean"),
        pytest.param(TEXTS, id="texts"),
        pytest.param(pd.array(TEXTS, dtype="string"), id="pandas string"),
        pytest.param(pd.Categorical(TEXTS), id="categories that are texts"),
        pytest.param(pd.Categorical(np.arange(200) % 4), id="categories that are numbers"),
        pytest.param(pd.array(np.arange(200) % 4, dtype="Int64"), id="nullable integers"),
    ],
)
def test_columns_have_the_type_of_their_values(column: Any, tmp_path: Path) -> None:
    """Whatever the table calls its column, the graph is given booleans, numbers or texts."""
    result = verdict(encoded(table(other=column), "other"), tmp_path)
    assert (result.outcome, result.reason) == (Outcome.SAME, "")
    assert result.largest_difference is not None
    assert result.largest_difference < 1e-6


def test_bool_column_is_passed_through(tmp_path: Path) -> None:
    """A column of booleans needs no encoder."""
    rows = table(other=BOOLEANS, third=~BOOLEANS)
    columns = make_column_transformer(
        (StandardScaler(), ["number"]), ("passthrough", ["other", "third"])
    )
    y = rows["number"] + rows["other"] > 0
    model = make_pipeline(columns, LogisticRegression()).fit(rows, y.astype(int))
    assert verdict(Case(model, rows), tmp_path).same


@pytest.mark.parametrize("names", [[0, 1, 2], ["a b", "a_b", "1"]])
def test_columns_have_any_names(names: list[Any], tmp_path: Path) -> None:
    """A graph renames inputs whose names are no identifiers; the columns still reach them."""
    rows = pd.DataFrame(numbers(), columns=names)
    y = (numbers()[:, 0] - numbers()[:, 1] > 0).astype(int)
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(rows, y)
    result = verdict(Case(model, rows, y), tmp_path)
    assert (result.outcome, result.reason) == (Outcome.SAME, "")


LARGE = 2**24 + np.arange(200) % 50


@pytest.mark.parametrize("sign", [1, -1])
def test_array_of_large_integers_stays_exact(sign: int, tmp_path: Path) -> None:
    """Single precision has one number for two large integers; a graph gets both."""
    X = sign * LARGE.reshape(-1, 1)
    y = LARGE % 3
    model = make_pipeline(OneHotEncoder(), LogisticRegression(C=100)).fit(X, y)
    result = verdict(Case(model, X, y), tmp_path)
    assert (result.outcome, result.reason) == (Outcome.SAME, "")


@pytest.mark.parametrize("column", [LARGE, pd.array(LARGE, dtype="Int64"), LARGE.astype(np.uint32)])
def test_column_of_large_integers_stays_exact(column: Any, tmp_path: Path) -> None:
    """Beside a column of floats, too, and whatever the table calls the integers."""
    rows = table(other=column)
    columns = make_column_transformer((OneHotEncoder(), ["other"]), ("passthrough", ["number"]))
    y = LARGE % 3
    model = make_pipeline(columns, LogisticRegression(C=100)).fit(rows, y)
    result = verdict(Case(model, rows, y), tmp_path)
    assert (result.outcome, result.reason) == (Outcome.SAME, "")


def test_large_integers_cut_no_fractions(tmp_path: Path) -> None:
    """skl2onnx would make the floats beside a first column of integers integers, too."""
    rows = pd.DataFrame({"large": np.arange(200) * 1_000_000, "number": numbers()[:, 0]})
    y = (rows["number"] > 0).astype(int)
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(rows, y)
    result = verdict(Case(model, rows, y), tmp_path)
    assert (result.outcome, result.reason) == (Outcome.SAME, "")


def test_large_integers_are_floats_where_integers_are_refused(tmp_path: Path) -> None:
    """The converter of a QuantileTransformer accepts no integers."""
    X = np.arange(200).reshape(-1, 1) * 1_000_000
    model = QuantileTransformer(n_quantiles=20).fit(X)
    assert verdict(Case(model, X), tmp_path).same


def test_integers_beyond_int64_are_no_integers_of_a_graph(tmp_path: Path) -> None:
    """An array of uint64 beyond int64 is given as floats."""
    X = np.uint64(2**63) + np.arange(200, dtype=np.uint64).reshape(-1, 1) * np.uint64(2**50)
    y = (np.arange(200) > 99).astype(int)
    result = verdict(Case(DecisionTreeClassifier(max_depth=1).fit(X, y), X, y), tmp_path)
    assert (result.outcome, result.reason) == (Outcome.SAME, "")


def test_array_of_booleans_is_numbers(tmp_path: Path) -> None:
    """An array of booleans is no array of texts."""
    X = numbers() > 0
    model = DecisionTreeClassifier(max_depth=2).fit(X, X[:, 0].astype(int))
    assert verdict(Case(model, X), tmp_path).same


@pytest.mark.parametrize(
    ("column", "held"),
    [
        (pd.date_range("2026-01-01", periods=200), "datetime64"),
        (pd.Series([1, "one"] * 100, dtype=object), "int"),
        (pd.Series([(1, 2)] * 200), "tuple"),
    ],
)
def test_column_without_a_type_is_the_checks_limit(column: Any, held: str, tmp_path: Path) -> None:
    """What our check cannot declare is said to be so, and nobody is blamed."""
    rows = table(other=column)
    model = make_column_transformer((StandardScaler(), ["number"])).fit(rows)
    result = verdict(Case(model, rows), tmp_path)
    assert result.outcome is Outcome.UNSUPPORTED
    assert result.blame is Blame.CHECK
    assert result.reason.startswith("our check has no ONNX type for column 'other', which holds")
    assert held in result.reason


def test_rows_without_columns_are_the_checks_limit(tmp_path: Path) -> None:
    """Dictionaries as rows are none of the types that our check declares."""
    rows = [{"a": 1.0}, {"b": 2.0}]
    result = verdict(Case(DictVectorizer().fit(rows), rows), tmp_path)
    assert result.outcome is Outcome.UNSUPPORTED
    assert result.reason.startswith("our check ")


def test_types_of_skl2onnx_are_tried_where_ours_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A converter that accepts integers alone gets them; if it refuses both, ours stand."""
    import skl2onnx

    asked = []

    def to_onnx(estimator: Any, initial_types: Any, options: Any) -> Any:
        asked.append([type(kind).__name__ for _, kind in initial_types])
        raise RuntimeError(f"refusal {len(asked)}")

    monkeypatch.setattr(skl2onnx, "to_onnx", to_onnx)
    X = np.arange(20).reshape(-1, 1)
    result = verdict(Case(StandardScaler().fit(X), X), tmp_path)
    assert asked == [["FloatTensorType"], ["Int64TensorType"]]
    assert result.reason.startswith("RuntimeError: refusal 1")


@pytest.mark.parametrize(
    "classes",
    [
        np.array([False, True]),
        np.array([0, 1], dtype=np.int8),
        np.array([0.0, 1.0]),
        np.array(["a", "a long text"]),
        np.array(["a", "b"], dtype=object),
    ],
)
def test_labels_of_any_type_are_equal(classes: Any, tmp_path: Path) -> None:
    """A graph answers with integers or texts: a label is the same if a cast changes no value."""
    X = numbers()
    model = DecisionTreeClassifier(max_depth=2).fit(X, X[:, 0] > 0)
    model.classes_ = classes
    result = verdict(Case(model, X, classes[(X[:, 0] > 0).astype(int)]), tmp_path)
    assert (result.outcome, result.reason) == (Outcome.SAME, "")


class Constant:
    """Answers the mean."""

    def __init__(self, mean: float) -> None:
        self.mean = mean

    def predict(self, X: Any) -> Any:
        return np.full((len(X), 1), self.mean, dtype=np.float32)


@pytest.mark.parametrize("offset", [0.0, 1e6, 1e9])
def test_constant_is_no_forest(offset: float) -> None:
    """The tolerance is a share of the answers' spread, and does not grow with their size."""
    X = numbers()
    y = offset + X[:, 0]
    forest = RandomForestRegressor(5, random_state=0).fit(X, y)
    result = compare(reference(Case(forest, X)), Constant(float(y.mean())), ONNX.claims)
    assert result.outcome is Outcome.VALUES_DIFFER
    assert result.label_changes == len(X)


def test_single_precision_loses_what_large_targets_say(tmp_path: Path) -> None:
    """Targets of a million plus a normal number keep 6 % of it in single precision."""
    X = numbers()
    forest = RandomForestRegressor(5, random_state=0).fit(X, 1e6 + X[:, 0])
    result = verdict(Case(forest, X), tmp_path)
    assert result.outcome is Outcome.VALUES_DIFFER
    assert result.by_design
    assert result.largest_difference is not None
    assert 0.001 < result.largest_difference < 1


@pytest.mark.parametrize(("off", "same"), [(0.0, True), (50.0, True), (150.0, False)])
def test_constant_may_differ_by_a_share_of_itself(off: float, same: bool) -> None:
    """An answer without a spread has its own value as the scale."""
    X = numbers()
    original = reference(Case(DummyRegressor(strategy="constant", constant=1e6).fit(X, X[:, 0]), X))
    assert compare(original, Constant(1e6 + off), ONNX.claims).same == same


@pytest.mark.parametrize("model", [KNeighborsClassifier(3), MLPClassifier(max_iter=20)])
def test_several_labels_a_row_are_compared(model: Any, tmp_path: Path) -> None:
    """Classifiers of several labels answer with arrays or lists of arrays, also as a graph."""
    X = numbers()
    y = (X > 0).astype(int)
    result = verdict(Case(model.fit(X, y), X, y), tmp_path)
    assert (result.outcome, result.uncompared) == (Outcome.SAME, ())


@pytest.mark.parametrize("kind", [RFE, RFECV])
def test_selector_that_predicts_is_asked_what_its_graph_answers(kind: Any, tmp_path: Path) -> None:
    """The graph of an RFE selects columns: that is its transform, not its predict."""
    X = numbers()
    y = (X[:, 1] > 0).astype(int)  # not the first: skl2onnx takes it for no column
    result = verdict(Case(kind(LogisticRegression()).fit(X, y), X, y), tmp_path)
    assert (result.outcome, result.label_changes) == (Outcome.SAME, None)


def test_answers_of_another_shape_are_told() -> None:
    """Labels in one row differ, and the scores that they cannot have are not missed."""

    class Row:
        def predict(self, X: Any) -> Any:
            return np.zeros((1, len(X)), dtype=int)

    X = numbers()
    y = (X[:, 0] > 0).astype(int)
    model = DecisionTreeClassifier().fit(X, y)
    result = compare(reference(Case(model, X, y)), Row(), ONNX.claims)
    assert (result.outcome, result.uncompared) == (Outcome.LABELS_DIFFER, ())
    assert result.reason == "predict: shape (200,) -> (1, 200)"


def test_table_of_polars_is_a_table(tmp_path: Path) -> None:
    """Its booleans, texts and missing numbers are declared, and given to the graph."""
    polars = pytest.importorskip("polars")
    rows = polars.DataFrame(
        {
            "number": numbers()[:, 0],
            "boolean": BOOLEANS,
            "text": list(TEXTS),
            "count": [None, *range(199)],
        }
    )
    assert verdict(encoded(rows, "boolean", "text"), tmp_path).same
    case = encoded(rows, "boolean", "text")
    scaled = make_pipeline(StandardScaler()).set_output(transform="polars")
    scaled.fit(rows[["number"]])
    assert verdict(Case(scaled, rows[["number"]]), tmp_path).same
    assert compare(reference(case), case.estimator).same
