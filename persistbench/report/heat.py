"""Heat maps of words: what happened to each subject with each backend, and why."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import altair as alt
from markupsafe import Markup

from persistbench.outcomes import Outcome
from persistbench.records import trial
from persistbench.report import charts
from persistbench.report.templates import fill


class Style(NamedTuple):
    """How a word is shown: by a colour, and by a sign for whoever sees no colours."""

    colour: str
    sign: str
    ink: str = "black"


OUTCOMES: dict[str, Style] = {
    Outcome.SAME: Style("#d5d7da", ""),
    Outcome.STATE_DIFFERS: Style("#56B4E9", "s"),
    Outcome.VALUES_DIFFER: Style("#E69F00", "v"),
    Outcome.LABELS_DIFFER: Style("#D55E00", "l"),
    Outcome.ERROR_AT_DUMP: Style("#0072B2", "d", "white"),
    Outcome.UNSUPPORTED: Style("#009E73", "–"),
    Outcome.ERROR_AT_LOAD: Style("#CC79A7", "L"),
    Outcome.ERROR_AT_USE: Style("#CC79A7", "U"),
    Outcome.CRASH: Style("#F0E442", "✗"),
    Outcome.TIMEOUT: Style("#F0E442", "t"),
    Outcome.ERROR_AT_BUILD: Style("#888888", "b"),
    Outcome.NOT_INSTALLED: Style("#888888", "·"),
}
"""Colours told apart by colour-blind readers (Okabe and Ito 2008); signs tell the rest."""


def interactive(
    name: str,
    platforms: list[tuple[int, list[dict[str, Any]]]],
    tell: Callable[[dict[str, Any]], tuple[str, str]],
    styles: Mapping[str, Style],
    alt_text: str,
    **how: Any,
) -> Markup:
    """Return the HTML of a heat map, between the words and the backends that are in it.

    Args:
        name: unique on the page.
        platforms: their indices, each with its records.
        tell: returns the word and the reason that are shown of a record.
        styles: of the words, in the order of the legend.
        alt_text: what it shows, for a reader who cannot see it.
        how: see :func:`chart`.
    """
    names = {index: trial.alike(result, lambda r: tell(r)[0]) for index, result in platforms}
    rows = [row for index, result in platforms for row in cells(index, result, names[index], tell)]
    shown = {row["word"] for row in rows}
    used = {word: style for word, style in styles.items() if word in shown}
    return fill(
        "heat.html",
        styles=used,
        chart=charts.interactive(name, chart(rows, used, **how), alt_text),
        alike=[(index, trial.members(own)) for index, own in names.items()],
    )


def cells(
    platform: int,
    records: list[dict[str, Any]],
    names: dict[str, str],
    tell: Callable[[dict[str, Any]], tuple[str, str]],
) -> list[dict[str, Any]]:
    """Return a row for each cell; backends with one name share theirs."""
    rows: dict[tuple[str, ...], dict[str, Any]] = {}
    for record in records:
        key = (record["subject"], names[record["backend"]], record.get("place") or "")
        if key not in rows:
            word, reason = tell(record)
            rows[key] = {
                "place": platform,
                "subject": key[0],
                "backend": key[1],
                "where": key[2],
                "word": word,
                "reason": reason,
                "versions": trial.versions([record]),
            }
    return list(rows.values())


def chart(
    rows: list[dict[str, Any]],
    styles: Mapping[str, Style],
    *,
    subjects: Sequence[str] | None = None,
    columns: Sequence[str] = (),
    search: str = "",
    step: int = 22,
) -> Any:
    """Return the heat map with the parameter ``place``.

    Args:
        rows: see :func:`cells`.
        styles: of the words that are in them.
        subjects: their order; None is alphabetical.
        columns: the values of ``where`` whose maps stand side by side; empty for one map.
        search: the name of a parameter with a text that shown subjects contain.
        step: pixels of a cell.
    """
    signs = json.dumps({word: style.sign for word, style in styles.items()})
    light = json.dumps([word for word, style in styles.items() if style.ink == "white"])
    scale = alt.Scale(domain=list(styles), range=[style.colour for style in styles.values()])
    sort = list(subjects) if subjects is not None else "ascending"
    across = alt.Axis(orient="top", labelAngle=-60, labelLimit=180)
    spoken = "datum.subject + ', ' + datum.backend + ': ' + datum.word"
    base = (
        alt.Chart()
        .transform_calculate(
            sign=f"{signs}[datum.word]",
            spoken=f"{spoken} + (datum.reason ? ', ' + datum.reason : '')",
        )
        .encode(
            x=alt.X("backend:N", title=None, axis=across),
            y=alt.Y("subject:N", title=None, sort=sort),
            tooltip=charts.tooltip(
                {
                    "subject": "of",
                    "backend": "backend",
                    "word": "outcome",
                    "reason": "reason",
                    "versions": "with",
                }
            ),
        )
    )
    layers = alt.layer(
        base.mark_rect(stroke="white", strokeWidth=0.5).encode(
            color=alt.Color("word:N", scale=scale, legend=None), description="spoken:N"
        ),
        base.transform_filter("datum.sign")
        .mark_text(fontSize=10, aria=False)
        .encode(
            text="sign:N",
            color=alt.condition(
                f"indexof({light}, datum.word) >= 0", alt.value("white"), alt.value("black")
            ),
        ),
        data=alt.InlineData(values=rows),
    ).properties(width=alt.Step(step), height=alt.Step(min(step, 18)))
    result = layers
    if columns:
        header = alt.Header(title=None, labelAnchor="start", labelFontWeight="bold")
        result = layers.facet(column=alt.Column("where:N", header=header, sort=list(columns)))
    result = result.transform_filter("datum.place === place").add_params(
        alt.param(name="place", value=0)
    )
    if search:
        result = result.transform_filter(
            f"indexof(lower(datum.subject), lower({search})) >= 0"
        ).add_params(alt.param(name=search, value=""))
    return result
