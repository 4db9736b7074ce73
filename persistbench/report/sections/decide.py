"""Decide: the ranking for the reader's own way of working, and why each other backend is out."""

from typing import Any

import altair as alt
from markupsafe import Markup
from msgspec import to_builtins

from persistbench.records import forms
from persistbench.records.figures import Table
from persistbench.records.questions import FLOOR, REFERENCE
from persistbench.report import charts
from persistbench.report.sections import attack, survival
from persistbench.report.templates import asset, fill
from persistbench.report.total import Deployment
from persistbench.statistics.sequential import EQUAL

ORDER = 20
TITLE = "Decide"
SHOWS = ("dump", "load", "size")
TRIALS = (forms.SURVIVAL, forms.CODE)


def render(table: Table) -> Markup | None:
    """Return the controls and an empty ranking, which decide.js fills from the figures."""
    if not any(figure.question == "load" for figure in table.figures):
        return None
    claims = {index: to_builtins(table.claims(index)) for index in range(len(table.platforms))}
    survivors = {
        index: {backend: (row.same, row.tried) for backend, row in survival.counts(result).items()}
        for index, result in table.tried(forms.SURVIVAL)
    }
    return fill(
        "decide.html",
        deployment=Deployment(),
        claims=claims,
        survivors=survivors,
        equal=EQUAL,
        ran={index: attack.runners(result) for index, result in table.tried(forms.CODE)},
        floor=FLOOR,
        reference=REFERENCE,
        chart=charts.interactive("totals", chart(), "Bar chart of the total cost by its parts."),
        script=asset("decide.js"),
    )


def chart() -> Any:
    """Return stacked bars of the data set ``totals``: backend, part, seconds, in order."""
    parts = ["dump", "transfer", "loads"]
    base = alt.Chart(alt.NamedData("totals")).encode(y=alt.Y("backend:N", title=None, sort=None))
    bars = base.mark_bar().encode(
        x=alt.X(
            "seconds:Q",
            title="total cost, with its 99 % interval",
            axis=alt.Axis(labelExpr=charts.TIME, tickCount=5, labelOverlap=True),
        ),
        color=alt.Color(
            "part:N",
            title=None,
            sort=parts,
            scale=alt.Scale(domain=parts, range=list(charts.COLOURS[:3])),
        ),
        order="order:Q",
        tooltip=[
            alt.Tooltip("backend:N"),
            alt.Tooltip("part:N"),
            alt.Tooltip("shown:N", title="time"),
        ],
    )
    whole = base.transform_filter("datum.order === 0")
    intervals = whole.mark_rule(strokeWidth=2).encode(x=alt.X("low:Q"), x2="high:Q")
    return alt.layer(bars, intervals).properties(
        width="container", height=alt.Step(18), autosize=charts.FIT
    )
