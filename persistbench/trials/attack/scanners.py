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
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from persistbench import sandbox
from persistbench.backends import Backend
from persistbench.outcomes import Outcome, Verdict
from persistbench.trials import _artifacts, base
from persistbench.trials.attack import _crafting, payloads
from persistbench.trials.attack.payloads import everywhere
from persistbench.trials.base import in_child
from persistbench.trials.trial import Trial

MARKER, CLEAN = "marker", "clean"

ANSWERS = FLAGGED, ERROR, SILENT = "flagged", "error", "clean"
"""What a scanner can say of a file. That it has not read the file is an error, too."""


@dataclass(frozen=True)
class Scanner:
    """A program that judges files.

    Attributes:
        name: of the program and of the distribution that it comes with.
        arguments: returns those that let it judge a file and write a report.
        answer: returns what it says, from its exit status, what it printed, and its report, which
            is empty if there is none. A program of Python that breaks down ends with 1, as one
            that flags a file does: the status alone tells nothing.
    """

    name: str
    arguments: Callable[[str, str], list[str]]
    answer: Callable[[int, str, str], str]

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


@dataclass(frozen=True)
class Result(base.Result):
    """What a scanner says of the files of a backend.

    Attributes:
        counts: number of files by what it says.
    """

    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(ANSWERS, 0))


class Scanners(base.OneByOne):
    """Scanners, each with marked and with clean files, which are made once for all of them."""

    name = "scanners"
    version = 1
    limits = sandbox.Limits(seconds=120, memory=4 * 10**9, file_size=10**9)
    subjects = SCANNERS
    result_type = Result

    @property
    def backends(self) -> Sequence[Backend]:
        return [backend for backend in self.selection.backends if not backend.only_for_trials]

    def conditions(self, subject: str, backend: Backend) -> Sequence[str]:
        return (MARKER, CLEAN)

    def inputs(self, subject: str, condition: str | None) -> str:
        if condition == CLEAN:
            return f"{version(subject)} {_artifacts.inputs(self.selection.pipelines)}"
        return " ".join([version(subject), *(one.key for one in payloads.discover().values())])

    def facts(self, trial: Trial) -> dict[str, Any]:
        return {"version": version(trial.subject)}

    def prepare(self, trial: Trial, backend: Backend, folder: Path) -> Verdict:
        if any(scanner.program for scanner in SCANNERS.values()):
            for name in (MARKER, CLEAN):
                (folder / name).mkdir()
            mark(backend, folder / MARKER)
            self._save_pipelines(backend, folder / CLEAN)
        return Verdict(Outcome.SAME)

    def _save_pipelines(self, backend: Backend, folder: Path) -> None:
        """Put artifacts of the pipelines into a folder, named as the library names its files."""
        for name in self.selection.pipelines:
            cell = _artifacts.cell(name, backend.id)
            if _artifacts.right(cell).same:
                path = folder / f"pipeline-{name}{backend.extension}"
                shutil.copyfile(cell.artifact, path)

    def result(self, trial: Trial, backend: Backend, folder: Path) -> Result:
        scanner = SCANNERS[trial.subject]
        if scanner.unavailable:
            return Result(Verdict(Outcome.NOT_INSTALLED, scanner.unavailable))
        files = sorted((folder / str(trial.condition)).iterdir())
        if not files:
            reason = f"{backend.id} saves nothing that could be scanned"
            return Result(Verdict(Outcome.UNSUPPORTED, reason))
        counts = Counter(scanned(scanner, file) for file in files)
        return Result(Verdict(Outcome.SAME), {word: counts[word] for word in ANSWERS})


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


def mark(backend: Backend, folder: Path) -> None:
    """Put artifacts that carry a payload into a folder."""
    for shape in payloads.discover().values():
        # A predictor keeps nothing of what is hidden in an estimator.
        carried = backend.claims.returns == "estimator" or shape.fits is not everywhere
        if carried and shape.fits(backend) and not shape.admits:
            verdict = _crafting.craft(shape.name, backend, folder)
            if not verdict.same:
                _crafting.path(shape.name, backend, folder).unlink(missing_ok=True)


@dataclass(frozen=True)
class _Scan(base.Result):
    """What a scanner says of one file; a child that dies has not read the file."""

    answer: str = ERROR


def scanned(scanner: Scanner, file: Path) -> str:
    """Let a child run the scanner on a file; return what it says."""
    work = (scanner.name, scanner.program, file)
    return _Scan.from_child(_scan, *work, limits=Scanners.limits).answer


@in_child
def _scan(name: str, program: str, file: Path) -> Iterator[_Scan]:
    """Yield what a scanner says."""
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
    answer = scanner.answer(done.returncode, done.stdout + done.stderr, written)
    yield _Scan(Verdict(Outcome.SAME), answer)
