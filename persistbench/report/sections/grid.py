"""The grid: every cell of a question, relative to the best, to pickle-5 or to the floor."""

from typing import Any

import altair as alt
from markupsafe import Markup

from persistbench.records.figures import Table
from persistbench.report import charts, dataset
from persistbench.report.templates import fill
from persistbench.statistics.sequential import EQUAL

ORDER = 40
TITLE = "Grid"

_SPAN = 5
"""Colours end at 2 to this power: what is 32 times slower is as dark as what is 100 times."""


def render(table: Table) -> Markup | None:
    """Return the heat map; the page chooses platform, question and reference."""
    rows = dataset.rows(table)
    if not questions(rows):
        return None
    return fill(
        "grid.html",
        questions=questions(rows),
        references=dataset.REFERENCES,
        chart=charts.interactive("grid", chart(rows, alt.NamedData("figures")), _alt("a question")),
    )


def pictures(table: Table) -> dict[str, charts.Picture]:
    """Return the heat map of the time to load, relative to the best."""
    rows = [
        row
        for row in dataset.rows(table)
        if (row["place"], row["question"]) == (0, "load") and row["status"] != "not run"
    ]
    if not rows:
        return {}
    drawn = chart(rows, alt.InlineData(values=rows)).properties(
        title="time to load, as a multiple of the best of the row (= is equal, ? is undecided)"
    )
    return {"grid-load": charts.Picture(drawn, _alt("load"))}


def questions(rows: list[dict[str, Any]]) -> list[str]:
    """Return the questions that have figures, those that every reader asks first."""
    first = ("load", "dump", "size")
    result = {row["question"] for row in rows if row["value"] is not None}
    return [q for q in first if q in result] + sorted(result - set(first))


def chart(rows: list[dict[str, Any]], data: Any) -> Any:
    """Return the heat map with the parameters ``place``, ``question`` and ``relative``."""
    backends = sorted({row["backend"] for row in rows})
    across = alt.X(
        "backend:N", title=None, axis=alt.Axis(orient="top", labelAngle=-60), sort=backends
    )
    base = (
        alt.Chart(data)
        .transform_filter("datum.place === place && datum.question === question")
        .transform_calculate(
            ratio="datum['to_' + relative]",
            log="datum.ratio > 0 ? log(datum.ratio) / LN2 : null",
            # As compare.Ratio.mark says it.
            mark=(
                "datum.ratio === 1 || !isValid(datum.ratio) ? ''"
                f" : datum['to_' + relative + '_low'] >= {1 / EQUAL}"
                f" && datum['to_' + relative + '_high'] <= {EQUAL} ? '='"
                " : datum['to_' + relative + '_low'] <= 1"
                " && datum['to_' + relative + '_high'] >= 1 ? '?' : ''"
            ),
            relation=(
                "!isValid(datum.ratio) ? ''"
                " : (datum.mark === '=' ? 'equal, ' : datum.mark === '?' ? 'undecided, ' : '')"
                " + format(datum.ratio, '.3~r') + '×'"
            ),
            cell=(
                "datum.status === 'ok' ? (isValid(datum.ratio) ?"
                " datum.mark + format(datum.ratio,"
                " datum.ratio !== 1 && abs(datum.ratio - 1) < 0.05 ? '.2f' : '.2~r')"
                " : datum.unit === 'predictions' ? '' + datum.value : '–')"
                " : datum.status === 'failed' ? '✗' : datum.status === 'n/a' ? 'n/a' : '·'"
            ),
            figure="datum.status === 'ok' ? datum.shown : datum.status",
            spoken="datum.pipeline + ', ' + datum.backend + ': ' + datum.figure"
            " + (datum.relation ? ', ' + datum.relation : '')"
            " + (datum.reason ? ', ' + datum.reason : '')",
        )
        .encode(x=across, y=alt.Y("pipeline:N", title=None))
    )
    tooltip = charts.tooltip(
        {
            "pipeline": "pipeline",
            "backend": "backend",
            "figure": "figure",
            "interval": "99 % interval",
            "samples": "samples",
            "relation": "relative",
            "reason": "reason",
        }
    )
    colour = alt.Color(
        "log:Q",
        title="times the reference",
        scale=alt.Scale(
            scheme="blueorange", domain=[-_SPAN, _SPAN], domainMid=0, clamp=True, nice=False
        ),
        legend=alt.Legend(
            values=[-_SPAN, -3, 0, 3, _SPAN],
            labelExpr="(datum.value < 0 ? '1/' : '') + pow(2, abs(datum.value)) + '×'",
            gradientLength=300,
        ),
    )
    known = base.transform_filter("isValid(datum.log)")
    unknown = base.transform_filter("!isValid(datum.log)")
    layers = alt.layer(
        known.mark_rect().encode(color=colour, tooltip=tooltip, description="spoken:N"),
        unknown.mark_rect(opacity=0.12, color=charts.FLOOR_COLOUR).encode(
            tooltip=tooltip, description="spoken:N"
        ),
        known.mark_text(fontSize=11, aria=False).encode(
            text="cell:N",
            color=alt.condition("abs(datum.log) > 4.3", alt.value("white"), alt.value("black")),
            tooltip=tooltip,
        ),
        unknown.mark_text(fontSize=10, aria=False).encode(text="cell:N", tooltip=tooltip),
    )
    return layers.add_params(
        alt.param(name="place", value=0),
        alt.param(name="question", value="load"),
        alt.param(name="relative", value=dataset.BEST),
    ).properties(width=alt.Step(38), height=alt.Step(25))


def _alt(question: str) -> str:
    return (
        f"Heat map of {question}: a row for each pipeline, a column for each backend, "
        "each cell as a multiple of the reference. Equal, undecided, refused and failed are marked."
    )
