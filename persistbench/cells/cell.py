"""One pipeline saved by one backend: is there an artifact, and is it right?

A cell is examined once, in a child process, before anything in it is timed: dump, load,
compare with the original. The artifact and the verdict stay in files for all questions.
"""

import json
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path

from persistbench import backends, cache, files, sandbox
from persistbench.backends import Backend
from persistbench.cases.catalogue import Pipeline
from persistbench.cases.fitted import BuildError, Fitted, MissingLibraryError, fit
from persistbench.cells import attempt
from persistbench.errors import UnsupportedError, UserError
from persistbench.outcomes import Blame, Outcome, Verdict, explain, of_exception
from persistbench.records import run

LIMITS = sandbox.Limits(seconds=600.0)


@dataclass(frozen=True)
class Cell:
    """A pipeline and a backend.

    Attributes:
        mapped: whether the artifact is loaded memory-mapped (``mmap_mode="r"``).
    """

    pipeline: Pipeline
    backend: Backend
    mapped: bool = False

    def __post_init__(self) -> None:
        """Let the backend admit what the pipeline's file names."""
        object.__setattr__(self, "backend", self.backend.trusting(self.pipeline.trusted))

    @cached_property
    def key(self) -> str:
        """Changes with everything that decides the artifact and the verdict."""
        sources = backends.sources(self.backend)
        return files.digest(self.pipeline.key, self.backend.id, str(self.mapped), *sources)

    @cached_property
    def artifact(self) -> Path:
        """The file that the backend wrote; one folder for all pipelines and backends."""
        unmapped = Cell(self.pipeline, self.backend)
        return cache.folder() / "artifacts" / f"{self._family}.{unmapped.key}"

    @cached_property
    def fitted(self) -> Fitted:
        """The fitted pipeline's files."""
        return fit(self.pipeline)

    def examine(self) -> Verdict:
        """Return the verdict; find it out first if it is not known.

        A refusal, or a right answer whose artifact is still there, is kept for good; a
        failure only for the rest of this run of asv, because a hang costs minutes.
        """
        try:
            return self._refusal() or self._kept() or self._find_out()
        except (OSError, UserError) as error:  # the folder for artifacts, not the backend
            return Verdict(Outcome.ERROR_AT_DUMP, explain(error), fault=Blame.MACHINE)

    @property
    def known_to_be_right(self) -> bool:
        """Whether it was examined, and came back the same; nothing is examined for that."""
        kept = self._kept()
        return kept is not None and kept.same

    def _refusal(self) -> Verdict | None:
        """Return what can be said without trying, if anything."""
        if self.backend.missing:
            return Verdict(Outcome.NOT_INSTALLED, self.backend.unavailable)
        if not self.mapped:
            return None
        if not self.backend.claims.memory_maps:
            return Verdict(Outcome.UNSUPPORTED, self.backend.why_not_mapped)
        unmapped = Cell(self.pipeline, self.backend).examine()
        return None if unmapped.same else unmapped

    def _find_out(self) -> Verdict:
        if self.mapped:
            verdict = sandbox.run(_examine, self, self.artifact, limits=LIMITS)
        else:
            with files.draft(self.artifact) as draft:
                verdict = sandbox.run(_examine, self, draft, limits=LIMITS)
                if verdict.same:
                    draft.replace(self.artifact)
            cache.drop_others(self.artifact.parent, self._family, self.key)
        if not verdict.machine_fault:
            facts = {"run": run.began(), "verdict": asdict(verdict)}
            with files.replacing(self._verdict_path) as temporary:
                temporary.write_text(json.dumps(facts), encoding="utf-8")
            cache.drop_others(self._verdict_path.parent, self._family, self.key)
        return verdict

    def _kept(self) -> Verdict | None:
        if not self._verdict_path.is_file():
            return None
        facts = json.loads(self._verdict_path.read_text(encoding="utf-8"))
        result = facts["verdict"]
        verdict = Verdict(**{**result, "outcome": Outcome(result["outcome"])})
        if verdict.same:
            return verdict if self.artifact.is_file() else None
        of_this_run = facts["run"] is not None and facts["run"] == run.began()
        return verdict if verdict.refused or of_this_run else None

    @property
    def _family(self) -> str:
        return f"{self.pipeline.name}.{self.backend.id}"

    @property
    def _verdict_path(self) -> Path:
        access = "mapped" if self.mapped else "loaded"
        return cache.folder() / access / f"{self._family}.{self.key}.json"


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
    if failure := backend.import_failure():
        return Verdict(Outcome.NOT_INSTALLED, failure)
    payload = None
    if not cell.mapped:
        try:
            payload = backend.payload(estimator, original.X)
            backend.dump(payload, str(artifact))
        except UnsupportedError as error:
            return Verdict(Outcome.UNSUPPORTED, str(error))
        except Exception as error:
            return of_exception(Outcome.ERROR_AT_DUMP, error)
    # Beside what is loaded there is never more than one copy in memory.
    del estimator
    if backend.claims.returns != "bytes":
        payload = None
    loaded, verdict = attempt.load(backend, str(artifact), "r" if cell.mapped else None)
    if not verdict.same:
        return verdict
    if backend.claims.returns == "bytes":
        if bytes(loaded) == (artifact.read_bytes() if cell.mapped else payload):
            return Verdict(Outcome.SAME)
        return Verdict(Outcome.VALUES_DIFFER, "the bytes read are not those written")
    return attempt.use(backend, loaded, original)
