"""Does a loaded pipeline answer as the pipeline that was saved?

Predictions, probabilities, decision values and transforms are compared. Then accuracy, precision,
recall, F1 (macro averages) and the confusion matrix on the held-out rows are compared. What cannot
be compared is named: a failure of our own check is no fault of a pipeline or a backend.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Self

from persistbench.backends import Claims
from persistbench.case import Case
from persistbench.integrity import arrays
from persistbench.integrity.arrays import comparable
from persistbench.integrity.asking import METHODS, Asked, ask, check_rows
from persistbench.integrity.scores import NoScoresError, scores
from persistbench.integrity.state import State, class_name, differences, state
from persistbench.outcomes import Blame, Outcome, Verdict, explain

_EXACT = Claims()


@dataclass(frozen=True)
class Reference:
    """The answers of the original to the held-out rows, right after its fit.

    Attributes:
        X: the rows, as in :class:`~persistbench.case.Case`, shape (n_rows, n_features).
        y: the true classes, shape (n_rows,) or (n_rows, n_labels), or None.
        outputs: the answer of each method, as :func:`~persistbench.integrity.arrays.comparable`
            returns it. Methods of :data:`METHODS` count if the estimator has them and answers
            twice the same.
        structure: see :func:`structure`.
        scores: see :func:`scores`; empty where no classes are predicted.
        random: the first answer of each method that answers twice differently; its form is
            compared.
        seeded: the answer of each method that draws from the global generators of NumPy or
            Python, whose seed is 0 then.
        state: what the original holds before it is asked.
        classes: the labels that the original predicts, shape (n_classes,), or None.
        uncompared: the reason, by the name of each check that cannot be made.
        raised: the name of the exception that a method raises, by method; empty if the method
            does not raise the same each time.
    """

    X: Any
    y: Any
    outputs: dict[str, Any]
    structure: dict[str, str]
    scores: dict[str, Any]
    random: dict[str, Any] = field(default_factory=dict)
    seeded: dict[str, Any] = field(default_factory=dict)
    state: State = field(default_factory=lambda: state(None))
    classes: Any = None
    uncompared: dict[str, str] = field(default_factory=dict)
    raised: dict[str, str] = field(default_factory=dict)

    @property
    def first_use(self) -> str:
        """The method that a user calls first after a load."""
        has = {*self.outputs, *self.seeded, *self.random, *self.uncompared} - {*self.raised}
        return next(name for name in METHODS if name in has)

    @property
    def known(self) -> dict[str, Any]:
        """The answers that :func:`compare` compares by their values."""
        return self.outputs | self.seeded

    @property
    def for_predictor(self) -> Self:
        """The reference for a predictor: it draws from its own generators, and has no structure."""
        scores = {} if "predict" in self.seeded else self.scores
        uncompared = {**self.uncompared}
        uncompared.pop("structure", None)
        random = self.random | self.seeded
        return replace(self, scores=scores, seeded={}, random=random, uncompared=uncompared)

    @property
    def by_state(self) -> tuple[str, ...]:
        """The methods whose answers cannot be compared: the state is compared instead."""
        unknown = {*self.random, *self.uncompared} - {
            name for name, kind in self.raised.items() if kind
        }
        return tuple(name for name in METHODS if name in unknown)


def reference(case: Case, needs_use: bool = True) -> Reference:
    """Return the answers of the original, which is asked twice.

    Args:
        case: the original and its held-out rows.
        needs_use: whether an estimator without any of :data:`METHODS` is an error. If not, the
            result holds only its structure and its state.

    Raises:
        ValueError: the estimator has none of :data:`METHODS`.
        UserError: there are no rows, or they can be read only once.
        Exception: the estimator's own exception, if no method answers.
    """
    check_rows(case.X)
    held = state(case.estimator)
    first, again = (ask(case.estimator, case.X) for _ in range(2))
    if not first and needs_use:
        raise ValueError(f"the estimator has none of {', '.join(METHODS)}")
    errors = [one.error for asked in (first, again) for one in asked.values() if one.error]
    if errors and all(_raised(first, name) or _raised(again, name) for name in first):
        raise errors[0]
    notes: dict[str, str] = {}
    raised: dict[str, str] = {}
    outputs: dict[str, Any] = {}
    seeded: dict[str, Any] = {}
    varying: dict[str, Any] = {}
    for name, one in first.items():
        kinds = _raised(first, name), _raised(again, name)
        if any(kinds):
            always = kinds[0] == kinds[1]
            raised[name] = kinds[0] if always else ""
            rarely = "" if always else ", and not each time"
            notes[name] = f"the original raises {kinds[0] or kinds[1]}{rarely}"
            continue
        with _noting(name, notes):
            answer = comparable(one.answer)
            differs = arrays.difference(answer, comparable(again[name].answer))
            place = varying if differs else seeded if one.drawn else outputs
            place[name] = answer
    structured: dict[str, str] = {}
    with _noting("structure", notes):
        structured = structure(case.estimator)
    classes = None
    with _noting("classes", notes):
        known = getattr(case.estimator, "classes_", None)
        classes = None if known is None else comparable(known)
    scored: dict[str, Any] = {}
    predicted = (outputs | seeded).get("predict")
    if case.y is not None and classes is not None and predicted is not None:
        with _noting("scores", notes):
            scored = scores(case.y, arrays.values(predicted))
    return Reference(
        case.X, case.y, outputs, structured, scored, varying, seeded, held, classes, notes, raised
    )


def _raised(asked: dict[str, Asked], name: str) -> str:
    """Return the name of the exception that a method raised; empty if it did not."""
    error = asked[name].error if name in asked else None
    return type(error).__name__ if error else ""


def compare(
    original: Reference, loaded: Any, claims: Claims = _EXACT, with_state: bool = False
) -> Verdict:
    """Return the verdict on a loaded pipeline: the worst difference from the original.

    Args:
        original: the answers of the original.
        loaded: the loaded pipeline.
        claims: of the backend. A predictor is asked only what it can answer, and has neither
            structure nor state. Numbers may differ within the tolerance.
        with_state: whether the state is compared where answers can be compared, too.

    Raises:
        Exception: the loaded pipeline's own exception.
    """
    estimator = claims.returns == "estimator"
    if not estimator:
        original = original.for_predictor
    # Before it is used: some estimators note something then.
    holds = state(loaded) if estimator and (with_state or original.by_state) else None
    answered = ask(loaded, original.X)
    for name, one in answered.items():
        # Where the original raises, too, the two exceptions are compared.
        if one.error and name not in original.raised:
            raise one.error
    asked = {name: one.answer for name, one in answered.items() if not one.error}
    if not estimator and not asked.keys() & {*original.known, *original.by_state}:
        return Verdict(Outcome.ERROR_AT_USE, "it answers nothing that the original answers")
    raised = {name: _raised(answered, name) for name in answered}
    comparison = _Comparison(original, claims, asked, raised)
    reasons = comparison.differing()
    changed = ""
    if estimator and not reasons:
        changed = comparison.structure(loaded)
    if holds is not None and not reasons:
        changed = changed or differences(original.state, holds)
    notes = comparison.notes
    for name in [one for one in original.by_state if one in asked]:
        form = name in original.random and name not in notes
        instead = f"{'only its form' if form else 'nothing'} was compared"
        instead = instead if holds is None else "its state was compared instead"
        notes[name] = f"{notes.get(name, 'answers at random')}; {instead}"
    if holds is not None and (unknown := original.state.uncompared or holds.uncompared):
        notes["state"] = ", ".join(unknown)
    facts: dict[str, Any] = {
        "label_changes": comparison.label_changes,
        "largest_difference": comparison.largest if claims.tolerance else None,
        "uncompared": tuple(f"{name}: {reason}" for name, reason in notes.items()),
    }
    if reasons:
        classes = original.classes is not None and original.y is not None
        outcome = Outcome.VALUES_DIFFER
        if comparison.label_changes and classes:
            outcome = Outcome.LABELS_DIFFER
        return Verdict(outcome, "; ".join(reasons), by_design=claims.tolerance > 0, **facts)
    if changed:
        return Verdict(Outcome.STATE_DIFFERS, changed, **facts)
    if holds is None and not comparison.compared and notes.keys() & {*METHODS, "structure"}:
        reason = f"our check cannot compare: {'; '.join(facts['uncompared'])}"
        return Verdict(Outcome.UNSUPPORTED, reason, fault=Blame.CHECK, **facts)
    return Verdict(Outcome.SAME, **facts)


@dataclass
class _Comparison:
    """The answers of a loaded pipeline beside those of the original.

    Attributes:
        original: the answers of the original.
        claims: of the backend.
        asked: the answer of the loaded pipeline, by method.
        raised: the name of the exception that a method of the loaded pipeline raises, by method.
        notes: the reason, by the name of each check that cannot be made.
        compared: whether an answer, or the form of one, was compared.
        label_changes: see :class:`~persistbench.outcomes.Verdict`.
        largest: see :class:`~persistbench.outcomes.Verdict`.
    """

    original: Reference
    claims: Claims
    asked: dict[str, Any]
    raised: dict[str, str]
    notes: dict[str, str] = field(init=False)
    compared: bool = False
    label_changes: int | None = None
    largest: float = 0.0

    def __post_init__(self) -> None:
        """Begin with what could not be compared of the original."""
        self.notes = dict(self.original.uncompared)

    def differing(self) -> list[str]:
        """Return a text on each method and each score that differs."""
        reasons = []
        checks = dict.fromkeys(self.original.known, self._of_answer)
        checks |= dict.fromkeys(self.original.random, self._of_form)
        for name, check in checks.items():
            if name not in self.asked:
                if self.claims.returns == "estimator":
                    reasons.append(f"{name}: the loaded pipeline has no such method")
                    if name == "predict" and name in self.original.known:
                        self.label_changes = arrays.count_rows(self.original.known[name])
                continue
            with _noting(name, self.notes):
                if text := check(name):
                    reasons.append(f"{name}: {text}")
                self.compared = True
        if self.claims.returns == "estimator":
            for name, before in self.original.raised.items():
                now = self.raised.get(name, "")
                if before and now != before:
                    what = f"raises {now}" if now else "does not"
                    reasons.append(f"{name}: the original raises {before}, what was loaded {what}")
        # Where other labels have no scores, the labels say enough.
        with _noting("scores", {} if self.label_changes else self.notes):
            reasons += self._of_scores()
        return reasons

    def structure(self, loaded: Any) -> str:
        """Return a text on the differing structure of the loaded pipeline; empty if it is equal."""
        if "structure" in self.original.uncompared:
            return ""
        try:
            own = structure(loaded)
        except Exception as error:  # the same check of the original has succeeded
            return f"structure: the loaded pipeline does not tell its parameters, {explain(error)}"
        before = self.original.structure
        text = ", ".join(
            f"{name or 'the estimator'}: {before.get(name, 'none')} -> {own.get(name, 'none')}"
            for name in sorted({name for name, _ in before.items() ^ own.items()})
        )
        return f"structure: {text}" if text else ""

    def _pair(self, name: str) -> tuple[Any, Any]:
        """Return both answers of a method; only their values, if one is a predictor's."""
        expected = (self.original.known | self.original.random)[name]
        found = comparable(self.asked[name])
        if self.claims.returns == "estimator":
            return expected, found
        expected = arrays.values(expected)
        return expected, arrays.as_expected(expected, arrays.values(found))

    def _of_answer(self, name: str) -> str:
        expected, found = self._pair(name)
        text = arrays.difference(expected, found, self.claims.tolerance, name in _POOLED)
        if self.claims.tolerance:
            self.largest = max(self.largest, arrays.largest_difference(expected, found))
        if name == "predict":
            rows = arrays.count_rows(expected)
            self.label_changes = 0 if rows is not None else None
            if text and rows is not None:
                changed = arrays.changed_rows(expected, found, self.claims.tolerance)
                self.label_changes = rows if changed is None else int(changed.sum())
        return text

    def _of_form(self, name: str) -> str:
        """Return how the form of a random answer differs; its values cannot be compared."""
        expected, found = self._pair(name)
        forms = [arrays.form(one) for one in (expected, found)]
        if self.claims.returns != "estimator":
            forms = [getattr(one, "shape", None) for one in (expected, found)]
        if forms[0] != forms[1]:
            return f"answers at random, in another form: {forms[0]} -> {forms[1]}"
        if name == "predict" and self.original.classes is not None:
            classes = _labels(self.original.classes) | _labels(expected)
            if strange := _labels(found) - classes:
                named = sorted(strange, key=repr)[:3]
                return f"answers at random, with labels that are no class: {named}"
        return ""

    def _of_scores(self) -> list[str]:
        expected = self.original.scores
        if not expected or "predict" not in self.asked or "predict" in self.notes:
            return []
        found = scores(self.original.y, self._pair("predict")[1])
        return [
            f"{name} {arrays.short(before)} -> {arrays.short(found[name])}"
            for name, before in expected.items()
            if repr(before) != repr(found[name])
        ]


_POOLED = ("predict_proba",)
"""The methods whose columns have one scale."""


def _labels(answer: Any) -> set[Any]:
    parts = answer if isinstance(answer, tuple) else (arrays.values(answer),)
    return {label for part in parts for label in arrays.values(part).ravel().tolist()}


def answers_same(expected: Any, output: Any, claims: Claims = _EXACT) -> bool:
    """Return whether an output equals the original's, bit for bit or within the tolerance.

    Args:
        expected: an entry of :attr:`Reference.outputs`; None if the method answers at random.
        output: the answer of the same method of a loaded pipeline.
        claims: of the backend.
    """
    if expected is None:
        return True
    result = comparable(output)
    if claims.returns == "predictor":
        expected = arrays.values(expected)
        result = arrays.as_expected(expected, arrays.values(result))
    return not arrays.difference(expected, result, claims.tolerance)


@contextmanager
def _noting(name: str, notes: dict[str, str]) -> Iterator[None]:
    """Note why a check of our own fails; the error goes no further."""
    try:
        yield
    except NoScoresError as error:
        notes[name] = str(error)
    except Exception as error:
        notes[name] = f"our check fails, {explain(error)}"


def structure(estimator: Any) -> dict[str, str]:
    """Return class names by parameter name: of the estimator (name "") and of nested estimators.

    The value of a parameter ``steps`` is the names of the steps.
    """
    result = {"": class_name(type(estimator))}
    if hasattr(estimator, "get_params"):
        for name, value in estimator.get_params(deep=True).items():
            if hasattr(value, "get_params"):
                result[name] = class_name(type(value))
            elif name.split("__")[-1] == "steps" and isinstance(value, list):
                result[name] = ", ".join(str(step[0]) for step in value)
    return result
