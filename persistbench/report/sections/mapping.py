"""Memory mapping: what it saves at load, and charges when the pipeline is used."""

from typing import Any

import altair as alt
from markupsafe import Markup

from persistbench.report import charts
from persistbench.report.compare import ratio
from persistbench.report.figures import Figure, Table
from persistbench.report.formats import with_interval
from persistbench.report.templates import fill

ORDER = 50
TITLE = "Memory mapping"

STEPS = {
    "open": ("load", "map"),
    "open and first predict": ("load_first_predict", "map_first_predict"),
    "later predict": ("load_steady_predict", "map_steady_predict"),
}
"""Each step as the question of the ordinary load and that of the map."""


def render(table: Table) -> Markup | None:
    """Return a table of all pipelines, and a chart of the chosen one."""
    places = [(index, _compared(table, index)) for index in range(len(table.places))]
    if not any(rows for _, rows in places):
        return None
    drawn = charts.interactive("mapping", chart(table), _alt("the chosen pipeline"))
    return fill("mapping.html", steps=STEPS, places=places, chart=drawn)


def pictures(table: Table) -> dict[str, charts.Picture]:
    """Return the chart of the pipeline where mapping saves most of the load."""
    compared = _compared(table, 0) if table.places else []
    if not compared:
        return {}
    pipeline = min(compared, key=lambda row: row["steps"]["open"][2].value)["pipeline"]
    drawn = chart(table, pipeline, width=640).properties(
        title=f"{pipeline}: load and memory map, step by step"
    )
    return {"mapping": charts.Picture(drawn, _alt(pipeline))}


def points(table: Table) -> list[dict[str, Any]]:
    """Return a row for each step and way of opening, of every backend that maps."""
    found = []
    for index, place in enumerate(table.places):
        for pipeline, cells in table.cells(place).items():
            for backend, figures in cells.items():
                for step, pair in _steps(figures).items():
                    found += [
                        {
                            "place": index,
                            "pipeline": pipeline,
                            "line": f"{backend}: {step}",
                            "step": step,
                            "way": way,
                            "value": figure.value,
                            "low": max(figure.low or 0.0, (figure.value or 0.0) / 3),
                            "high": figure.high,
                            "text": with_interval(figure),
                        }
                        for way, figure in zip(("load", "map"), pair, strict=True)
                    ]
    return found


def chart(table: Table, pipeline: str = "", width: int | str = "container") -> Any:
    """Return the steps of a pipeline, with the parameters ``place`` and ``pipeline``."""
    rows = points(table)
    base = (
        alt.Chart(alt.InlineData(values=rows))
        .transform_filter("datum.place === place && datum.pipeline === pipeline")
        .encode(
            y=alt.Y("line:N", title=None, sort=None),
            yOffset=alt.YOffset("way:N", sort=["load", "map"]),
            color=alt.Color(
                "way:N",
                title=None,
                scale=alt.Scale(domain=["load", "map"], range=list(charts.COLOURS[:2])),
            ),
        )
    )
    x = alt.X(
        "value:Q",
        title="time",
        scale=alt.Scale(type="log", padding=16),
        axis=charts.log_axis(charts.TIME),
    )
    layers = alt.layer(
        base.mark_rule(opacity=0.6).encode(x=alt.X("low:Q"), x2="high:Q"),
        base.mark_point(filled=True, size=80, opacity=1).encode(
            x=x,
            shape=alt.Shape("way:N", legend=None, sort=["load", "map"]),
            tooltip=[
                alt.Tooltip("line:N", title="step"),
                alt.Tooltip("way:N", title="opened by"),
                alt.Tooltip("text:N", title="time"),
            ],
            description="text:N",
        ),
    )
    pipelines = sorted({row["pipeline"] for row in rows})
    return layers.add_params(
        alt.param(name="place", value=0),
        alt.param(name="pipeline", value=pipeline or next(iter(pipelines), "")),
    ).properties(width=width, height=alt.Step(18), autosize=charts.FIT)


def _compared(table: Table, index: int) -> list[dict[str, Any]]:
    """Return, by pipeline and backend, both figures of each step and their ratio."""
    found = []
    for pipeline, cells in table.cells(table.places[index]).items():
        for backend, figures in cells.items():
            steps = _steps(figures)
            if "open and first predict" in steps:
                compared = {s: (*pair, ratio(pair[1], pair[0])) for s, pair in steps.items()}
                found.append({"pipeline": pipeline, "backend": backend, "steps": compared})
    return found


def _steps(figures: dict[str, Figure]) -> dict[str, tuple[Figure, Figure]]:
    """Return the pairs of a backend that have both figures."""
    pairs = {
        step: (figures[one], figures[other])
        for step, (one, other) in STEPS.items()
        if one in figures and other in figures
    }
    return {step: pair for step, pair in pairs.items() if all(f.value for f in pair)}


def _alt(pipeline: str) -> str:
    return (
        f"Dot plot of {pipeline}: time to open, to open and predict once, and to predict later, "
        "after an ordinary load and after a memory map, log scale with 99 % intervals."
    )
