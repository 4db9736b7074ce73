"""The ranked table as text: for a terminal, a spreadsheet, a program or a document."""

import json
from collections.abc import Sequence
from dataclasses import asdict

from rich.console import Console
from rich.table import Table
from rich.text import Text

from persistbench.report.figures import Figure

Ranked = Sequence[tuple[str, Figure]]

_SCALES = {
    "seconds": ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs")),
    "bytes": ((1e6, "MB"), (1e3, "kB"), (1.0, "B")),
}


def human(value: float | None, unit: str) -> str:
    """Return a value with three significant digits and a unit of a readable size."""
    if value is None:
        return ""
    scales = _SCALES.get(unit, ((1.0, unit),))
    scale, name = next((s for s in scales if abs(value) >= s[0]), scales[-1])
    return f"{value / scale:.3g} {name}"


def to_json(rows: Ranked) -> str:
    """Return the ranked rows as a JSON list; the rank is a field of its own."""
    found = [{"rank": rank, **asdict(figure)} for rank, figure in rows]
    return json.dumps(found, indent=2, allow_nan=False)


def to_markdown(rows: Ranked) -> str:
    """Return the ranked rows as a table for a document."""
    lines = [f"| {' | '.join(_HEADINGS)} |", "|---" * len(_HEADINGS) + "|"]
    lines += [f"| {' | '.join(map(_cell, _texts(*row)))} |" for row in rows]
    return "\n".join(lines)


def print_table(rows: Ranked, console: Console) -> None:
    """Print one table for each machine and environment: they are never ranked together."""
    places = dict.fromkeys((figure.machine, figure.environment) for _, figure in rows)
    for machine, environment in places:
        table = Table(title=Text(f"{machine}, {environment}"), title_justify="left")
        for heading in _HEADINGS:
            right = heading in ("rank", "median", "99 % interval", "samples")
            table.add_column(heading, justify="right" if right else "left", overflow="fold")
        for rank, figure in rows:
            if (figure.machine, figure.environment) == (machine, environment):
                # Text, not str: names and reasons from outside are not markup.
                table.add_row(*(Text(part) for part in _texts(rank, figure)))
        console.print(table)


_HEADINGS = ("question", "pipeline", "rank", "backend", "median", "99 % interval", "samples", "")


def _texts(rank: str, figure: Figure) -> tuple[str, ...]:
    interval = ""
    if figure.low is not None and figure.high is not None:
        interval = f"{human(figure.low, figure.unit)} to {human(figure.high, figure.unit)}"
    return (
        figure.question,
        figure.pipeline,
        rank,
        figure.backend,
        human(figure.value, figure.unit) if figure.status == "ok" else figure.status,
        interval,
        str(figure.samples) if figure.samples else "",
        figure.reason,
    )


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;").replace("\n", " ")
