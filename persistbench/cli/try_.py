"""``persistbench try``: parsing and printing only."""

import sys
from collections import Counter, defaultdict
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from persistbench.errors import UserError
from persistbench.outcomes import Outcome
from persistbench.suite import registration, run
from persistbench.trials import campaign, kinds
from persistbench.trials import selection as selections
from persistbench.trials.base import Kind
from persistbench.trials.selection import FAULTS, PATIENCE_SECONDS
from persistbench.trials.trial import Record

app = typer.Typer(
    help="Try what has an outcome instead of a duration; records go to results/.",
    no_args_is_help=True,
)

BackendOption = Annotated[
    list[str] | None, typer.Option(help="Only this backend; may be repeated.")
]
PipelineOption = Annotated[
    list[str] | None, typer.Option(help="Only this pipeline; may be repeated.")
]
SchedulerOption = Annotated[
    str | None,
    typer.Option(help="Address of a running Dask scheduler, such as tcp://10.0.0.1:8786."),
]


@app.command()
def survival(
    only: Annotated[
        str, typer.Option(help="Only estimators whose name matches this regular expression.")
    ] = "",
    backend: BackendOption = None,
    scheduler: SchedulerOption = None,
) -> None:
    """Save and load every estimator that scikit-learn lists with every backend."""
    from persistbench.trials.survival import Survival

    make([Survival(selections.everything((), backend or [], only))], scheduler)


@app.command("custom-code")
def custom_code(backend: BackendOption = None, scheduler: SchedulerOption = None) -> None:
    """Save pipelines with own code in them, and load them with that code and without it."""
    from persistbench.trials.custom_code import CustomCode

    make([CustomCode(selections.everything((), backend or []))], scheduler)


@app.command()
def exactness(
    pipeline: PipelineOption = None,
    backend: BackendOption = None,
    scheduler: SchedulerOption = None,
) -> None:
    """Compare every pipeline with what a process that has never seen it loads."""
    from persistbench.trials.exactness import Exactness

    make([Exactness(selections.everything(pipeline or [], backend or []))], scheduler)


@app.command()
def safety(
    only: Annotated[
        list[str] | None, typer.Option(help="Only this kind of trial; may be repeated.")
    ] = None,
    pipeline: PipelineOption = None,
    backend: BackendOption = None,
    faults: Annotated[int, typer.Option(help="Flipped bits in each cell.")] = FAULTS,
    patience: Annotated[
        float, typer.Option(help="Seconds that the faults of one cell may take.")
    ] = PATIENCE_SECONDS,
    scheduler: SchedulerOption = None,
) -> None:
    """Try attacks and accidents: crafted, damaged, half-saved and shared artifacts."""
    chosen = kinds.chosen(only or [])
    selection = selections.usual(pipeline or [], backend or [], faults, patience)
    for _, group in groupby(chosen, key=lambda kind: kind.group):
        make([kind(selection) for kind in group], scheduler)


def make(kinds: Sequence[Kind], scheduler: str | None) -> None:
    """Make the trials that have no record yet, under a progress bar; print all outcomes at the end.

    Args:
        kinds: of one group.
        scheduler: address of a Dask cluster; None for the cores of this machine.
    """
    group = kinds[0].group
    tasks = [task for kind in kinds for task in kind.tasks()]
    root = run.checkout()
    paths: list[Path] = []

    def path() -> Path:
        results = run.writable(root / "results")
        try:
            name = registration.register()
        except ModuleNotFoundError as error:
            raise UserError(
                f'{error.name} is not installed: `pip install "persistbench[bench]"`.'
            ) from error
        paths.append(results / name / "trials" / f"{group}.jsonl")
        return paths[0]

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    try:
        with Progress(*columns, console=Console(stderr=True)) as progress:
            bar = progress.add_task(group, total=sum(len(task.trials) for task in tasks))

            def step(done: int, of: int) -> None:
                if done and progress.tasks[0].completed == 0:
                    progress.reset(bar, completed=done, total=of)  # known ones tell no speed
                progress.update(bar, completed=done, total=of)

            records = campaign.run(tasks, path, step, _warn, scheduler)
    except KeyboardInterrupt:
        _warn("Stopped. What was done is kept, and the same command makes the rest.")
        raise typer.Exit(130) from None
    _print_summaries(records)
    print(f"Records: {paths[0]}; the report shows them after `asv publish`.")


def _print_summaries(records: Sequence[Record]) -> None:
    """Print a table for each kind of trial."""
    by_kind: dict[str, list[Record]] = defaultdict(list)
    for record in records:
        by_kind[record["trial"]].append(record)
    for kind, own in by_kind.items():
        _print_summary(kind, own)


def _print_summary(kind: str, records: Sequence[Record]) -> None:
    """Print how often each backend had each outcome, the best first."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for record in records:
        counts[record["backend"]].update(_words(record))
    seen = {name for count in counts.values() for name in count}
    headings: list[str] = [name for name in Outcome if name in seen]
    headings += sorted(seen - set(headings))
    table = Table(title=f"{kind}: outcomes by backend", title_justify="left")
    table.add_column("backend", no_wrap=True)
    for heading in headings:
        table.add_column(heading.replace("-", " "), justify="right")  # which can be wrapped
    for backend_id, count in sorted(counts.items(), key=lambda item: -item[1][Outcome.SAME]):
        table.add_row(backend_id, *(str(count[heading] or "") for heading in headings))
    Console().print(table)


def _words(record: Record) -> Counter[str]:
    """Return what is counted of a record: its outcome or those of its faults, and worse."""
    words = Counter(record.get("counts") or [record["outcome"]])
    if record.get("false_success"):
        words["false success"] += 1
    if record.get("marker") not in (None, False, "never"):
        words["ran code"] += 1
    if isinstance(left := record.get("left"), str):
        words[f"left: {left}"] += 1
    return words


def _warn(sentence: str) -> None:
    print(f"persistbench: {sentence}", file=sys.stderr)
