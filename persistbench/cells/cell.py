"""One pipeline saved by one backend: is there an artifact, and is it right?

A cell is examined once, before anything in it is timed. A fork of the process that has built the
pipeline dumps it. Another process, which has seen neither the pipeline nor its file, loads the
artifact and compares. The artifact and the verdict stay in files for all questions.
"""

import contextlib
import json
import os
import pickle
import shutil
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path

from persistbench import backends, cache, files, sandbox
from persistbench.backends import Backend
from persistbench.case import Case
from persistbench.cases import building
from persistbench.cases.building import BuildError, Job
from persistbench.cases.catalogue import Pipeline
from persistbench.cases.fitted import Fitted, fit, fit_and_do
from persistbench.cells import attempt
from persistbench.errors import UserError
from persistbench.integrity.answers import Reference
from persistbench.outcomes import Blame, Outcome, Verdict, explain
from persistbench.records import run
from persistbench.sandbox import child


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
        return self._file("artifacts")

    @cached_property
    def fitted(self) -> Fitted:
        """The fitted pipeline's files."""
        return fit(self.pipeline)

    def load_original(self) -> Reference:
        """Return what the pipeline answers that the artifact was dumped from.

        It imports what the rows need: call it in processes of this pipeline only.
        """
        result: Reference = pickle.loads(self._original.read_bytes())
        return result

    def examine(self) -> Verdict:
        """Return the verdict; find it out first if it is not known.

        A refusal, or a right answer whose artifact is still there, is kept for good; a
        failure only for the rest of this run of asv, because a hang costs minutes.
        """
        (verdict,) = examine([self])
        return verdict

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

    @property
    def dump_seconds(self) -> float:
        """How long the dump took when the cell was examined, beside other work; 0 if not known."""
        if not self._verdict_path.is_file():
            return 0.0
        kept = json.loads(self._verdict_path.read_text(encoding="utf-8"))
        return float(kept.get("dump_seconds", 0.0))

    def _keep(self, verdict: Verdict, dump_seconds: float = 0.0) -> None:
        """Keep a verdict for the processes that ask later."""
        if not verdict.machine_fault:
            facts = {"run": run.began(), "verdict": asdict(verdict), "dump_seconds": dump_seconds}
            with files.replacing(self._verdict_path) as temporary:
                temporary.write_text(json.dumps(facts), encoding="utf-8")
            cache.drop_others(self._verdict_path.parent, self._family, self.key)

    def _kept(self) -> Verdict | None:
        if not self._verdict_path.is_file():
            return None
        facts = json.loads(self._verdict_path.read_text(encoding="utf-8"))
        verdict = Verdict.from_dict(facts["verdict"])
        if verdict.same:
            there = self.artifact.is_file() and self._original.is_file()
            return verdict if there else None
        of_this_run = facts["run"] is not None and facts["run"] == run.began()
        return verdict if verdict.refused or of_this_run else None

    @property
    def _family(self) -> str:
        return f"{self.pipeline.name}.{self.backend.id}"

    @cached_property
    def _original(self) -> Path:
        return self._file("originals")

    def _file(self, kind: str) -> Path:
        """Return the path of a file that a mapped cell and the unmapped one share."""
        unmapped = Cell(self.pipeline, self.backend)
        return cache.folder() / kind / f"{self._family}.{unmapped.key}"

    @property
    def _verdict_path(self) -> Path:
        access = "mapped" if self.mapped else "loaded"
        return cache.folder() / access / f"{self._family}.{self.key}.json"


def examine(cells: Sequence[Cell]) -> list[Verdict]:
    """Return the verdicts on cells of one pipeline, which is fitted once for all of them.

    Args:
        cells: of one pipeline; mapped ones may be among them.
    """
    unmapped = [cell for cell in cells if not cell.mapped]
    try:
        known = {cell: cell._refusal() or cell._kept() for cell in unmapped}
        known |= _find_out([cell for cell, verdict in known.items() if verdict is None])
        for cell in cells:
            if cell.mapped:
                known[cell] = cell._refusal() or cell._kept() or _map(cell)
    except (OSError, UserError) as error:  # the folder for artifacts, not the backend
        full = Verdict(Outcome.ERROR_AT_DUMP, explain(error), fault=Blame.MACHINE)
        return [full] * len(cells)
    return [known[cell] or _NO_VERDICT for cell in cells]


_NO_VERDICT = Verdict(Outcome.CRASH, "it was not examined", fault=Blame.CHECK)


def _find_out(cells: Sequence[Cell]) -> dict[Cell, Verdict]:
    """Dump each cell from one fresh pipeline, load it elsewhere, and keep what is right."""
    if not cells:
        return {}
    result: dict[Cell, Verdict] = {}
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(sandbox.folder())
        drafts = [stack.enter_context(files.draft(cell.artifact)) for cell in cells]
        jobs = [Job(_dump, (cell, str(path))) for cell, path in zip(cells, drafts, strict=True)]
        try:
            fitted, done = fit_and_do(cells[0].pipeline, jobs, folder)
        except BuildError as error:
            for cell in cells:
                result[cell] = error.verdict
                cell._keep(error.verdict)
            return result
        for cell, path, one in zip(cells, drafts, done, strict=True):
            dumped = one.facts if isinstance(one.facts, Dumped) else Dumped(one.facts, 0.0)
            verdict = dumped.verdict
            if verdict.same:
                arguments = (cell, str(path), str(one.original))
                verdict = sandbox.run(_load_and_use, *arguments, limits=building.limits())
                verdict = _blamed(verdict, fitted.elsewhere)
            if verdict.same:
                _link(one.original, cell._original)
                path.replace(cell.artifact)
            else:
                path.unlink(missing_ok=True)
            for kept in (cell.artifact, cell._original):
                cache.drop_others(kept.parent, cell._family, cell.key)
            cell._keep(verdict, dumped.seconds)
            result[cell] = verdict
    return result


def _blamed(verdict: Verdict, elsewhere: Verdict | None) -> Verdict:
    """Return a verdict on a load or a use that blames the right one.

    Args:
        verdict: of a backend.
        elsewhere: what became of a plain pickle in another process, too. Where that ends in the
            same way, the pipeline relies on what only the process has that built it. Where that
            is right, the pipeline travels, and the backend has lost something.
    """
    decided = verdict.fault in (Blame.MACHINE, Blame.CHECK) or verdict.by_design
    if verdict.same or verdict.outcome.refusal or decided or elsewhere is None:
        return verdict
    if elsewhere.same:
        return replace(verdict, fault=None)
    if elsewhere.outcome is not verdict.outcome:
        return verdict
    reason = f"{verdict.reason}; so it is with a plain pickle in a new process"
    return replace(verdict, reason=reason, fault=Blame.PIPELINE)


def _map(cell: Cell) -> Verdict:
    """Load the right artifact of a cell memory-mapped, and compare."""
    arguments = (cell, str(cell.artifact), str(cell._original))
    verdict = sandbox.run(_load_and_use, *arguments, limits=building.limits())
    cell._keep(verdict)
    return verdict


def _link(source: Path, target: Path) -> None:
    """Give a file a second name; a second copy where the file system has no links."""
    with files.draft(target) as draft:
        draft.unlink()
        try:
            os.link(source, draft)
        except OSError:
            shutil.copyfile(source, draft)
        draft.replace(target)


@dataclass(frozen=True)
class Dumped:
    """What became of a dump.

    Attributes:
        verdict: on it.
        seconds: that it took, beside other work.
    """

    verdict: Verdict
    seconds: float


def _dump(case: Case, cell: Cell, path: str) -> Dumped:
    """Dump a fresh pipeline; the job of a process that has just built it."""
    backend = cell.backend
    begun = time.perf_counter()
    verdict = attempt.dump(backend, case.estimator, case.X, path)
    seconds = time.perf_counter() - begun
    holds_bytes = verdict.same and backend.claims.returns == "bytes"
    if holds_bytes and Path(path).read_bytes() != backend.payload(case.estimator, case.X):
        differ = "the bytes in the file are not those given"
        verdict = Verdict(Outcome.VALUES_DIFFER, differ)
    return Dumped(verdict, seconds)


def _load_and_use(cell: Cell, path: str, original: str) -> Verdict:
    """Load an artifact and compare with the original; in a process that has seen neither."""
    child.hush()
    backend = cell.backend
    if failure := backend.import_failure():
        return Verdict(Outcome.NOT_INSTALLED, failure)
    loaded, verdict = attempt.load(backend, path, "r" if cell.mapped else None)
    if not verdict.same:
        return verdict
    if backend.claims.returns == "bytes":
        if bytes(loaded) == Path(path).read_bytes():
            return verdict
        return Verdict(Outcome.VALUES_DIFFER, "the bytes read are not those in the file")
    try:
        expected: Reference = pickle.loads(Path(original).read_bytes())
    except Exception as error:
        reason = f"our check cannot read the held-out rows in another process: {explain(error)}"
        return Verdict(Outcome.UNSUPPORTED, reason, fault=Blame.CHECK)
    return attempt.use(backend, loaded, expected)
