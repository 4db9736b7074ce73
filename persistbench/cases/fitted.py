"""Keeps each fitted pipeline of an environment in files, for what is timed.

pickle-5 saves the fit, or cloudpickle where pickle refuses. If neither saves the pipeline, or if it
comes back with another state or other answers, every process that needs the fit builds it again.
"""

import json
import pickle
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from persistbench import cache, files, sandbox
from persistbench.case import Case
from persistbench.cases import building
from persistbench.cases.building import BuildError, Done, Job
from persistbench.cases.catalogue import Pipeline
from persistbench.integrity.answers import Reference, compare
from persistbench.integrity.state import differences, state
from persistbench.outcomes import Blame, Outcome, Verdict, explain
from persistbench.sandbox import child


@dataclass(frozen=True)
class Fitted:
    """The files of one fitted pipeline.

    Attributes:
        pipeline: the pipeline.
        rows: path of the pickled :class:`~persistbench.integrity.answers.Reference`.
        estimator: path of the pickled estimator; no file if the estimator cannot be kept.
        payload_bytes: size of the pickle-5 artifact in bytes, None if pickle refuses.
        refusal: why pickle refuses; empty if pickle saves the pipeline.
        elsewhere: what became of a plain pickle in a process that has not built the pipeline, or
            of one by cloudpickle where pickle refuses; None if neither saves it.
    """

    pipeline: Pipeline
    rows: Path
    estimator: Path
    payload_bytes: int | None
    refusal: str
    elsewhere: Verdict | None

    def load_reference(self) -> Reference:
        """Return the held-out rows and the answers of the original.

        It imports what the rows need: call it in processes of this pipeline only.
        """
        result: Reference = pickle.loads(self.rows.read_bytes())
        return result

    def load_estimator(self) -> Any:
        """Return the fitted estimator for what is timed, from its file if the file exists.

        It imports what the estimator needs: call it in processes of this pipeline only.
        """
        if self.estimator.is_file():
            return _unpickled(self.estimator)
        return self.pipeline.build().estimator


def fit(pipeline: Pipeline) -> Fitted:
    """Return the files of a fitted pipeline; fit the pipeline first if there are no files.

    Raises:
        BuildError: the pipeline cannot be built.
    """
    with sandbox.folder() as folder:
        return fit_and_do(pipeline, (), folder)[0]


def fit_and_do(pipeline: Pipeline, jobs: Sequence[Job], folder: Path) -> tuple[Fitted, list[Done]]:
    """Return the files of a fitted pipeline, and what became of jobs with a freshly fitted one.

    Args:
        pipeline: what is fitted: once for all jobs, and if there are no jobs, only without files.
        jobs: may be none.
        folder: for the answers of the freshly fitted pipeline.

    Raises:
        BuildError: the pipeline cannot be built. That is not kept: the cause may lie outside the
            file.
    """
    kept = cache.folder() / "fitted"
    about, rows, estimator = (
        kept / f"{pipeline.name}.{pipeline.key}.{part}" for part in ("json", "rows", "pickle")
    )
    facts = json.loads(about.read_text(encoding="utf-8")) if about.is_file() else {}
    done: list[Done] = []
    if not (facts and rows.is_file()):
        try:
            facts, done = _build(pipeline, jobs, folder, rows, estimator)
        except (OSError, MemoryError) as error:  # the machine's fault: not kept, tried again
            raise BuildError(_of_machine(error)) from error
        with files.replacing(about) as temporary:
            temporary.write_text(json.dumps(facts), encoding="utf-8")
        cache.drop_others(kept, pipeline.name, pipeline.key)
    elif jobs:
        done = building.do(pipeline, jobs, folder)
    elsewhere = facts["elsewhere"] and Verdict.from_dict(facts["elsewhere"])
    known = (facts["payload_bytes"], facts["refusal"], elsewhere)
    return Fitted(pipeline, rows, estimator, *known), done


def _of_machine(error: BaseException) -> Verdict:
    return Verdict(Outcome.ERROR_AT_BUILD, explain(error), fault=Blame.MACHINE)


@dataclass(frozen=True)
class _Kept:
    """How an estimator was saved.

    Attributes:
        payload_bytes: see :class:`Fitted`.
        refusal: see :class:`Fitted`.
        saved: whether there is a file.
    """

    payload_bytes: int | None
    refusal: str
    saved: bool


def _build(
    pipeline: Pipeline, jobs: Sequence[Job], folder: Path, rows: Path, estimator: Path
) -> tuple[dict[str, Any], list[Done]]:
    """Fit, do the jobs, write the files, and return the facts about them."""
    with files.draft(estimator) as draft, files.draft(rows) as new_rows:
        keep, *done = building.do(pipeline, [Job(_keep, (str(draft),)), *jobs], folder)
        facts = keep.facts
        if isinstance(facts, Verdict):
            if facts.machine_fault:
                raise BuildError(_of_machine(OSError(facts.reason)))
            facts = _Kept(None, facts.reason, saved=False)
        new_rows.write_bytes(keep.original.read_bytes())
        back = None
        if facts.saved:
            back = sandbox.run(
                _comes_back, str(keep.original), str(draft), limits=building.limits()
            )
            if back.same:
                draft.replace(estimator)
        new_rows.replace(rows)
    elsewhere = back and asdict(back)
    kept = {"payload_bytes": facts.payload_bytes, "refusal": facts.refusal}
    return {**kept, "elsewhere": elsewhere}, done


def _keep(case: Case, path: str) -> _Kept | Verdict:
    """Save the estimator for what is timed; the job of a process that has just built it."""
    # Never as bytes in memory: beside the estimator they would be a second copy of it.
    file = Path(path)
    try:
        with file.open("wb") as opened:
            pickle.dump(case.estimator, opened, protocol=5)
    except Exception as error:
        verdict = child.of_exception(Outcome.ERROR_AT_DUMP, error)
        if verdict.machine_fault:
            return verdict
        return _Kept(None, verdict.reason, _cloudpickled(case, file))
    return _Kept(file.stat().st_size, "", saved=True)


def _cloudpickled(case: Case, path: Path) -> bool:
    try:
        import cloudpickle

        with path.open("wb") as file:
            cloudpickle.dump(case.estimator, file)
    except Exception:
        return False
    return True


def _comes_back(original: str, estimator: str) -> Verdict:
    """Return whether a kept estimator has the state and the answers of the original."""
    child.hush()
    stage = Outcome.ERROR_AT_LOAD
    try:
        loaded = _unpickled(Path(estimator))
        held = state(loaded)
        stage = Outcome.ERROR_AT_USE
        expected: Reference = pickle.loads(Path(original).read_bytes())
        verdict = compare(expected, loaded)
        changed = differences(expected.state, held)
    except Exception as error:
        return child.of_exception(stage, error)
    return Verdict(Outcome.STATE_DIFFERS, changed) if verdict.same and changed else verdict


def _unpickled(path: Path) -> Any:
    with path.open("rb") as file:
        return pickle.load(file)
