"""Who survives? Every estimator that scikit-learn lists, saved and loaded by every backend.

The estimators are scikit-learn's own test instances, fitted on small data that their tags ask
for. Each is fitted in one process, which saves it with every backend. Each artifact is loaded and
compared in a process of its own, which has imported libraries and never seen the estimator.
Nothing is trusted beyond what backends admit by themselves.
"""

import copy
import pickle
import re
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

from persistbench import backends
from persistbench.case import Case
from persistbench.cells import attempt
from persistbench.errors import UserError
from persistbench.outcomes import Outcome, Verdict
from persistbench.sandbox import child
from persistbench.trials import base
from persistbench.trials.base import each, in_child
from persistbench.trials.trial import Trial

ROWS, FEATURES = 60, 3  # the dictionary of the SparseCoder wants 3


@dataclass(frozen=True)
class Result(base.Result):
    """What became of one estimator, saved by one backend.

    Attributes:
        bytes: of the artifact; None if there is none.
        untrusted: number of names that the backend's audit does not admit; None without an audit.
        random: methods that answer otherwise each time, before anything is saved.
    """

    bytes: int | None = None
    untrusted: int | None = None
    random: list[str] = field(default_factory=list)


class Survival(base.Kind):
    """Every estimator that scikit-learn lists, fitted once for all backends."""

    name = "survival"
    version = 2
    shared = ("subject",)
    result_type = Result

    @property
    def subjects(self) -> Sequence[str]:
        only = self.selection.estimators
        try:
            names = [name for name in instances() if re.search(only, name)]
        except re.error as error:
            raise UserError(f"--only {only!r} is not a regular expression ({error}).") from error
        if not names:
            raise UserError(
                f"No estimator matches {only!r}: `--only Forest` takes all with that word."
            )
        return names

    def results(self, trials: Sequence[Trial], folder: Path) -> Iterator[Result]:
        ids = [trial.backend for trial in trials]
        saved = each(_save, ids, trials[0].subject, folder, limits=self.limits)
        # All are saved before the first is loaded, because a child waits for none.
        for one, verdict in zip(ids, list(saved), strict=True):
            yield self._loaded(one, folder / one) if verdict.same else Result(verdict)

    def _loaded(self, backend_id: str, path: Path) -> Result:
        """Let a child that has never seen the estimator load the artifact and compare."""
        size = path.stat().st_size
        try:
            result = Result.from_child(_examine, backend_id, path, limits=self.limits)
        finally:
            path.unlink(missing_ok=True)
        return replace(result, bytes=size)


@cache
def instances() -> dict[str, tuple[Any, int]]:
    """Return class and number of every test instance, by the estimator's name.

    Raises:
        UserError: this scikit-learn does not tell how it tests its estimators.
    """
    try:
        from sklearn.utils._test_common.instance_generator import _construct_instances
    except ImportError as error:
        raise UserError(
            "This scikit-learn does not tell how it tests its estimators: install 1.6 or newer."
        ) from error
    from sklearn.utils import all_estimators

    result = {}
    for name, kind in all_estimators():
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                count = len(list(_construct_instances(kind)))
        except Exception:  # it has none: its trials say why
            count = 1
        for number in range(count):
            result[name if count == 1 else f"{name}-{number + 1}"] = (kind, number)
    return result


def build(name: str) -> Case:
    """Fit an estimator on data that its tags ask for.

    Raises:
        Exception: whatever the estimator raises.
    """
    import numpy as np
    from sklearn.utils import get_tags
    from sklearn.utils._test_common.instance_generator import _construct_instances
    from sklearn.utils.estimator_checks import _enforce_estimator_tags_y

    kind, number = instances()[name]
    estimator = list(_construct_instances(kind))[number]
    if "random_state" in estimator.get_params():
        estimator.set_params(random_state=0)
    tags = get_tags(estimator)
    if tags.target_tags.one_d_labels:  # labels are all that it is fitted on
        labels = np.array(["no", "yes"])[np.arange(ROWS) % 2]
        return Case(estimator.fit(labels), labels)
    if tags.target_tags.two_d_labels:
        several = [["a"], ["a", "b"], ["c"]] * (ROWS // 3)
        return Case(estimator.fit(several), several)
    rng = np.random.default_rng(1)
    if tags.regressor_tags is not None and tags.classifier_tags is None:
        y: Any = rng.standard_normal(ROWS)
    else:
        y = np.arange(ROWS) % 2
    y = _enforce_estimator_tags_y(estimator, y)
    X = _rows(estimator, tags.input_tags)
    estimator.fit(X, y)
    classes = y if tags.classifier_tags is not None and y.ndim == 1 else None
    # Asked about a copy: A @ A.T is another routine of BLAS than A @ B.T, and rounds otherwise.
    return Case(estimator, copy.deepcopy(X), classes)


def _rows(estimator: Any, tags: Any) -> Any:
    """Return rows that an estimator can be fitted on: numbers, unless it wants something else."""
    import numpy as np
    from sklearn.utils.estimator_checks import _enforce_estimator_tags_X

    rng = np.random.default_rng(0)
    if tags.two_d_array or tags.one_d_array:
        return _enforce_estimator_tags_X(estimator, rng.standard_normal((ROWS, FEATURES)))
    if tags.three_d_array:
        return rng.standard_normal((ROWS, 20, 20))
    if tags.dict:
        return [{f"f{n}": float(rng.integers(0, 3)) for n in range(FEATURES)} for _ in range(ROWS)]
    words = [f"word{number}" for number in range(40)]
    return [" ".join(rng.choice(words, 8)) for _ in range(ROWS)]


def _original(path: Path) -> Path:
    """Return the file that tells what the original of an artifact answered and held."""
    return path.with_name(f"{path.name}.original")


@in_child
def _save(backend_ids: tuple[str, ...], name: str, folder: Path) -> Iterator[Verdict]:
    """Yield the verdict on the fit, then on the dump by each backend."""
    from persistbench.integrity.answers import reference
    from persistbench.integrity.state import differences, state

    try:
        case = build(name)
        answers = reference(case, needs_use=False)
        held = state(case.estimator)
        original = pickle.dumps((answers, held), protocol=5)
    except Exception as error:
        yield child.of_exception(Outcome.ERROR_AT_BUILD, error)
        return
    yield Verdict(Outcome.SAME)
    for one in backend_ids:
        path = folder / one
        _original(path).write_bytes(original)
        yield attempt.dump(backends.for_trials()[one], case.estimator, case.X, str(path))
        if differences(held, state(case.estimator)):
            return  # the dump has changed the estimator: the next backend is given another


@in_child
def _examine(backend_id: str, path: Path) -> Iterator[Result]:
    """Yield what is known of an artifact."""
    backend = backends.for_trials()[backend_id]
    answers, held = pickle.loads(_original(path).read_bytes())
    result = Result(random=sorted(answers.random))
    try:
        if backend.claims.audits:
            result = replace(result, untrusted=len(backend.audit(str(path))))
    except Exception as error:
        yield replace(result, verdict=child.of_exception(Outcome.ERROR_AT_LOAD, error))
        return
    loaded, verdict = attempt.load(backend, str(path))
    if verdict.same:
        verdict = attempt.use(backend, loaded, answers, held)
    yield replace(result, verdict=verdict)
