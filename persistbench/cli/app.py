"""The command line: parsing and printing only."""

import json
import sys
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import TaskID
from rich.table import Table
from rich.text import Text

from persistbench import backends, sandbox, units
from persistbench.backends import Backend
from persistbench.cases import catalogue
from persistbench.cases.building import BuildError
from persistbench.cases.catalogue import Pipeline
from persistbench.cases.fitted import fit
from persistbench.cli import try_
from persistbench.errors import UserError
from persistbench.measure import inspection
from persistbench.measure import steps as measured
from persistbench.measure.artifact import printable
from persistbench.records import figures
from persistbench.records.run import MINUTES
from persistbench.records.steps import advice
from persistbench.report import tables
from persistbench.suite import run

app = typer.Typer(
    help="How should I save this fitted pipeline? Answered with measurements.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(try_.app, name="try")


@app.command("list")
def list_(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show the backends and the pipelines.

    Pipelines that were never fitted here are fitted first, to tell their size.
    """
    sandbox.sweep()
    known = [_backend_row(backend) for backend in backends.discover().values()]
    if not as_json:
        _print_backends(known)
    rows = []
    with Console(stderr=True).status("") as status:
        for pipeline in catalogue.discover().values():
            status.update(f"{pipeline.name} is built, if it never was")
            rows.append(_pipeline_row(pipeline))
    if as_json:
        print(json.dumps({"backends": known, "pipelines": rows}, indent=2))
    else:
        _print_pipelines(rows)
    broken = [row for row in rows if row["broken"]]
    if len(broken) > _NAMED:
        names = ", ".join(row["name"] for row in broken)
        raise UserError(f"{len(broken)} pipelines cannot be built, their notes say why: {names}.")
    if broken:
        raise UserError(
            "; ".join(f"{row['name']} cannot be built: {row['note']}" for row in broken)
        )


_NAMED = 3
"""So many pipelines that cannot be built are explained below the table."""


@app.command(
    "bench",
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
)
def bench_(
    context: typer.Context,
    pipeline: Annotated[
        list[str] | None, typer.Option(help="Only this pipeline; may be repeated.")
    ] = None,
    backend: Annotated[
        list[str] | None, typer.Option(help="Only this backend; may be repeated.")
    ] = None,
    every: Annotated[
        bool, typer.Option("--all", help="Ask all questions: cold cache, memory, ..., too.")
    ] = False,
    levels: Annotated[
        bool, typer.Option("--levels", help="Measure all levels of each compressor.")
    ] = False,
    new: Annotated[
        bool, typer.Option("--new", help="Only pipelines and backends without figures so far.")
    ] = False,
    minutes: Annotated[
        float, typer.Option(min=0, help="Refine figures for so long; the first round is finished.")
    ] = MINUTES,
) -> None:
    """Run the suite and publish; other arguments go to `asv run`.

    The page is written after each round. The same command goes on where it was stopped.
    """
    say = partial(print, flush=True)  # before what asv prints next
    narrowed = (pipeline or [], backend or [])
    raise typer.Exit(run.run(context.args, *narrowed, every, levels, new, minutes, say))


class Format(StrEnum):
    """How `show` prints."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"
    MARKDOWN = "markdown"


@app.command()
def show(
    pipeline: Annotated[str | None, typer.Option(help="Only this pipeline.")] = None,
    question: Annotated[
        str | None, typer.Option(help="Only this question: dump, load, size, map, ...")
    ] = None,
    form: Annotated[Format, typer.Option("--format", help="How to print.")] = Format.TABLE,
) -> None:
    """Show the figures in results/, ranked. `=`: equal to the first (± 2 %); `?`: undecided."""
    rows = tables.select(Path("results"), pipeline, question, warn=_warn)
    if form is Format.CSV:
        print(figures.to_csv(figure for _, figure in rows), end="")
    elif form is Format.JSON:
        print(tables.to_json(rows))
    elif form is Format.MARKDOWN:
        print(tables.to_markdown(rows))
    else:
        tables.print_table(rows, Console())


@app.command()
def calibrate() -> None:
    """Prove the instrument on this machine, in a quarter of an hour; store the verdict."""
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    from persistbench.calibrate import run as trials

    run.writable(run.checkout() / "results")  # before minutes of work
    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        bars: dict[str, TaskID] = {}

        def step(what: str, done: int, of: int) -> None:
            if what not in bars:
                bars[what] = progress.add_task(what, total=of)
            progress.update(bars[what], completed=done)

        verdict, path = trials.run(step)
    for sentence in verdict.sentences():
        print(sentence)
    print(f"Stored in {path}, and shown by the report after `asv publish`.")


_Artifact = Annotated[Path, typer.Argument(help="A file that a backend saved.", readable=False)]
_SavedBy = Annotated[str, typer.Option(help="The backend that saved the file.")]
_Trust = Annotated[
    list[str] | None,
    typer.Option(help="A name that a backend with a list may load; may be repeated."),
]
_Trusted = Annotated[
    bool,
    typer.Option("--trusted", help="I trust the file: its load may run any code in it."),
]


@app.command()
def inspect(
    artifact: _Artifact,
    backend: _SavedBy,
    steps: Annotated[
        bool, typer.Option("--steps", help="Load the file, and show the bytes of each step.")
    ] = False,
    trust: _Trust = None,
    trusted: _Trusted = False,
) -> None:
    """Show what is in an artifact; without --steps nothing loads it."""
    if steps:
        _print_steps(artifact, backends.get(backend), trust, trusted)
        return
    said = inspection.inspect(artifact, backends.get(backend))
    if not any(one.verdict.same for one in said):
        reasons = "; ".join(f"{one.function}: {one.verdict.reason}" for one in said)
        raise UserError(
            _printable(
                f"{artifact} cannot be inspected ({reasons}): --backend must name the backend that "
                "saved the file."
            )
        )
    for one in said:
        print(f"{one.function}: {_printable(one.verdict.reason)}".rstrip())
        for line in one.lines:
            print(f"  {_printable(line)}")
        if one.left_out:
            print(f"  and {one.left_out:,} more lines")
    if trust:
        print("--trust has no effect without --steps: nothing was loaded.")


@app.command(hidden=True, deprecated=True)
def weigh(
    artifact: _Artifact, backend: _SavedBy, trust: _Trust = None, trusted: _Trusted = False
) -> None:
    """Show the bytes of each step; say `inspect --steps` instead."""
    _print_steps(artifact, backends.get(backend), trust, trusted)


def _print_steps(artifact: Path, backend: Backend, trust: list[str] | None, trusted: bool) -> None:
    notes: list[str] = []
    kept, steps = measured.of_artifact(artifact, backend, tuple(trust or ()), trusted, notes.append)
    table = Table(title=Text(_printable(f"{artifact}: {_size(kept)}")), title_justify="left")
    for heading in ("step", "class", "size", "load", "largest attribute"):
        justify: Any = "right" if heading in ("size", "load") else "left"
        table.add_column(heading, justify=justify, overflow="fold")
    for step in steps:
        load = units.human(step.load_seconds, "seconds") if step.load_seconds else "n/a"
        remarks = [f"{step.largest} ({_size(step.largest_bytes)})"] if step.largest else []
        remarks += [f"shared with {name}" for name in step.shared]
        remarks += [f"{name}: n/a" for name in step.unpickled]
        row = (step.step, step.kind, _size(step.bytes), load)
        about = "\n".join(map(_printable, remarks))
        table.add_row(*(Text(_printable(cell)) for cell in row), Text(about))
    Console().print(table)
    for sentence in filter(None, (*notes, advice(steps))):
        print(_printable(sentence))


@app.command()
def pictures(
    folder: Annotated[Path, typer.Argument(help="Where the SVG and PNG files go.")],
) -> None:
    """Write the charts of the page as SVG and PNG, from the figures in results/."""
    try:
        from persistbench.report.pictures import write
    except ModuleNotFoundError as error:
        raise UserError(
            f'{error.name} is not installed: `pip install "persistbench[report]"`.'
        ) from error
    written = write(Path("results"), folder)
    if not written:
        raise UserError(
            "There is nothing to draw: the first machine in results has none of the figures that "
            f"the pictures show. {tables.HOW_TO_MEASURE}"
        )
    for path in written:
        print(path)


def _warn(sentence: str) -> None:
    print(f"persistbench: {sentence}", file=sys.stderr)


def main() -> None:
    """Run the command line; bad input is one sentence and exit status 2."""
    try:
        app()
    except UserError as error:
        print(f"persistbench: {error}", file=sys.stderr)
        sys.exit(2)
    except OSError as error:
        if error.filename is None:
            raise
        print(
            f"persistbench: {error.filename}: {error.strerror}. Give yourself the right to use it, "
            "or name another.",
            file=sys.stderr,
        )
        sys.exit(2)


def _backend_row(backend: Backend) -> dict[str, Any]:
    claims = backend.claims
    return {
        "id": backend.id,
        "available": not backend.missing,
        "missing": list(backend.missing),
        "install": backend.install,
        "memory_maps": claims.memory_maps,
        "returns": claims.returns,
        "executes_code": claims.executes_code,
        "restricted": claims.restricted,
        "carries_code": claims.carries_code,
        "audits": claims.audits,
        "deterministic": claims.deterministic,
        "tolerance": claims.tolerance,
        "variant": backend.variant,
    }


def _pipeline_row(pipeline: Pipeline) -> dict[str, Any]:
    row: dict[str, Any] = {"name": pipeline.name, "stresses": pipeline.stresses}
    try:
        fitted = fit(pipeline)
    except BuildError as error:
        broken = not error.missing_library
        return {**row, "payload_bytes": None, "note": str(error), "broken": broken}
    return {
        **row,
        "payload_bytes": fitted.payload_bytes,
        "note": fitted.refusal,
        "broken": False,
    }


def _print_backends(rows: list[dict[str, Any]]) -> None:
    table = Table(title="Backends and what they claim", title_justify="left")
    table.add_column("id", no_wrap=True)
    for heading in ("available", "memory-maps", "returns", "executes code", "carries code"):
        table.add_column(heading)
    for row in rows:
        available = "yes" if row["available"] else f"no: {row['install']}"
        table.add_row(
            row["id"],
            available,
            _yes(row["memory_maps"]),
            row["returns"],
            "by listed names" if row["restricted"] else _yes(row["executes_code"]),
            _yes(row["carries_code"]),
        )
    Console().print(table)


def _print_pipelines(rows: list[dict[str, Any]]) -> None:
    table = Table(title="Pipelines (payload: bytes of the pickle-5 artifact)", title_justify="left")
    table.add_column("name", no_wrap=True)
    table.add_column("payload", justify="right", no_wrap=True)
    table.add_column("stresses", overflow="fold")
    for row in rows:
        text = row["stresses"]
        if row["note"]:
            text += f"\nn/a: {row['note']}"
        table.add_row(row["name"], _size(row["payload_bytes"]), text)
    Console().print(table, markup=False)


def _printable(text: str) -> str:
    """Return a text that the terminal can show, without what steers a terminal."""
    encoding = sys.stdout.encoding or "utf-8"
    return printable(text).encode(encoding, "backslashreplace").decode(encoding)


def _yes(value: bool) -> str:
    return "yes" if value else "no"


def _size(count: int | None) -> str:
    if count is None:
        return "n/a"
    for unit, scale in (("MB", 10**6), ("kB", 10**3)):
        if count >= scale:
            return f"{count / scale:.1f} {unit}"
    return f"{count} B"
