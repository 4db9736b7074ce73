"""The one command: register the machine, run asv over the grid, publish, say what it cost."""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from persistbench import backends, cache
from persistbench.cases import catalogue
from persistbench.cells import in_advance
from persistbench.errors import UserError
from persistbench.suite import cost, registration


def run(
    arguments: list[str],
    pipelines: list[str],
    backend_ids: list[str],
    every: bool,
    levels: bool,
    new: bool,
    say: Callable[[str], None],
) -> int:
    """Run `asv run` with these arguments, then `asv publish`; return asv's exit status.

    Args:
        arguments: handed to `asv run`.
        pipelines: names to narrow the grid to; empty for all.
        backend_ids: likewise.
        every: all questions, and not only those of :data:`QUICK`.
        levels: all levels of each compressor, and not only the usual ones.
        new: only pipelines and backends without any figure from this machine and environment.
        say: is called with each line for the reader.

    Raises:
        UserError: the suite cannot run here; nothing has been changed.
    """
    root = checkout()
    # Named before anything starts, in one sentence: what is unknown or cannot work.
    catalogue.discover()
    backends.discover()
    narrowed = [catalogue.get(one).name for one in pipelines]
    narrowed += [backends.get(one).id for one in backend_ids]
    if narrowed and new:
        raise UserError("--new finds out itself what to measure: leave --pipeline and --backend.")
    own = any(argument.startswith(("-b", "--bench")) for argument in arguments)
    if own and (narrowed or new):
        raise UserError(
            "--pipeline, --backend and --new do not go with asv's --bench: write all in one "
            "expression, such as -b \"time_load.*'small', 'joblib'\"."
        )
    results = writable(root / "results")
    name = registration.register()
    asked = (pipelines or list(catalogue.discover()), backend_ids or _backends(levels))
    # asv joins several --bench by "or"; a cell's two names have to be joined by "and".
    cells = _expression(pipelines, asked[1])
    if new:
        cells = _unmeasured(results, name, arguments)
        if not cells:
            say("Nothing is new: every pipeline and backend has figures of this environment.")
            return 0
    selection = arguments if own else [*arguments, *_selection(cells, every)]
    say(f"Machine: {name}. Artifacts: {cache.folder().parent}.")
    before = cost.samples(results)
    started = time.monotonic()
    command = ["run", *selection]
    if {"--quick", "-q"} & set(arguments):
        # One call each would replace good figures: it is added to them instead.
        command.append("--append-samples")
    if os.name == "nt":  # asv.conf.json names the fork server, and there is no fork
        command.append("--launch-method=spawn")
    # Of what is new, or chosen by asv's own arguments, each cell is examined in its turn.
    whole = {} if own or new else {in_advance.CELLS: json.dumps(asked)}
    status = _asv(root, *command, **whole)
    if status not in (0, 2):  # 2: measured, and some cells failed
        return status
    published = _asv(root, "publish")
    wall = time.monotonic() - started
    spent = cost.seconds_inside(before, cost.samples(results))
    inside = sum(spent.values())
    say(f"Run and publish: {wall:.0f} s, of which {inside:.0f} s ({inside / wall:.0%}) were inside")
    say("timed calls; the rest is fitting, checking answers, calling references, warming up,")
    say("starting processes (and what fresh ones take, if they were asked for).")
    say(f"{len(spent)} timed figures, {len(spent) / wall:.1f} a second.")
    for place, seconds in sorted(spent.items(), key=lambda item: -item[1])[:DEAREST]:
        say(f"  {seconds:6.1f} s  {place}")
    if published == 0:
        say(f"The page: {root / 'html' / 'index.html'} (asv preview serves it)")
    if status == 2:
        say("Some cells failed: their reasons are in results/*/*.outcomes.jsonl.")
    return status or published


def _asv(root: Path, *arguments: str, **variables: str) -> int:
    """Run asv; on Ctrl-C wait until it has put away its processes and folders."""
    # asv looks for "pythonX.Y" on PATH: let it find this one first, not a shim of that name.
    paths = [str(Path(sys.base_prefix, "bin")), os.environ.get("PATH", "")]
    environment = {**os.environ, **variables, "PATH": os.pathsep.join(paths)}
    command = [sys.executable, "-m", "asv", *arguments]
    asv = subprocess.Popen(command, cwd=root, env=environment)  # noqa: S603
    while True:
        try:
            return asv.wait()
        except KeyboardInterrupt:
            continue  # the terminal has told asv, too


def checkout() -> Path:
    """Return the root of the checkout, which is the working directory.

    Raises:
        UserError: it is none, or git cannot tell its commit.
    """
    root = Path.cwd()
    if not (root / "asv.conf.json").is_file():
        raise UserError(f"{root} has no asv.conf.json: run this in a checkout of persistbench.")
    git = ["git", "rev-parse", "--verify", "--quiet", "HEAD"]
    try:
        result = subprocess.run(git, cwd=root, capture_output=True, check=False)  # noqa: S603
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


DEAREST = 5
"""So many cells are named at the end of a run, with what their calls cost."""

QUICK = ("audit", "dump", "label_changes", "load", "mmap", "size")
"""The files of questions that are asked unless all are wanted: at most 20 minutes on 2 cores."""


def _backends(levels: bool) -> list[str]:
    """Return all backends, without further levels of a compressor unless they are wanted."""
    known = backends.discover().items()
    return [name for name, backend in known if levels or not backend.variant]


def _expression(pipelines: Iterable[str], backend_ids: Iterable[str]) -> str:
    """Return the regular expression for the cells with these names; none are all."""
    names = [
        "|".join(re.escape(name) for name in chosen) or ".*" for chosen in (pipelines, backend_ids)
    ]
    return rf"\('({names[0]})', '({names[1]})'\)"


def _unmeasured(results: Path, name: str, arguments: list[str]) -> str:
    """Return the expression for the cells of what has no figure yet; empty if nothing is new."""
    from persistbench.records.collect import collect

    environments = _environments(arguments)
    here = [
        figure
        for figure in collect(results).figures
        if figure.machine == name
        and figure.environment in environments
        and figure.status != "not run"
        and not figure.scaled
    ]
    pipelines = catalogue.discover().keys() - {figure.pipeline for figure in here}
    usual = _backends(levels=False)
    backend_ids = set(usual) - {figure.backend for figure in here}
    parts = [_expression(sorted(pipelines), usual)] if pipelines else []
    parts += [_expression([], sorted(backend_ids))] if backend_ids else []
    return "|".join(parts)


def _environments(arguments: list[str]) -> set[str]:
    """Return the names of the environments that asv is going to measure in."""
    from asv.commands.common_args import add_environment
    from asv.config import Config
    from asv.environment import get_environments

    parser = argparse.ArgumentParser(add_help=False)
    add_environment(parser)
    chosen, _ = parser.parse_known_args(arguments)
    result = get_environments(Config.load("asv.conf.json"), chosen.env_spec, verbose=False)
    return {environment.name for environment in result}


def _selection(cells: str, every: bool) -> list[str]:
    """Return the arguments that narrow asv to the questions and to these cells."""
    questions = "" if every else rf"^({'|'.join(QUICK)})\."
    return ["--bench", rf"{questions}.*({cells})"]
