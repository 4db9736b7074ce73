"""A loaded pipeline that differs is found, whatever differs."""

import copy
import io
import random
from typing import Any

import cloudpickle
import numpy as np
import pandas as pd
import pytest
import scipy.sparse
from sklearn.base import BaseEstimator, clone
from sklearn.datasets import make_multilabel_classification
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import RandomForestRegressor
from sklearn.kernel_approximation import AdditiveChi2Sampler
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler
from sklearn.utils import check_random_state
from threadpoolctl import threadpool_info

from persistbench import Case
from persistbench.backends import Claims
from persistbench.errors import UserError
from persistbench.integrity.answers import compare, reference
from persistbench.outcomes import Blame, Outcome


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


@pytest.mark.parametrize("model", [KNeighborsClassifier(), MLPClassifier(max_iter=20)])
def test_several_labels_a_row_are_compared(model: Any) -> None:
    """Accuracy of all labels and a confusion matrix for each label are compared."""
    X, y = make_multilabel_classification(200, random_state=0)
    original = reference(Case(model.fit(X, y), X, y))
    assert original.scores["accuracy"] == np.mean((model.predict(X) == y).all(axis=1))
    assert np.shape(original.scores["confusion matrix"]) == (y.shape[1], 2, 2)
    verdict = compare(original, copy.deepcopy(model))
    assert (verdict.outcome, verdict.uncompared) == (Outcome.SAME, ())
    other = clone(model).fit(X, 1 - y)
    assert compare(original, other).outcome is Outcome.LABELS_DIFFER


def test_scores_that_nobody_defines_are_uncompared() -> None:
    """Several columns of several classes have no confusion matrix: the answers are compared."""
    X = np.random.default_rng(0).standard_normal((60, 3))
    y = np.digitize(X, [-0.5, 0.5])
    model = KNeighborsClassifier().fit(X, y)
    verdict = compare(reference(Case(model, X, y)), copy.deepcopy(model))
    assert verdict.same
    assert verdict.uncompared == ("scores: y has several columns (multiclass-multioutput)",)


def test_unknown_truth_is_no_fault_of_the_pipeline(case: Case) -> None:
    """True classes that our scores refuse are named, and the answers are compared."""
    wrong = Case(case.estimator, case.X, [object()] * len(case.X))
    verdict = compare(reference(wrong), case.estimator)
    assert verdict.same
    assert verdict.uncompared[0].startswith("scores: ")


class Shy(BaseEstimator):
    """Does not tell its parameters once it is shy."""

    def __init__(self, shy: bool = True) -> None:
        self.shy = shy

    def get_params(self, deep: bool = True) -> Any:
        if self.shy:
            raise RuntimeError("no parameters")
        return {}

    def predict(self, X: Any) -> Any:
        return np.zeros(len(X))


def test_parameters_that_are_not_told_are_uncompared() -> None:
    """An original that refuses its parameters has answers that are compared."""
    verdict = compare(reference(Case(Shy(), [[1]])), Shy())
    assert verdict.same
    assert verdict.uncompared == ("structure: our check fails, RuntimeError: no parameters",)
    verdict = compare(reference(Case(Shy(shy=False), [[1]])), Shy())
    assert verdict.outcome is Outcome.STATE_DIFFERS
    assert "no parameters" in verdict.reason


class Answers(BaseEstimator):
    """Answers what a function returns."""

    def __init__(self, function: Any) -> None:
        self.function = function

    def predict(self, X: Any) -> Any:
        return self.function(X)


class Unreadable:
    """An answer that cannot become an array."""

    def __array__(self, *arguments: Any, **options: Any) -> Any:
        raise RuntimeError("unreadable")


def test_answer_that_cannot_be_read_leaves_the_state() -> None:
    """Answers that our check cannot read are named, and the whole state is compared instead."""
    original = reference(Case(Answers(lambda X: Unreadable()), [[1]]))
    verdict = compare(original, Answers(original_answer))
    assert verdict.outcome is Outcome.STATE_DIFFERS
    assert "predict: our check fails, RuntimeError: unreadable" in verdict.uncompared[0]
    assert original.first_use == "predict"


def original_answer(X: Any) -> Any:
    """Answer as the original does."""
    return Unreadable()


def test_nothing_compared_is_the_checks_fault() -> None:
    """Where neither answers nor a state can be compared, there is no verdict on the backend."""
    original = reference(Case(Answers(original_answer), [[1]]))
    verdict = compare(original, Answers(original_answer), PREDICTOR)
    assert (verdict.outcome, verdict.blame) == (Outcome.UNSUPPORTED, Blame.CHECK)
    assert verdict.reason.startswith("our check cannot compare: predict: our check fails")
    zeros = reference(Case(Answers(lambda X: np.zeros(1)), [[1]]))
    verdict = compare(zeros, Answers(original_answer))
    assert (verdict.outcome, verdict.blame) == (Outcome.UNSUPPORTED, Blame.CHECK)


def test_error_of_the_pipeline_is_its_own() -> None:
    """An exception of predict is raised, whoever is asked."""

    def fails(X: Any) -> Any:
        raise RuntimeError("own")

    with pytest.raises(RuntimeError, match="own"):
        reference(Case(Answers(fails), [[1]]))
    with pytest.raises(RuntimeError, match="own"):
        compare(reference(Case(Answers(np.zeros_like), [[1]])), Answers(fails))


PREDICTOR = Claims(returns="predictor", tolerance=1e-4)


@pytest.mark.parametrize(
    "draw",
    [
        pytest.param(lambda X: np.random.random(len(X)), id="numpy"),
        pytest.param(lambda X: np.array([random.random() for _ in X]), id="python"),
        pytest.param(lambda X: check_random_state(None).permutation(len(X)), id="scikit-learn"),
    ],
)
def test_answers_of_global_generators_are_compared(draw: Any) -> None:
    """They get a seed when they are asked, and then go on as if nobody had asked."""
    before = random.getstate(), repr(np.random.get_state())
    X = np.zeros((20, 1))
    original = reference(Case(Answers(draw), X))
    assert (original.outputs, original.random) == ({}, {})
    verdict = compare(original, Answers(draw))
    assert (verdict.outcome, verdict.uncompared) == (Outcome.SAME, ())
    assert compare(original, Answers(lambda X: draw(X) + 1)).outcome is Outcome.VALUES_DIFFER
    predictor = compare(original, Answers(lambda X: draw(X) + 1), PREDICTOR)
    assert predictor.same
    assert predictor.uncompared == ("predict: answers at random; only its form was compared",)
    assert (random.getstate(), repr(np.random.get_state())) == before


def test_dummy_classifier_without_a_seed_is_compared() -> None:
    """Its labels are drawn from the global generator: swapped classes are found."""
    X, y = np.zeros((40, 1)), np.arange(40) % 2
    model = DummyClassifier(strategy="uniform").fit(X, y)
    original = reference(Case(model, X, y))
    assert compare(original, copy.deepcopy(model)).same
    other = copy.deepcopy(model)
    other.classes_ = other.classes_[::-1]
    assert compare(original, other).outcome is Outcome.LABELS_DIFFER


class Dice:
    """Draws labels from a generator of its own."""

    def __init__(self, classes: Any) -> None:
        self.classes_ = np.array(classes)

    def predict(self, X: Any) -> Any:
        return np.random.default_rng().choice(self.classes_, len(X))


@pytest.mark.parametrize("classes", [[0, 1], ["no", "yes"], [False, True]])
def test_random_answers_leave_the_state(classes: list[Any]) -> None:
    """What is drawn anew each time is not compared, but its form and the whole state are."""
    X = np.zeros((40, 1))
    original = reference(Case(Dice(classes), X, classes * 20))
    same = compare(original, Dice(classes))
    assert same.same
    assert same.uncompared == ("predict: answers at random; its state was compared instead",)
    assert same.label_changes is None
    swapped = compare(original, Dice(classes[::-1]))
    assert (swapped.outcome, swapped.reason) == (Outcome.STATE_DIFFERS, ".classes_ differs")


@pytest.mark.parametrize(
    ("other", "reason"),
    [
        (lambda X: np.full(len(X), 7), "labels that are no class: [7]"),
        (lambda X: np.zeros(3, dtype=int), "in another form"),
        (lambda X: np.array(["0"] * len(X)), "labels that are no class: ['0']"),
    ],
)
def test_form_of_random_answers_is_compared(other: Any, reason: str) -> None:
    """A predictor that draws labels has as many as there are rows, and knows the classes."""
    original = reference(Case(Dice([0, 1]), np.zeros((40, 1))))
    verdict = compare(original, Answers(other), PREDICTOR)
    assert verdict.outcome is Outcome.VALUES_DIFFER
    assert reason in verdict.reason
    right = compare(original, Answers(lambda X: np.zeros((len(X), 1), dtype=np.float32)), PREDICTOR)
    assert right.same
    assert right.uncompared == ("predict: answers at random; only its form was compared",)


def test_lost_method_is_a_difference_also_if_it_answers_at_random() -> None:
    """An estimator without its random predict is not the same."""

    class Transforms(BaseEstimator):
        def transform(self, X: Any) -> Any:
            return np.zeros(len(X))

    class Both(Transforms):
        def predict(self, X: Any) -> Any:
            return np.random.default_rng().random(len(X))

    original = reference(Case(Both(), np.zeros((40, 1))))
    verdict = compare(original, Transforms())
    assert verdict.outcome is Outcome.VALUES_DIFFER
    assert verdict.reason == "predict: the loaded pipeline has no such method"
    verdict = compare(original, Transforms(), PREDICTOR)
    assert (verdict.outcome, verdict.uncompared) == (Outcome.SAME, ())


def test_labels_that_cannot_be_sorted_are_named() -> None:
    """Random answers may hold anything that is no class."""
    original = reference(Case(Dice([0, 1]), np.zeros((40, 1))))
    other = Answers(lambda X: np.array([None, "a"] * (len(X) // 2), dtype=object))
    verdict = compare(original, other, PREDICTOR)
    assert "labels that are no class: ['a', None]" in verdict.reason


@pytest.mark.parametrize(
    ("rows", "what"),
    [
        ((row for row in [[1]]), "is a generator, which can be read only once"),
        (iter([[1]]), "is a list_iterator, which can be read only once"),
        (zip([1], [2], strict=True), "is a zip, which can be read only once"),
        (map(float, [1]), "is a map, which can be read only once"),
        (io.StringIO("1"), "is a StringIO, which can be read only once"),
        (None, "is None"),
        ([], "has no rows"),
        (np.zeros((0, 3)), "has no rows"),
        (scipy.sparse.csr_array((0, 3)), "has no rows"),
        (pd.DataFrame({"a": []}), "has no rows"),
    ],
)
def test_rows_that_cannot_be_asked_twice_are_refused(rows: Any, what: str, case: Case) -> None:
    """One sentence says what the rows are, and to give a list or an array."""
    with pytest.raises(UserError, match=rf"^X, the held-out rows, {what}: give a list or an array"):
        reference(Case(case.estimator, rows))


def test_state_is_compared_on_request(case: Case) -> None:
    """An attribute that no answer shows is a difference of state, if the state is asked for."""
    original = reference(case)
    other = copy.deepcopy(case.estimator)
    other[0].extra_ = 1
    assert compare(original, other).same
    verdict = compare(original, other, with_state=True)
    assert (verdict.outcome, verdict.label_changes) == (Outcome.STATE_DIFFERS, 0)


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


@pytest.mark.parametrize("pair", [(2.0, 3.0), ({"mean": 2.0}, {"mean": 3.0})])
def test_answer_without_rows_is_compared(pair: tuple[Any, Any]) -> None:
    """A single number or a dict that differs is found, and no number of changed labels is said."""
    original = reference(Case(Answers(lambda X: pair[0]), np.ones((4, 2))))
    verdict = compare(original, Answers(lambda X: pair[1]))
    assert verdict.outcome is Outcome.VALUES_DIFFER
    assert verdict.label_changes is None
    assert not verdict.uncompared
    assert compare(original, Answers(lambda X: pair[0])).label_changes is None


def test_rows_that_are_changed_in_place_are_kept(case: Case) -> None:
    """A scaler that writes into its rows gets a copy each time it is asked."""
    X = case.X * 3 + 5
    model = make_pipeline(StandardScaler(copy=False), LogisticRegression())
    model.fit(case.X.copy(), case.y)
    kept = X.copy()
    original = reference(Case(model, X, case.y))
    assert original.random == {}
    verdict = compare(original, copy.deepcopy(model))
    assert (verdict.outcome, verdict.uncompared) == (Outcome.SAME, ())
    np.testing.assert_array_equal(original.X, kept)


class Uncopied(list[Any]):
    """Rows that cannot be copied."""

    def __deepcopy__(self, memory: Any) -> Any:
        raise TypeError("one only")


def test_rows_that_cannot_be_copied_are_asked_themselves() -> None:
    """A copy of the rows is no duty of the pipeline's author."""
    model = Answers(lambda X: np.ones(len(X)))
    assert compare(reference(Case(model, Uncopied([1, 2]))), copy.deepcopy(model)).same


class Raising(BaseEstimator):
    """Predicts; its other methods raise what they are told to."""

    def __init__(self, error: type[Exception] = NotImplementedError, answers: bool = True) -> None:
        self.error = error
        self.answers = answers

    def predict(self, X: Any) -> Any:
        if not self.answers:
            raise self.error("no predictions")
        return np.ones(len(X))

    @property
    def predict_proba(self) -> Any:
        raise NotImplementedError("no probabilities")

    def decision_function(self, X: Any) -> Any:
        raise self.error("no values")


def test_method_of_the_original_that_raises_is_named() -> None:
    """The other methods are compared, and what was loaded raises the same."""
    original = reference(Case(Raising(), [[1], [2]]))
    verdict = compare(original, Raising())
    assert verdict.outcome is Outcome.SAME
    assert verdict.uncompared == (
        "predict_proba: the original raises NotImplementedError",
        "decision_function: the original raises NotImplementedError",
    )
    assert original.first_use == "predict"
    verdict = compare(original, Raising(ValueError))
    assert verdict.outcome is Outcome.VALUES_DIFFER
    assert verdict.reason == (
        "decision_function: the original raises NotImplementedError, "
        "what was loaded raises ValueError"
    )
    verdict = compare(original, Answers(lambda X: np.ones(len(X))))
    assert "predict_proba: the original raises NotImplementedError, what was loaded does not" in (
        verdict.reason
    )


def test_original_whose_methods_all_raise_is_an_error() -> None:
    """A pipeline that answers nothing cannot be compared: its own exception says why."""
    with pytest.raises(ValueError, match="no predictions"):
        reference(Case(Raising(ValueError, answers=False), [[1]]))


def test_text_of_a_differing_structure_has_both_classes(case: Case) -> None:
    """The text names the estimator, or the parameter, and the class before and after."""
    original = reference(case)
    verdict = compare(original, Wrapped(case.estimator))
    assert verdict.reason == (
        f"structure: the estimator: sklearn.pipeline.Pipeline -> {__name__}.Wrapped"
    )


class Wrapped:
    """Answers as another estimator does, and has its classes."""

    def __init__(self, estimator: Any) -> None:
        self.estimator = estimator

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__dict__["estimator"], name)


def test_class_made_in_a_function_is_the_same_after_cloudpickle() -> None:
    """Such a class is restored by value, and under the last part of its name only."""

    class Local(LogisticRegression):
        pass

    X = np.random.default_rng(0).standard_normal((20, 2))
    model = Local().fit(X, X[:, 0] > 0)
    other = type("Local", (LogisticRegression,), {"__module__": __name__})
    loaded = other().fit(X, X[:, 0] > 0)
    original = reference(Case(model, X))
    assert compare(original, cloudpickle.loads(cloudpickle.dumps(model)), with_state=True).same
    assert compare(original, loaded, with_state=True).same
    stranger = type("Strange", (LogisticRegression,), {"__module__": __name__})
    verdict = compare(original, stranger().fit(X, X[:, 0] > 0))
    assert verdict.reason == (f"structure: the estimator: {__name__}.Local -> {__name__}.Strange")
