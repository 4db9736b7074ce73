"""Fresh process: from its start to the first prediction, and where the time goes."""

from typing import Any

import altair as alt
from markupsafe import Markup

from persistbench.records.figures import Table
from persistbench.records.questions import STAGES
from persistbench.report import charts
from persistbench.report.tables import with_interval
from persistbench.report.templates import fill

ORDER = 55
TITLE = "Fresh process"
SHOWS = ("fresh_",)

NAMES = {
    "interpreter": "start the interpreter",
    "imports": "import libraries",
    "read": "read and decompress",
    "construct": "construct the objects",
    "predict": "first predict",
}


def render(table: Table) -> Markup | None:
    """Return the stages of the chosen pipeline."""
    rows = points(table)
    if not rows:
        return None
    alt_text = (
        "Stacked bars: time of a fresh process to its first prediction, by backend and stage."
    )
    return fill("fresh.html", chart=charts.interactive("fresh", chart(rows), alt_text))


def points(table: Table) -> list[dict[str, Any]]:
    """Return a row for each stage of every backend that has them all."""
    result = []
    for index, platform in enumerate(table.platforms):
        for pipeline, backends in table.cells(platform).items():
            for backend, cells in sorted(backends.items()):
                stages = [cells.get(f"fresh_{stage}") for stage in STAGES]
                modules = cells.get("fresh_modules")
                for order, (stage, figure) in enumerate(zip(STAGES, stages, strict=True)):
                    if figure is None or None in [part and part.value for part in stages]:
                        continue
                    result.append(
                        {
                            "place": index,
                            "pipeline": pipeline,
                            "backend": backend,
                            "stage": NAMES[stage],
                            "order": order,
                            "value": figure.value,
                            "text": with_interval(figure),
                            "modules": modules.value if modules else None,
                        }
                    )
    return result


def chart(rows: list[dict[str, Any]]) -> Any:
    """Return stacked bars with the parameters ``place`` and ``pipeline``."""
    names = [NAMES[stage] for stage in STAGES]
    drawn = (
        charts.of_chosen(rows)
        .mark_bar()
        .encode(
            x=alt.X(
                "value:Q",
                title="time since the process was started",
                axis=alt.Axis(labelExpr=charts.TIME, tickCount=5, labelOverlap=True),
            ),
            y=alt.Y("backend:N", title=None),
            color=alt.Color(
                "stage:N",
                title=None,
                sort=names,
                scale=alt.Scale(domain=names, range=list(charts.COLOURS[: len(names)])),
                legend=alt.Legend(columns=1),
            ),
            order="order:Q",
            tooltip=[
                alt.Tooltip("backend:N"),
                alt.Tooltip("stage:N"),
                alt.Tooltip("text:N", title="time"),
                alt.Tooltip("modules:Q", title="modules imported"),
            ],
        )
    )
    return charts.choosing(drawn.properties(height=alt.Step(18)), rows)
