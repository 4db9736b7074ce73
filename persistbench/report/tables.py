"""The ranked table as text: for a terminal, a spreadsheet, a program or a document."""

import json
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from textwrap import fill

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from persistbench.errors import UserError
from persistbench.records.collect import collect
from persistbench.records.figures import COLUMNS, Figure, Platform
from persistbench.report.compare import ranked
from persistbench.units import human

Ranked = Sequence[tuple[str, Figure]]

_WHY_THIS_ORDER = "Paired calls decide the ranks: the order of the medians can differ."

HOW_TO_MEASURE = "`make bench` measures them."


def select(
    results: Path, pipeline: str | None, question: str | None, warn: Callable[[str], None]
) -> list[tuple[str, Figure]]:
    """Return the ranked figures of one pipeline, one question or all.

    Args:
        results: asv's results folder.
        pipeline: its name, or None for all.
        question: likewise.
        warn: is called with a sentence for whatever was left out.

    Raises:
        UserError: there are no results, or none with these names.
    """
    table = collect(results)
    for sentence in table.warnings:
        warn(sentence)
    if not table.figures:
        raise UserError(f"There are no figures in {results}: {HOW_TO_MEASURE}")
    figures = [*table.figures, *table.derived]
    for kind, name, known in (
        ("pipeline", pipeline, {figure.pipeline for figure in figures}),
        ("question", question, {figure.question for figure in figures}),
    ):
        if name is not None and name not in known:
            raise UserError(
                f"There are no figures of the {kind} {name!r}, only of {', '.join(sorted(known))}."
            )
    return ranked(
        figure
        for figure in figures
        if pipeline in (None, figure.pipeline) and question in (None, figure.question)
    )


def interval(figure: Figure) -> str:
    """Return the 99 % interval as it is read; empty where there is none."""
    if figure.low is None or figure.high is None:
        return ""
    return f"{human(figure.low, figure.unit)} to {human(figure.high, figure.unit)}"


def with_interval(figure: Figure) -> str:
    """Return a figure as it is read, with its interval and sample count if it has them."""
    shown = human(figure.value, figure.unit)
    ends = interval(figure)
    if figure.unit == "seconds" and not ends:
        return f"{shown} (1 sample, no interval)"
    return f"{shown} ({ends}, {figure.samples} samples)" if ends else shown


def to_json(rows: Ranked) -> str:
    """Return the ranked rows as a JSON list; the rank is a field of its own."""
    result = [
        {"rank": rank, **{name: getattr(figure, name) for name in COLUMNS}} for rank, figure in rows
    ]
    return json.dumps(result, indent=2, allow_nan=False)


def to_markdown(rows: Ranked) -> str:
    """Return the ranked rows as a table for a document."""
    lines = [f"| {' | '.join(_HEADINGS)} |", "|---" * len(_HEADINGS) + "|"]
    lines += [f"| {' | '.join(map(_cell, _texts(*row)))} |" for row in rows]
    return "\n".join(lines)


def print_table(rows: Ranked, console: Console) -> None:
    """Print the figures of each question and pipeline as a table that fits into 80 columns.

    What has no figure stands below its table, a line for each reason. Machines and environments
    are never ranked together.

    Args:
        rows: in the order of :func:`~persistbench.report.compare.ranked`.
        console: that prints.
    """
    for (machine, environment), group in _grouped(rows, lambda figure: figure.row[:2]):
        # Text, not str: names and reasons from outside are not markup.
        title = f"{machine}, {environment}{_of_another(machine)}"
        # A long name of an environment is broken between its libraries.
        title = fill(title.replace("-", "- "), console.width).replace("- ", "-")
        console.print(Text(title, style="bold"))
        left_out = 0
        for (question, pipeline), own in _grouped(group, lambda figure: figure.row[2:]):
            if all(figure.status == "not run" for _, figure in own):
                left_out += 1
                continue
            console.print()
            console.print(Text(f"{question} of {pipeline}", style="italic"))
            if figures := [row for row in own if row[1].status == "ok"]:
                console.print(_figures(figures, console.width), crop=False)
            for line in _lines(own):
                console.print(Text(_indented(line, console.width)))
        if left_out:
            asked = "question of a pipeline was" if left_out == 1 else "questions of pipelines were"
            console.print(f"\n{left_out} {asked} not asked.")
        if any(figure.paired for _, figure in group):
            console.print(f"\n{_WHY_THIS_ORDER}")
        console.print()


def _grouped(
    rows: Ranked, key: Callable[[Figure], tuple[str, ...]]
) -> Iterator[tuple[tuple[str, ...], list[tuple[str, Figure]]]]:
    """Yield the rows of each key, in the order in which keys come first."""
    result: dict[tuple[str, ...], list[tuple[str, Figure]]] = defaultdict(list)
    for row in rows:
        result[key(row[1])].append(row)
    yield from result.items()


def _figures(rows: Ranked, width: int) -> Table:
    """Return the table; where the terminal is narrow the names are broken, and no number is.

    Args:
        rows: all of them with figures.
        width: of the terminal, in characters.
    """
    headings = ("rank", "backend", "median", "99 % interval", "samples")
    cells = [
        (
            rank,
            figure.backend,
            human(figure.value, figure.unit),
            interval(figure),
            str(figure.samples) if figure.samples else "",
        )
        for rank, figure in rows
    ]
    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for heading, column in zip(headings, zip(*cells, strict=True), strict=True):
        if heading == "backend":
            table.add_column(heading, overflow="fold", min_width=len(heading))
        else:
            own = max(map(len, (heading, *column)))
            table.add_column(heading, justify="right", no_wrap=True, min_width=own)
    for row in cells:
        table.add_row(*map(Text, row))
    least = sum(column.min_width or 0 for column in table.columns) + 3 * (len(headings) - 1)
    if least > width:
        table.width = least
    return table


def _lines(rows: Ranked) -> Iterator[str]:
    """Yield why backends have no figure, and what was not compared, a line for each reason."""
    reasons: dict[tuple[str, str], list[str]] = defaultdict(list)
    for _, figure in rows:
        if figure.status != "ok" or figure.reason:
            # A reason that begins with the backend's own name is the reason of others, too.
            reason = figure.reason.replace(f": {figure.backend} ", ": it ", 1)
            reasons[figure.status, reason].append(figure.backend)
    not_run = reasons.pop(("not run", ""), [])
    for (status, reason), names in reasons.items():
        what = ": ".join(filter(None, (status.removeprefix("ok"), reason)))
        count = f"{len(names)} backends: " if len(names) > 1 else ""
        yield f"{what} ({count}{', '.join(names)})"
    if not_run:
        yield f"not run: {_backends(len(not_run))}"


def _backends(count: int) -> str:
    return "1 backend" if count == 1 else f"{count} backends"


def _indented(line: str, width: int) -> str:
    """Return a line that is broken between words, and not inside of names."""
    return fill(line, width, initial_indent="  ", subsequent_indent="    ", break_on_hyphens=False)


def _of_another(machine: str) -> str:
    """Return what a reader must know of a machine that is a reference; else nothing."""
    if not Platform(machine, "", ()).reference:
        return ""
    return " (reference results, not of your machine: `make bench` measures yours)"


_HEADINGS = ("question", "pipeline", "rank", "backend", "median", "99 % interval", "samples", "")


def _texts(rank: str, figure: Figure) -> tuple[str, ...]:
    return (
        figure.question,
        figure.pipeline,
        rank,
        figure.backend,
        human(figure.value, figure.unit) if figure.status == "ok" else figure.status,
        interval(figure),
        str(figure.samples) if figure.samples else "",
        figure.reason,
    )


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;").replace("\n", " ")
