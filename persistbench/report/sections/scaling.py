"""Scaling: how dump and load grow with size, and where they stop growing in a line."""

from dataclasses import dataclass
from typing import Any

import altair as alt
from markupsafe import Markup

from persistbench.records.figures import Cells, Figure, Table
from persistbench.records.questions import size_of
from persistbench.report import charts
from persistbench.report.tables import with_interval
from persistbench.report.templates import fill
from persistbench.statistics import lines
from persistbench.units import human

ORDER = 57
TITLE = "Scaling"
SHOWS = ("scale_",)

VIEWS = {
    "load-array": "load of one array",
    "dump-array": "dump of one array",
    "load-objects": "load of many objects",
    "dump-objects": "dump of many objects",
}

UNITS = {"array": (1e6, "MB"), "objects": (1e3, "1,000 objects")}
"""The unit of a slope: how much of the size, and its name."""

FEWEST = 3
"""Sizes that a line is fitted to."""


@dataclass(frozen=True)
class Row:
    """A backend in one view.

    Attributes:
        backend: its id.
        line: time by size.
        last: the largest size that was measured.
        left_out: why none larger was, if one was refused.
        bent: where the line breaks.
        faults: page faults for each unit of size, at the last size before the break and at
            the largest; None where they were not counted.
    """

    backend: str
    line: lines.Line
    last: float
    left_out: str
    bent: lines.Break | None
    faults: tuple[float, float] | None


def render(table: Table) -> Markup | None:
    """Return the curves of the chosen view and the lines fitted to them."""
    result = points(table)
    if not result:
        return None
    alt_text = "Line chart: time for each unit of size against size, by backend, log scales."
    return fill(
        "scaling.html",
        views=VIEWS,
        units=UNITS,
        size=size,
        chart=charts.interactive("scaling", chart(result), alt_text),
        platforms=[
            (index, {view: rows(table.scaled(platform), view) for view in VIEWS})
            for index, platform in enumerate(table.platforms)
        ],
    )


def points(table: Table) -> list[dict[str, Any]]:
    """Return a row for every size, backend, view and platform that has a figure."""
    result = []
    for index, platform in enumerate(table.platforms):
        cells = table.scaled(platform)
        for view in VIEWS:
            for backend, measured in _by_backend(cells, view).items():
                unit, _ = UNITS[_kind(view)]
                for extent, figure in measured:
                    if figure.value:
                        result.append(
                            {
                                "place": index,
                                "scaling": view,
                                "backend": backend,
                                "library": charts.library(backend),
                                "size": extent,
                                "value": figure.value / (extent / unit),
                                "text": with_interval(figure),
                            }
                        )
    return result


def rows(cells: Cells, view: str) -> list[Row]:
    """Return what is known of each backend, those with the lowest slope first."""
    result = []
    faults = _by_backend(cells, f"faults-{_kind(view)}") if view.startswith("load") else {}
    for backend, measured in _by_backend(cells, view).items():
        timed = [(extent, figure.value) for extent, figure in measured if figure.value]
        if len(timed) < FEWEST:
            continue
        sizes, times = zip(*timed, strict=True)
        refused = [figure.reason for _, figure in measured if not figure.value and figure.reason]
        bent = lines.broken(sizes, times)
        counts = {extent: figure.value for extent, figure in faults.get(backend, [])}
        result.append(
            Row(
                backend,
                lines.fit(sizes, times),
                sizes[-1],
                refused[0] if refused else "",
                bent,
                _densities(counts, bent.after, sizes[-1], UNITS[_kind(view)][0]) if bent else None,
            )
        )
    return sorted(result, key=lambda row: row.line.slope)


def size(number: float, view: str) -> str:
    """Return a size as it is read."""
    return human(number, "bytes") if _kind(view) == "array" else f"{number:,.0f}"


def chart(rows: list[dict[str, Any]]) -> Any:
    """Return the curves with the parameters ``place`` and ``scaling``."""
    base = (
        alt.Chart(alt.InlineData(values=rows))
        .transform_filter("datum.place === place && datum.scaling === scaling")
        .encode(
            x=alt.X(
                "size:Q",
                title="bytes of the array, or number of objects",
                scale=alt.Scale(type="log", nice=False, padding=12),
                axis=charts.log_axis("format(datum.value, '~s')"),
            ),
            y=alt.Y(
                "value:Q",
                title="time per MB, or per 1,000 objects",
                scale=alt.Scale(type="log", nice=False, padding=12),
                axis=charts.log_axis(charts.TIME),
            ),
            color=charts.library_colour({row["backend"] for row in rows}),
            detail="backend:N",
        )
    )
    tooltip = [
        alt.Tooltip("backend:N"),
        alt.Tooltip("size:Q", format="~s"),
        alt.Tooltip("text:N", title="time"),
    ]
    return (
        alt.layer(
            base.mark_line(opacity=0.7),
            base.mark_point(filled=True, size=40, opacity=1).encode(tooltip=tooltip),
        )
        .add_params(
            alt.param(name="place", value=0), alt.param(name="scaling", value=next(iter(VIEWS)))
        )
        .properties(width="container", height=340, autosize=charts.FIT)
    )


def _kind(view: str) -> str:
    return view.partition("-")[2]


def _by_backend(cells: Cells, view: str) -> dict[str, list[tuple[float, Figure]]]:
    """Return sizes and figures of each backend, the smallest size first."""
    question, _, kind = view.partition("-")
    result: dict[str, list[tuple[float, Figure]]] = {}
    for pipeline, backends in cells.items():
        own, extent = size_of(pipeline)
        if own == kind:
            for backend, figures in backends.items():
                if f"scale_{question}" in figures:
                    result.setdefault(backend, []).append((extent, figures[f"scale_{question}"]))
    return {
        backend: sorted(measured, key=lambda point: point[0])
        for backend, measured in sorted(result.items())
    }


def _densities(
    counts: dict[float, float | None], before: float, last: float, unit: float
) -> tuple[float, float] | None:
    """Return page faults for each unit of size, at two sizes."""
    low, high = counts.get(before), counts.get(last)
    if low is None or high is None:
        return None
    return low / (before / unit), high / (last / unit)
