"""Fits each pipeline once in an environment, and keeps the fit in files.

pickle-5 saves the fit, or cloudpickle where pickle refuses. If neither saves the pipeline, or if it
comes back different, every process fits it again.
"""

import json
import pickle
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from persistbench import cache, files
from persistbench.case import Case
from persistbench.cases.catalogue import Pipeline
from persistbench.errors import UserError
from persistbench.integrity.answers import Reference, compare, reference
from persistbench.outcomes import explain


class BuildError(Exception):
    """A pipeline's ``build()`` failed; the text of this error is the reason in the cells."""


class MissingLibraryError(BuildError):
    """A library that the pipeline imports is not installed."""


@dataclass(frozen=True)
class Fitted:
    """The files of one fitted pipeline.

    Attributes:
        pipeline: the pipeline.
        rows: path of the pickled :class:`~persistbench.integrity.answers.Reference`.
        estimator: path of the pickled estimator; no file if the estimator cannot be kept.
        payload_bytes: size of the pickle-5 artifact in bytes, None if pickle refuses.
        refusal: why pickle refuses; empty if pickle saves the pipeline.
    """

    pipeline: Pipeline
    rows: Path
    estimator: Path
    payload_bytes: int | None
    refusal: str

    def load_reference(self) -> Reference:
        """Return the held-out rows and the answers of the original."""
        result: Reference = pickle.loads(self.rows.read_bytes())
        return result

    def load_estimator(self) -> Any:
        """Return the fitted estimator, from its file if the file exists."""
        if self.estimator.is_file():
            return _unpickled(self.estimator)
        return self.pipeline.build().estimator


def fit(pipeline: Pipeline) -> Fitted:
    """Return the files of a fitted pipeline; fit the pipeline first if there are no files.

    Raises:
        MissingLibraryError: a library that the pipeline imports is not installed.
        BuildError: ``build()`` fails, now or earlier with the same code and libraries.
    """
    folder = cache.folder() / "fitted"
    about, rows, estimator = (
        folder / f"{pipeline.name}.{pipeline.key}.{part}" for part in ("json", "rows", "pickle")
    )
    facts = json.loads(about.read_text(encoding="utf-8")) if about.is_file() else {}
    if not (facts.get("failure") or (facts and rows.is_file())):
        try:
            with files.replacing(about) as temporary:
                facts = _build(pipeline, rows, estimator)
                temporary.write_text(json.dumps(facts), encoding="utf-8")
        except (OSError, MemoryError) as error:  # the machine's fault: not kept, tried again
            raise BuildError(explain(error)) from error
        cache.drop_others(folder, pipeline.name, pipeline.key)
    if facts.get("missing_library"):
        raise MissingLibraryError(facts["failure"])
    if facts.get("failure"):
        raise BuildError(facts["failure"])
    return Fitted(pipeline, rows, estimator, facts["payload_bytes"], facts["refusal"])


def _build(pipeline: Pipeline, rows: Path, estimator: Path) -> dict[str, Any]:
    """Fit, write the files and return the facts about them."""
    try:
        case = pipeline.build()
        original = reference(case)
    except (OSError, MemoryError):
        raise
    except ModuleNotFoundError as error:
        missing = find_spec((error.name or "").split(".")[0] or __package__) is None
        return {"failure": explain(error), "missing_library": missing}
    except UserError as error:
        return {"failure": str(error)}
    except Exception as error:
        return {"failure": explain(error)}
    with files.replacing(rows) as temporary:
        temporary.write_bytes(pickle.dumps(original, protocol=5))
    payload_bytes, refusal = None, ""
    with files.draft(estimator) as draft:
        # Never as bytes in memory: beside the estimator they would be a second copy of it.
        try:
            with draft.open("wb") as file:
                pickle.dump(case.estimator, file, protocol=5)
            payload_bytes = draft.stat().st_size
            kept = True
        except (OSError, MemoryError):
            raise
        except Exception as error:
            refusal = explain(error)
            kept = _cloudpickled(case, draft)
        if kept and _comes_back(original, draft):
            draft.replace(estimator)
    return {"payload_bytes": payload_bytes, "refusal": refusal}


def _unpickled(path: Path) -> Any:
    with path.open("rb") as file:
        return pickle.load(file)


def _cloudpickled(case: Case, path: Path) -> bool:
    try:
        import cloudpickle

        with path.open("wb") as file:
            cloudpickle.dump(case.estimator, file)
    except Exception:
        return False
    return True


def _comes_back(original: Reference, path: Path) -> bool:
    try:
        return compare(original, _unpickled(path)).same
    except Exception:
        return False
