"""What do static scanners say of artifacts that run code, and of clean ones?

A scanner is a program that is given a file and runs nothing of it. It is found on PATH or beside
this Python, because its own requirements need not agree with ours. Only counts are kept: which
shape passes which scanner would help nobody but an attacker.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

from persistbench import backends, sandbox
from persistbench.backends import Backend
from persistbench.outcomes import Outcome, Verdict
from persistbench.sandbox import child
from persistbench.trials import _artifacts, campaign
from persistbench.trials.attack import _crafting, payloads
from persistbench.trials.attack.payloads import everywhere
from persistbench.trials.campaign import Record, Task, Trial
from persistbench.trials.kinds import ATTACK, Selection

KIND, GROUP, VERSION = "scanners", ATTACK, 1

MARKER, CLEAN = "marker", "clean"

FLAGGED, ERROR, SILENT = "flagged", "error", "clean"
"""What a scanner can say of a file. That it has not read the file is an error, too."""

LIMITS = sandbox.Limits(seconds=120, memory=4 * 10**9, file_size=10**9)
"""For one scan of one file."""


@dataclass(frozen=True)
class Scanner:
    """A program that judges files.

    Attributes:
        name: of the program and of the distribution that it comes with.
        arguments: returns those that let it judge a file and write a report.
        said: returns what it says, from its exit status, what it printed, and its report, which
            is empty if there is none. A program of Python that breaks down ends with 1, as one
            that has found something does: the status alone tells nothing.
    """

    name: str
    arguments: Callable[[str, str], list[str]]
    said: Callable[[int, str, str], str]

    @property
    def program(self) -> str | None:
        """Where it is."""
        beside = Path(sys.executable).parent
        return shutil.which(self.name) or shutil.which(self.name, path=beside)

    @property
    def unavailable(self) -> str:
        """Why it cannot be used here, and what to do; empty if it can."""
        if self.program:
            return ""
        return f'{self.name} is not installed: pip install "persistbench[scanners]"'


def _picklescan(status: int, printed: str, report: str) -> str:
    read = re.search(r"Scanned files: (\d+)", printed)
    if status not in (0, 1) or not read or not int(read[1]):
        return ERROR
    if status:
        return FLAGGED
    return ERROR if "could not parse" in printed else SILENT  # it warns, and counts it as scanned


def _modelscan(status: int, printed: str, report: str) -> str:
    if status not in (0, 1) or not report:
        return ERROR
    result = json.loads(report)
    if result["summary"]["total_issues"]:
        return FLAGGED
    read = result["summary"]["scanned"]["total_scanned"]
    return ERROR if result["errors"] or not read else SILENT


def _fickling(status: int, printed: str, report: str) -> str:
    if status not in (0, 1) or not report:
        return ERROR
    return SILENT if json.loads(report)["severity"] == "LIKELY_SAFE" else FLAGGED


SCANNERS = {
    one.name: one
    for one in (
        Scanner("picklescan", lambda file, report: ["--path", file], _picklescan),
        Scanner(
            "modelscan",
            lambda file, report: ["-p", file, "-r", "json", "-o", report],
            _modelscan,
        ),
        Scanner(
            "fickling",
            lambda file, report: ["--check-safety", "--json-output", report, file],
            _fickling,
        ),
    )
}


def tasks(selection: Selection) -> list[Task]:
    """Return a task for each backend: its artifacts are made once for all scanners."""
    made_of = [shape.key for shape in payloads.discover().values()]
    return [
        Task(
            tuple(
                campaign.trial(
                    KIND, VERSION, name, backend.id, condition, " ".join([version(name), *keys])
                )
                for name in SCANNERS
                for condition, keys in ((MARKER, made_of), (CLEAN, list(selection.pipelines)))
            ),
            partial(make, selection.pipelines),
        )
        for backend in selection.backends
        if not backend.only_for_trials  # its files are those of another
    ]


@cache
def version(name: str) -> str:
    """Return a scanner's version as the Python knows it that the program runs by."""
    program = SCANNERS[name].program
    if program is None:
        return ""
    with open(program, "rb") as file:
        first = file.readline()
    if not first.startswith(b"#!"):
        return ""
    ask = f"from importlib.metadata import version; print(version({name!r}))"
    python = first[2:].decode().strip()
    done = subprocess.run([python, "-c", ask], capture_output=True, text=True, check=False)  # noqa: S603
    return done.stdout.strip()


def make(pipelines: tuple[str, ...], trials: Sequence[Trial]) -> list[Record]:
    """Return the records of one backend."""
    sandbox.preload("persistbench.sandbox.warm_libraries")
    backend = backends.for_trials()[trials[0].backend]
    with sandbox.folder() as folder:
        files: dict[str | None, list[Path]] = {}
        if not backend.missing and any(SCANNERS[one.subject].program for one in trials):
            files = {MARKER: _marked(backend, folder), CLEAN: _clean(backend, pipelines, folder)}
        return [_record(one, backend, files.get(one.condition, [])) for one in trials]


def _record(trial: Trial, backend: Backend, files: list[Path]) -> Record:
    scanner = SCANNERS[trial.subject]
    counts: Counter[str] = Counter()
    if missing := backend.unavailable or scanner.unavailable:
        verdict = Verdict(Outcome.NOT_INSTALLED, missing)
    elif not files:
        verdict = Verdict(Outcome.UNSUPPORTED, f"{backend.id} saves nothing that could be scanned")
    else:
        verdict = Verdict(Outcome.SAME)
        counts.update(scanned(scanner, file) for file in files)
    told = {word: counts[word] for word in (FLAGGED, ERROR, SILENT)}
    return trial.record(verdict, counts=told, version=version(scanner.name))


def _marked(backend: Backend, folder: Path) -> list[Path]:
    """Return artifacts that carry a payload."""
    shapes = [
        shape
        for shape in payloads.discover().values()
        if shape.fits(backend)
        and not shape.admits
        # A predictor keeps nothing of what is hidden in an estimator.
        and (backend.claims.returns == "estimator" or shape.fits is not everywhere)
    ]
    made = [_crafting.crafted(shape, backend, folder) for shape in shapes]
    return [path for path, verdict in made if verdict.same]


def _clean(backend: Backend, pipelines: tuple[str, ...], folder: Path) -> list[Path]:
    """Return artifacts of the catalogue's pipelines, named as the library names its files."""
    result = []
    for name in pipelines:
        cell = _artifacts.cell(name, backend.id)
        if _artifacts.right(cell).same:
            path = folder / f"pipeline-{name}{backend.extension}"
            shutil.copyfile(cell.artifact, path)
            result.append(path)
    return result


def scanned(scanner: Scanner, file: Path) -> str:
    """Let a child run the scanner on a file; return what it says."""
    try:
        (said,) = sandbox.answers(_scan, scanner.name, scanner.program, file, limits=LIMITS)
    except sandbox.DeadError:
        return ERROR
    return str(said)


def _scan(name: str, program: str, file: Path) -> Iterator[str]:
    """Yield what a scanner says; in a child process."""
    child.required()
    child.hush()
    scanner, report = SCANNERS[name], Path("report.json")
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    done = subprocess.run(  # noqa: S603 (the program that the user has installed)
        [program, *scanner.arguments(str(file), str(report))],
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
        env=environment,
        stdin=subprocess.DEVNULL,
    )
    written = report.read_text(encoding="utf-8") if report.is_file() else ""
    yield scanner.said(done.returncode, done.stdout + done.stderr, written)
