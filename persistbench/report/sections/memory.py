"""Peak memory: how much one dump or one load needs beside what is there before."""

from typing import Any

from markupsafe import Markup

from persistbench.records.figures import Figure, Table
from persistbench.records.questions import FLOOR
from persistbench.report import charts
from persistbench.report.templates import fill
from persistbench.units import human, times

ORDER = 70
TITLE = "Peak memory"
SHOWS = ("peak_",)

WAYS = {"dump": "peak_dump", "load": "peak_load"}

SMALLEST = 1e6
"""Bytes of payload from which a peak says something: the kernel's account has steps of 0.3 MB."""

LEAST = 0.003
"""Multiples below are drawn here: a log scale has no 0."""


def render(table: Table) -> Markup | None:
    """Return the peaks of the chosen pipeline, as multiples of the payload."""
    rows = points(table)
    if not rows:
        return None
    alt_text = (
        "Dot plot of the peak memory of dump and load by backend, in multiples of the payload."
    )
    label = "format(datum.value, '~r') + '×'"
    drawn = charts.dots(rows, tuple(WAYS), "peak, as a multiple of the payload", label)
    return fill("memory.html", chart=charts.interactive("memory", drawn, alt_text))


def points(table: Table) -> list[dict[str, Any]]:
    """Return a row for each peak of a pipeline with a payload that is large enough."""
    result = []
    for index, platform in enumerate(table.platforms):
        for backends in table.cells(platform).values():
            payload = _payload(backends)
            if payload < SMALLEST:
                continue
            for backend, cells in sorted(backends.items()):
                for way, question in WAYS.items():
                    figure = cells.get(question)
                    if figure is None or figure.value is None:
                        continue
                    multiple = figure.value / payload
                    row = charts.dot(index, figure)
                    row |= dict.fromkeys(("value", "low", "high"), max(multiple, LEAST))
                    row["text"] = f"{human(figure.value, figure.unit)}, {times(multiple)}"
                    result.append(row | {"line": backend, "way": way})
    return result


def _payload(backends: dict[str, dict[str, Figure]]) -> float:
    """Return the bytes of the payload: what the floor writes and reads."""
    size = backends.get(FLOOR, {}).get("size")
    return (size.value if size else None) or 0.0
