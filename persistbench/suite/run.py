"""The one command: register the machine, run asv over the grid, publish, say what it cost."""

import contextlib
import io
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from persistbench import cache, sandbox
from persistbench.errors import UserError
from persistbench.records import run as runs
from persistbench.suite import registration, versions
from persistbench.suite.selection import Wish, check, select

MEASURED = (0, 2)
"""asv's exit status if it has measured: with 2, some cells failed."""

REFUSED = 1
"""asv's exit status for what is a :class:`UserError` here; it has said why."""


def run(
    arguments: list[str],
    pipelines: list[str],
    backend_ids: list[str],
    every: bool,
    levels: bool,
    new: bool,
    minutes: float,
    say: Callable[[str], None],
) -> int:
    """Run `asv run` with these arguments, then `asv publish`; return asv's exit status.

    Args:
        arguments: handed to `asv run`.
        pipelines: names to narrow the grid to; empty for all.
        backend_ids: likewise.
        every: all questions, and not only the quick ones.
        levels: all levels of each compressor, and not only the usual ones.
        new: only pipelines and backends without any figure from this machine and environment.
        minutes: the budget; the first round is finished whatever it takes.
        say: is called with each line for the reader.

    Raises:
        UserError: the suite cannot run here, or asv refuses to; what was measured is kept.
    """
    root = checkout()
    wish = Wish(arguments, pipelines, backend_ids, every, levels, new)
    check(wish)
    versions.require("asv")
    _understood(arguments)
    results = writable(root / "results")
    machine = registration.register()
    selection = select(wish, results, machine)
    if selection is None:
        say("Nothing is new: every pipeline and backend has figures of this environment.")
        return 0
    sandbox.sweep()
    say(f"Machine: {machine}. Artifacts: {cache.folder().parent}.")
    stored = _stored(results)
    started = time.monotonic()
    until = started + 60 * minutes
    with runs.announced(runs.Announced(selection.in_advance, until, page=True)) as variables:
        status = call_asv(root, *_command(arguments, selection.arguments), **variables)
    if status == REFUSED:
        raise UserError(_stopped(root, status))
    if status not in MEASURED:
        say(_stopped(root, status))
        return status
    if _stored(results) == stored:
        say("No figure was kept, and the results and the page are as they were.")
        return status
    published = call_asv(root, "publish")
    say(f"Run and publish: {time.monotonic() - started:.0f} s.")
    if published == 0:
        say(f"The page: {root / 'html' / 'index.html'} (asv preview serves it)")
    if status == 2:
        say("Some cells failed: `persistbench show` says why.")
    return status or published


def _understood(arguments: list[str]) -> None:
    """Refuse what asv would refuse after minutes, with a traceback or without a word.

    Raises:
        UserError: `asv run` has no such argument, an expression of --bench is none, or a commit or
            an interpreter is not there.
    """
    from asv.commands import make_argparser

    parser, _ = make_argparser()
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said):
            chosen = parser.parse_args(["run", *arguments])
    except SystemExit as error:
        if not error.code:  # its help was asked for, and is printed
            raise
        # The usage comes first, and the fault last.
        fault = said.getvalue().strip().rpartition("\n")[2].partition("error: ")[2]
        raise UserError(
            f"`asv run` does not understand these arguments ({fault}): "
            "`asv run --help` shows all that it knows."
        ) from error
    for expression in chosen.bench or ():
        try:
            re.compile(expression)
        except re.error as error:
            raise UserError(f"--bench {expression!r} is no regular expression: {error}.") from error
    for environment in chosen.env_spec or ():
        kind, _, python = environment.partition(":")
        if kind == "existing" and python not in ("", "same") and shutil.which(python) is None:
            raise UserError(f"There is no interpreter {python!r}: name another after existing:.")
    commits = [chosen.set_commit_hash] if chosen.set_commit_hash else []
    if chosen.range and chosen.range not in _RANGES and not chosen.range.startswith("HASHFILE:"):
        commits.append(chosen.range)
    for name in commits:
        if _git("rev-list", "--max-count=1", name, "--").returncode != 0:
            raise UserError(f"git knows no commit {name!r} here: `git log` shows them.")


_RANGES = ("EXISTING", "NEW", "TAGS", "ALL", "HEAD")
"""What asv takes as a range of commits, and git does not."""


def _git(*arguments: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(["git", *arguments], capture_output=True, check=False)  # noqa: S603, S607


def checkout() -> Path:
    """Return the root of the checkout, which is the working directory.

    Raises:
        UserError: it is none, or git cannot tell its commit.
    """
    root = Path.cwd()
    if not (root / "asv.conf.json").is_file():
        raise UserError(f"{root} has no asv.conf.json: run this in a checkout of persistbench.")
    try:
        result = _git("rev-parse", "--verify", "--quiet", "HEAD")
    except FileNotFoundError as error:
        raise UserError("git is not installed, and asv needs it: install git.") from error
    if result.returncode != 0:
        raise UserError(
            f"{root} is not a git repository with a commit, and asv stores results by commit: "
            "clone persistbench with git, or run git init and git commit here."
        )
    return root


def writable(results: Path) -> Path:
    """Return the folder of results, made if it is not there.

    Raises:
        UserError: it cannot be written to.
    """
    try:
        results.mkdir(exist_ok=True)
        for folder in (results, *(part for part in results.iterdir() if part.is_dir())):
            with tempfile.TemporaryFile(dir=folder):
                pass
    except OSError as error:
        raise UserError(
            f"The results folder {results} cannot be written to ({error.strerror}): "
            "give yourself the right to, or make room."
        ) from error
    return results


def _stored(results: Path) -> dict[Path, int]:
    """Return when each of asv's result files was written, in nanoseconds."""
    from persistbench.records import asv_file

    return {path: path.stat().st_mtime_ns for path, _ in asv_file.result_files(results)}


def _command(arguments: list[str], selection: tuple[str, ...]) -> list[str]:
    """Return the arguments of asv, by those of the reader and what is selected."""
    command = ["run", *arguments, *selection]
    if {"--quick", "-q"} & set(arguments):
        # One call each would replace good figures: it is added to them instead.
        command.append("--append-samples")
    if os.name == "nt":  # asv.conf.json names the fork server, and there is no fork
        command.append("--launch-method=spawn")
    return command


def call_asv(root: Path, *arguments: str, **variables: str) -> int:
    """Run asv; on Ctrl-C wait until it has put away its processes and folders."""
    # asv looks for "pythonX.Y" on PATH: let it find this one first, not a shim of that name.
    # Last comes uv, which is installed beside this interpreter.
    beside = str(Path(sys.executable).parent)
    paths = [str(Path(sys.base_prefix, "bin")), os.environ.get("PATH", ""), beside]
    environment = {**os.environ, **variables, "PATH": os.pathsep.join(paths)}
    command = [sys.executable, "-m", "asv", *arguments]
    asv = subprocess.Popen(command, cwd=root, env=environment)  # noqa: S603
    while True:
        try:
            return asv.wait()
        except KeyboardInterrupt:
            continue  # the terminal has told asv, too


def _stopped(root: Path, status: int) -> str:
    """Return what can be done when asv has measured nothing."""
    text = f"asv ended with status {status} before it was done; the lines above say why."
    if not any((root / "env").glob("*/pyvenv.cfg")):
        text += (
            " asv has no environment of its own yet. To measure in this Python, which needs no "
            f"network, add `-E existing:{sys.executable} --set-commit-hash HEAD`."
        )
    return text
