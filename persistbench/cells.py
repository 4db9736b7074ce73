"""One pipeline saved by one backend: is there an artifact, and is it right?

A cell is examined once, in a child process, before anything in it is timed: dump, load,
compare with the original. The artifact and the verdict stay in files for all questions.
"""

import importlib
import json
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from persistbench import store
from persistbench.backends import Backend
from persistbench.catalogue import Pipeline
from persistbench.errors import UnsupportedError
from persistbench.fitted import BuildError, Fitted, MissingLibraryError, fit
from persistbench.integrity import compare
from persistbench.outcomes import Outcome, Verdict, of_exception
from persistbench.trials import sandbox

LIMIT_SECONDS = 600.0


@dataclass(frozen=True)
class Cell:
    """A pipeline and a backend.

    Attributes:
        mapped: whether the artifact is loaded memory-mapped (``mmap_mode="r"``).
    """

    pipeline: Pipeline
    backend: Backend
    mapped: bool = False

    @cached_property
    def key(self) -> str:
        """Changes with everything that decides the artifact and the verdict."""
        source = Path(importlib.import_module(type(self.backend).__module__).__file__ or "")
        return store.digest(
            self.pipeline.key, self.backend.id, source.read_bytes(), str(self.mapped)
        )

    @cached_property
    def artifact(self) -> Path:
        """The file that the backend wrote; one folder for all pipelines and backends."""
        unmapped = Cell(self.pipeline, self.backend)
        return store.folder() / "artifacts" / f"{self._family}.{unmapped.key}"

    @cached_property
    def fitted(self) -> Fitted:
        """The fitted pipeline's files."""
        return fit(self.pipeline)

    def examine(self) -> Verdict:
        """Return the verdict; find it out first if it is not known.

        Only what will be the same next time is kept: a refusal, or a right answer whose
        artifact is still there.
        """
        if self.backend.missing:
            missing = ", ".join(self.backend.missing)
            return Verdict(
                Outcome.NOT_INSTALLED, f"{missing} is not installed: {self.backend.install}"
            )
        if self.mapped:
            if not self.backend.claims.memory_maps:
                return self._why_not_mapped()
            plain = Cell(self.pipeline, self.backend).examine()
            if not plain.same:
                return plain
        kept = self._kept()
        if kept:
            return kept
        if self.mapped:
            verdict = sandbox.run(_examine, self, self.artifact, seconds=LIMIT_SECONDS)
        else:
            with store.draft(self.artifact) as draft:
                verdict = sandbox.run(_examine, self, draft, seconds=LIMIT_SECONDS)
                if verdict.same:
                    draft.replace(self.artifact)
            store.drop_others(self.artifact.parent, self._family, self.key)
        if verdict.same or verdict.refused:
            path = self._verdict_path
            with store.replacing(path) as temporary:
                temporary.write_text(json.dumps(asdict(verdict)), encoding="utf-8")
            store.drop_others(path.parent, self._family, self.key)
        return verdict

    @property
    def _family(self) -> str:
        return f"{self.pipeline.name}.{self.backend.id}"

    @property
    def _verdict_path(self) -> Path:
        access = "mapped" if self.mapped else "loaded"
        return store.folder() / access / f"{self._family}.{self.key}.json"

    def _kept(self) -> Verdict | None:
        if not self._verdict_path.is_file():
            return None
        found = json.loads(self._verdict_path.read_text(encoding="utf-8"))
        verdict = Verdict(**{**found, "outcome": Outcome(found["outcome"])})
        return verdict if self.artifact.is_file() or not verdict.same else None

    def _why_not_mapped(self) -> Verdict:
        try:
            self.backend.load(str(self.artifact), mmap_mode="r")
        except UnsupportedError as error:
            return Verdict(Outcome.UNSUPPORTED, str(error))
        except Exception as error:
            return of_exception(Outcome.ERROR_AT_LOAD, error)
        return Verdict(
            Outcome.ERROR_AT_LOAD, "mapped although the backend says that it cannot: a false claim"
        )


def _examine(cell: Cell, artifact: Path) -> Verdict:
    """Dump to ``artifact`` (unless it is to be mapped), load and compare; in a child process."""
    backend = cell.backend
    try:
        fitted = cell.fitted
        original = fitted.load_reference()
        estimator = fitted.load_estimator()
    except MissingLibraryError as error:
        return Verdict(Outcome.NOT_INSTALLED, str(error))
    except BuildError as error:
        return Verdict(Outcome.ERROR_AT_BUILD, str(error))
    payload: Any = None
    if not cell.mapped or backend.claims.returns == "bytes":
        try:
            payload = backend.payload(estimator)
            if not cell.mapped:
                backend.dump(payload, str(artifact))
        except UnsupportedError as error:
            return Verdict(Outcome.UNSUPPORTED, str(error))
        except Exception as error:
            return of_exception(Outcome.ERROR_AT_DUMP, error)
    try:
        loaded = backend.load(str(artifact), mmap_mode="r" if cell.mapped else None)
    except Exception as error:
        return of_exception(Outcome.ERROR_AT_LOAD, error)
    if backend.claims.returns == "bytes":
        if bytes(loaded) == payload:
            return Verdict(Outcome.SAME)
        return Verdict(Outcome.VALUES_DIFFER, "the bytes read are not those written")
    try:
        return compare(original, loaded)
    except Exception as error:
        return of_exception(Outcome.ERROR_AT_USE, error)
