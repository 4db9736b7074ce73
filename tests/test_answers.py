"""A loaded pipeline that differs is found, whatever differs."""

import copy
from typing import Any

import numpy as np
import pytest
import scipy.sparse
from sklearn.base import BaseEstimator
from sklearn.ensemble import RandomForestRegressor
from sklearn.kernel_approximation import AdditiveChi2Sampler
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler
from threadpoolctl import threadpool_info

from persistbench import Case
from persistbench.integrity.answers import compare, reference
from persistbench.outcomes import Outcome


def test_untouched_copy_is_the_same(case: Case) -> None:
    """A faithful copy is `same`, with no changed label."""
    verdict = compare(reference(case), copy.deepcopy(case.estimator))
    assert (verdict.outcome, verdict.label_changes) == (Outcome.SAME, 0)


def test_one_changed_coefficient_is_found(case: Case) -> None:
    """A coefficient off by its last bit changes no label and is still found."""
    loaded = copy.deepcopy(case.estimator)
    coefficients = loaded[-1].coef_
    coefficients[0, 0] = np.nextafter(coefficients[0, 0], np.inf)
    verdict = compare(reference(case), loaded)
    assert verdict.outcome is Outcome.VALUES_DIFFER
    assert verdict.label_changes == 0
    assert "decision_function" in verdict.reason


def test_swapped_class_labels_are_found(case: Case) -> None:
    """Swapped classes leave probabilities equal; labels and all metrics tell."""
    loaded = copy.deepcopy(case.estimator)
    loaded[-1].classes_ = loaded[-1].classes_[::-1].copy()
    verdict = compare(reference(case), loaded)
    assert verdict.outcome is Outcome.LABELS_DIFFER
    assert verdict.label_changes == len(case.X)
    for metric in ("accuracy", "precision", "recall", "F1", "confusion matrix"):
        assert metric in verdict.reason


def test_dropped_step_is_found(case: Case) -> None:
    """A pipeline that lost its scaler predicts something else."""
    verdict = compare(reference(case), Pipeline(case.estimator.steps[1:]))
    assert verdict.outcome is Outcome.LABELS_DIFFER


def test_dropped_step_without_effect_is_found(case: Case) -> None:
    """A lost step that changed no value is a difference of state."""
    with_spare = make_pipeline(FunctionTransformer(), *(step for _, step in case.estimator.steps))
    original = reference(Case(with_spare, case.X, case.y))
    verdict = compare(original, case.estimator)
    assert verdict.outcome is Outcome.STATE_DIFFERS
    assert "functiontransformer" in verdict.reason


def test_missing_method_is_found(case: Case) -> None:
    """A loaded object that can no longer give probabilities is not the same."""

    class Predictor:
        predict = case.estimator.predict

    verdict = compare(reference(case), Predictor())
    assert verdict.outcome is Outcome.VALUES_DIFFER
    assert "predict_proba: the loaded pipeline has no such method" in verdict.reason


def test_lost_precision_is_found(case: Case) -> None:
    """Values that are equal but of another type are not bit for bit the same."""
    original = reference(case)
    loaded = copy.deepcopy(case.estimator)
    loaded[-1].classes_ = loaded[-1].classes_.astype(np.int32)
    assert "int64 -> int32" in compare(original, loaded).reason


def test_changed_regression_is_found(case: Case) -> None:
    """Where no classes are predicted, another prediction is another value."""
    model = RandomForestRegressor(n_estimators=3, random_state=0).fit(case.X, case.X[:, 0])
    original = reference(Case(model, case.X))
    other = RandomForestRegressor(n_estimators=3, random_state=1).fit(case.X, case.X[:, 0])
    verdict = compare(original, other)
    assert verdict.outcome is Outcome.VALUES_DIFFER
    assert verdict.label_changes is not None
    assert verdict.label_changes > 0


def test_whole_numbered_regression_has_no_classes(case: Case) -> None:
    """Targets such as 151.0 look like classes, and are none if the estimator has no classes."""
    y = np.round(case.X[:, 0] * 100)
    model = RandomForestRegressor(n_estimators=3, random_state=0).fit(case.X, y)
    original = reference(Case(model, case.X, y))
    assert original.scores == {}
    assert compare(original, copy.deepcopy(model)).same


def test_parameter_that_ends_in_steps_is_no_list_of_steps() -> None:
    """`sample_steps=2` of an estimator is a number."""
    X = np.abs(np.random.default_rng(0).standard_normal((20, 3)))
    model = AdditiveChi2Sampler(sample_steps=2).fit(X)
    assert compare(reference(Case(model, X)), copy.deepcopy(model)).same


def test_missing_values_are_equal_to_themselves() -> None:
    """A transform with NaN in it is the same as itself."""
    X = np.array([[1.0], [np.nan], [3.0]])
    model = StandardScaler().fit(X)
    assert compare(reference(Case(model, X)), copy.deepcopy(model)).same


def test_sparse_transform_is_compared() -> None:
    """A changed value in a sparse transform is found."""
    X = np.array([["a"], ["b"], ["a"]])
    model = OneHotEncoder().fit(X)
    original = reference(Case(model, X))
    assert scipy.sparse.issparse(model.transform(X))
    assert compare(original, copy.deepcopy(model)).same
    loaded = copy.deepcopy(model)
    loaded.categories_ = [loaded.categories_[0][::-1].copy()]
    loaded.categories_[0].sort()
    loaded.categories_ = [np.array(["b", "c"])]
    loaded.handle_unknown = "ignore"
    assert compare(original, loaded).outcome is Outcome.VALUES_DIFFER


def test_estimator_without_use_is_refused() -> None:
    """A case whose estimator can do nothing with rows cannot show a broken load."""
    with pytest.raises(ValueError, match="none of predict"):
        reference(Case(object(), [[1]]))


def test_what_loading_breaks_is_raised(case: Case) -> None:
    """An estimator that cannot be used after loading raises; the caller names the stage."""
    with pytest.raises(Exception, match="not fitted"):
        compare(reference(case), LogisticRegression())


class Threads(BaseEstimator):
    """Answers with the number of threads that BLAS may use."""

    def predict(self, X: Any) -> Any:
        counts = [pool["num_threads"] for pool in threadpool_info()]
        return np.full(len(X), max(counts))


def test_answers_are_compared_on_one_thread() -> None:
    """The number of threads may change an answer, so it is the same for all who are asked."""
    case = Case(Threads(), np.zeros((3, 1)))
    assert set(reference(case).outputs["predict"]) == {1}
    assert compare(reference(case), case.estimator).same
