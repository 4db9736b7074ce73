"""Workers: what several processes that hold the same artifact need together."""

from typing import Any

import altair as alt
from markupsafe import Markup

from persistbench.records.figures import Figure, Platform, Table
from persistbench.records.questions import COUNTS
from persistbench.report import charts
from persistbench.report.templates import fill

ORDER = 65
TITLE = "Workers"
SHOWS = ("workers_", "map_workers_")

WAYS = {"load": "workers", "map": "map_workers"}


def render(table: Table) -> Markup | None:
    """Return the lines of the chosen pipeline, and what eight processes need of every one."""
    rows = points(table)
    if not rows:
        return None
    alt_text = "Line chart: proportional set size of 1 to 8 processes, loaded and memory-mapped."
    return fill(
        "workers.html",
        chart=charts.interactive("workers", chart(rows), alt_text),
        platforms=[
            (index, eight(table, platform)) for index, platform in enumerate(table.platforms)
        ],
        most=COUNTS[-1],
    )


def points(table: Table) -> list[dict[str, Any]]:
    """Return a row for each number of processes, backend and way."""
    result = []
    for index, platform in enumerate(table.platforms):
        for backends in table.cells(platform).values():
            for backend, cells in sorted(backends.items()):
                for way, name in WAYS.items():
                    for count in COUNTS:
                        figure = cells.get(f"{name}_{count}_pss")
                        if figure is not None and figure.value is not None:
                            row = charts.dot(index, figure)
                            result.append(row | {"line": f"{backend}: {way}", "count": count})
    return result


def eight(table: Table, platform: Platform) -> list[tuple[str, str, str, dict[str, Figure]]]:
    """Return pipeline, backend, way and the three sums of the largest number of processes."""
    result = []
    for pipeline, backends in table.cells(platform).items():
        for backend, cells in sorted(backends.items()):
            for way, name in WAYS.items():
                sums = {
                    kind: figure
                    for kind in ("pss", "uss", "rss")
                    if (figure := cells.get(f"{name}_{COUNTS[-1]}_{kind}")) and figure.value
                }
                if len(sums) == 3:
                    result.append((pipeline, backend, way, sums))
    return result


def chart(rows: list[dict[str, Any]]) -> Any:
    """Return the lines with the parameters ``place`` and ``pipeline``."""
    drawn = (
        charts.of_chosen(rows)
        .mark_line(point={"size": 70})
        .encode(
            x=alt.X("count:O", title="processes", axis=alt.Axis(labelAngle=0)),
            y=alt.Y(
                "value:Q",
                title="proportional set size, all together",
                axis=alt.Axis(labelExpr=charts.BYTES),
            ),
            color=alt.Color(
                "line:N",
                title=None,
                scale=alt.Scale(range=list(charts.COLOURS)),
                legend=alt.Legend(columns=2),
            ),
            strokeDash=alt.StrokeDash("line:N", title=None),
            tooltip=[
                alt.Tooltip("line:N", title="of"),
                alt.Tooltip("count:O", title="processes"),
                alt.Tooltip("text:N", title="together"),
            ],
        )
    )
    return charts.choosing(drawn.properties(height=260), rows)
