"""Who survives? Every estimator that scikit-learn lists, saved and loaded by every backend.

The estimators are scikit-learn's own test instances, fitted on small data that their tags ask
for. Each is fitted in one process, which saves it with every backend. Each artifact is loaded and
compared in a process of its own, which has imported libraries and never seen the estimator.
Nothing is trusted beyond what backends admit by themselves.
"""

import copy
import pickle
import re
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from persistbench import backends, sandbox
from persistbench.case import Case
from persistbench.cells import attempt
from persistbench.errors import UserError
from persistbench.outcomes import Outcome, Verdict
from persistbench.sandbox import child
from persistbench.trials import campaign
from persistbench.trials.campaign import Record, Task, Trial

KIND = "survival"
VERSION = 1
"""Of what is tried: raised with every change of this file that can change an outcome."""

LIMITS = sandbox.Limits(seconds=60, memory=2 * 10**9, file_size=10**9)
"""For a fit, a dump, or a load with its comparison; the whole takes milliseconds, usually."""

ROWS, FEATURES = 60, 3  # the dictionary of the SparseCoder wants 3


def tasks(only: str, backend_ids: Sequence[str]) -> list[Task]:
    """Return a task for each estimator: it is fitted once for all backends.

    Args:
        only: a regular expression that is searched in the names of estimators; empty for all.
        backend_ids: empty for all.

    Raises:
        UserError: no estimator matches, there is no such backend, or this scikit-learn does not
            tell how it tests its estimators.
    """
    chosen = campaign.chosen(backend_ids)
    try:
        names = [name for name in instances() if re.search(only, name)]
    except re.error as error:
        raise UserError(f"--only {only!r} is not a regular expression ({error}).") from error
    if not names:
        raise UserError(f"No estimator matches {only!r}: `--only Forest` takes all with that word.")
    return [
        Task(tuple(campaign.trial(KIND, VERSION, name, one.id) for one in chosen), make)
        for name in names
    ]


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


def make(trials: Sequence[Trial]) -> list[Record]:
    """Return the records of one estimator's trials."""
    sandbox.preload("persistbench.sandbox.warm_libraries")
    ready = [one for one in trials if not backends.get(one.backend).missing]
    with tempfile.TemporaryDirectory(prefix="persistbench-") as folder:
        artifacts = _saved([one.backend for one in ready], trials[0].subject, Path(folder))
        return [
            trial.record(
                result.verdict, bytes=result.bytes, untrusted=result.untrusted, random=result.random
            )
            for trial in trials
            for result in [_loaded(trial.backend, artifacts.get(trial.backend))]
        ]


@dataclass(frozen=True)
class _Artifact:
    """What a dump has left.

    Attributes:
        path: of the artifact.
        original: the file that tells what the original said and held.
        verdict: on the dump.
    """

    path: Path
    original: Path
    verdict: Verdict


@dataclass(frozen=True)
class _Found:
    """What is to be known of one trial; see the records."""

    verdict: Verdict
    bytes: int | None = None
    untrusted: int | None = None
    random: list[str] = field(default_factory=list)


def _saved(backend_ids: list[str], name: str, folder: Path) -> dict[str, _Artifact]:
    """Let a child fit the estimator and save it with each backend.

    When a child dies, the backend whose turn it was has its verdict, and the others go on in
    another.
    """
    left = list(backend_ids)
    result: dict[str, _Artifact] = {}
    while left:
        original = folder / f"original-{len(left)}"

        def artifact(verdict: Verdict, original: Path = original) -> _Artifact:
            return _Artifact(folder / left[0], original, verdict)

        fitted = False
        try:
            for verdict in sandbox.answers(_save, name, tuple(left), original, limits=LIMITS):
                if fitted:
                    result[left[0]] = artifact(verdict)
                    left.pop(0)
                elif verdict.same:
                    fitted = True
                else:
                    return result | {one: _Artifact(folder, original, verdict) for one in left}
        except sandbox.DeadError as death:
            if not fitted:
                verdict = Verdict(Outcome.ERROR_AT_BUILD, f"the fit: {death.verdict.reason}")
                return result | {one: _Artifact(folder, original, verdict) for one in left}
            result[left[0]] = artifact(death.verdict)
            left.pop(0)
    return result


def _save(name: str, backend_ids: tuple[str, ...], original: Path) -> Iterator[Verdict]:
    """Yield the verdict on the fit, then on the dump of each backend; in a child process."""
    from persistbench.integrity.answers import reference
    from persistbench.integrity.state import differences, state

    child.hush()
    try:
        case = build(name)
        said = reference(case, needs_use=False)
        held = state(case.estimator)
        original.write_bytes(pickle.dumps((said, held), protocol=5))
    except Exception as error:
        yield child.of_exception(Outcome.ERROR_AT_BUILD, error)
        return
    yield Verdict(Outcome.SAME)
    for one in backend_ids:
        path = str(original.with_name(one))
        yield attempt.dump(backends.get(one), case.estimator, case.X, path)
        if differences(held, state(case.estimator)):
            return  # the dump has changed the estimator: the next backend is given another


def _loaded(backend_id: str, artifact: _Artifact | None) -> _Found:
    """Let a child that has never seen the estimator load the artifact and compare."""
    if artifact is None:
        return _Found(Verdict(Outcome.NOT_INSTALLED, backends.get(backend_id).unavailable))
    if not artifact.verdict.same:
        return _Found(artifact.verdict)
    result = _Found(Verdict(Outcome.CRASH, "no answer"), artifact.path.stat().st_size)
    try:
        for result in sandbox.answers(_examine, backend_id, artifact, limits=LIMITS):  # noqa: B007
            pass
    except sandbox.DeadError as death:
        return _Found(death.verdict, result.bytes, result.untrusted, result.random)
    finally:
        artifact.path.unlink(missing_ok=True)
    return result


def _examine(backend_id: str, artifact: _Artifact) -> Iterator[_Found]:
    """Yield what is found out about an artifact; in a child process."""
    child.hush()
    backend, path = backends.get(backend_id), str(artifact.path)
    said, held = pickle.loads(artifact.original.read_bytes())
    untrusted: int | None = None

    def found(verdict: Verdict) -> _Found:
        return _Found(verdict, artifact.path.stat().st_size, untrusted, sorted(said.random))

    try:
        if backend.claims.audits:
            untrusted = len(backend.audit(path))
    except Exception as error:
        yield found(child.of_exception(Outcome.ERROR_AT_LOAD, error))
        return
    loaded, verdict = attempt.load(backend, path)
    yield found(attempt.use(backend, loaded, said, held) if verdict.same else verdict)
