"""The style of charts, and their way into a page, an SVG or a PNG: all drawn by Vega-Lite."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import altair as alt
import vl_convert
from markupsafe import Markup, escape

from persistbench import files
from persistbench.records.figures import Figure
from persistbench.records.questions import FLOOR
from persistbench.report.dataset import columns
from persistbench.report.tables import with_interval
from persistbench.report.templates import fill

COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#D55E00", "#56B4E9")
"""Told apart by colour-blind readers, on white and on black (Okabe and Ito 2008)."""

FLOOR_COLOUR = "#888888"

TIME = "format(datum.value, '~s') + 's'"
"""Axis labels of seconds: 10µs, 1ms."""

BYTES = "format(datum.value, '~s') + 'B'"
"""Axis labels of bytes: 10kB, 1MB."""

CUT = 3.0
"""Intervals are drawn down to a third of the median: of three samples, they reach 0."""

NARROW = 12
"""Letters: two longer names do not stand side by side in a legend on a phone."""

FIT = alt.AutoSizeParams(type="fit-x", contains="padding")
"""Charts as wide as what holds them."""


@dataclass(frozen=True)
class Picture:
    """A chart that is also written as SVG and PNG.

    Attributes:
        chart: the chart, with a width in pixels.
        alt: what it shows, for a reader who cannot see it.
    """

    chart: Any
    alt: str


def theme(dark: bool) -> dict[str, Any]:
    """Return Vega-Lite's configuration; the background is that of the page."""
    ink, faint = ("#e6e6e6", "#484c52") if dark else ("#222222", "#d5d7da")
    return {
        "background": None,
        "font": "system-ui, sans-serif",
        "view": {"stroke": faint},
        "axis": {
            "labelColor": ink,
            "titleColor": ink,
            "gridColor": faint,
            "domainColor": faint,
            "tickColor": faint,
            "labelFontSize": 12,
            "titleFontSize": 12,
            "titleFontWeight": "normal",
            "labelLimit": 260,
        },
        "legend": {
            "labelColor": ink,
            "titleColor": ink,
            "labelFontSize": 12,
            "orient": "top",
            "symbolOpacity": 1,
        },
        "header": {"labelColor": ink, "labelFontSize": 12},
        "title": {"color": ink, "fontSize": 13, "anchor": "start"},
        "text": {"color": ink, "fontSize": 11},
        "rule": {"color": ink},
    }


def log_axis(label: str) -> Any:
    """Return the axis of a log scale with labels at 1, 2 and 5 times the powers of ten."""
    lead = "round(datum.value / pow(10, floor(log(datum.value) / LN10 + 1e-9)))"
    shown = f"indexof([1, 2, 5], {lead}) >= 0"
    return alt.Axis(
        labelExpr=f"{shown} ? {label} : ''",
        labelOverlap="greedy",
        gridOpacity=alt.condition(shown, alt.value(1), alt.value(0)),
    )


def tooltip(titles: dict[str, str]) -> list[Any]:
    """Return the tooltip that shows these fields, each under its title."""
    return [alt.Tooltip(f"{field}:N", title=title) for field, title in titles.items()]


def library(backend: str) -> str:
    """Return the library's part of a backend's id."""
    return backend.partition("-")[0]


def library_colour(backends: set[str]) -> Any:
    """Return the colour encoding of the field ``library``, the same in every chart."""
    names = sorted({library(backend) for backend in backends} - {FLOOR})
    colours = [COLOURS[index % len(COLOURS)] for index in range(len(names))]
    if FLOOR in backends:
        names.append(FLOOR)
        colours.append(FLOOR_COLOUR)
    scale = alt.Scale(domain=names, range=colours)
    return alt.Color("library:N", title=None, scale=scale, legend=alt.Legend(columns=3))


def ends(figure: Figure) -> tuple[float, float]:
    """Return the interval as it is drawn; a figure without one is a point."""
    value = figure.value or 0.0
    # Of three samples the interval reaches 0, which a log scale does not have.
    low = value if figure.low is None else max(figure.low, value / CUT)
    return low, value if figure.high is None else figure.high


def of_chosen(rows: list[dict[str, Any]]) -> Any:
    """Return the chart of the rows of the ``place`` and ``pipeline`` that the reader chooses."""
    values = alt.InlineData(values=rows)
    return alt.Chart(values).transform_filter(
        "datum.place === place && datum.pipeline === pipeline"
    )


def choosing(
    chart: Any, rows: list[dict[str, Any]], pipeline: str = "", width: int | str = "container"
) -> Any:
    """Return a chart made of :func:`of_chosen` with what it lacks: the choice, and its width.

    Args:
        chart: one, or layers.
        rows: those of the chart.
        pipeline: the one that is shown first.
        width: in pixels, or that of what holds the chart.
    """
    first = pipeline or min((row["pipeline"] for row in rows), default="")
    return chart.add_params(
        alt.param(name="place", value=0), alt.param(name="pipeline", value=first)
    ).properties(width=width, autosize=FIT)


def dot(platform: int, figure: Figure) -> dict[str, Any]:
    """Return the row of a figure for :func:`dots`; it lacks its line and its way."""
    low, high = ends(figure)
    return {
        "place": platform,
        "pipeline": figure.pipeline,
        "value": figure.value or 0.0,
        "low": low,
        "high": high,
        "text": with_interval(figure),
    }


def dots(
    rows: list[dict[str, Any]],
    ways: tuple[str, ...],
    title: str,
    label: str,
    pipeline: str = "",
    width: int | str = "container",
) -> Any:
    """Return a dot plot with intervals: a line of dots for each ``line``, a dot for each ``way``.

    Args:
        rows: see :func:`dot`.
        ways: in the order of their colours.
        title: of the axis, which is logarithmic.
        label: the expression of its labels.
        pipeline: the one that is shown first.
        width: in pixels, or that of what holds the chart.
    """
    base = of_chosen(rows).encode(
        y=alt.Y("line:N", title=None, sort=None),
        yOffset=alt.YOffset("way:N", sort=list(ways)),
        color=alt.Color(
            "way:N",
            title=None,
            scale=alt.Scale(domain=list(ways), range=list(COLOURS[: len(ways)])),
            legend=alt.Legend(columns=1 if max(map(len, ways)) > NARROW else 2),
        ),
    )
    x = alt.X("value:Q", title=title, scale=alt.Scale(type="log", padding=16), axis=log_axis(label))
    layers = alt.layer(
        base.mark_rule(opacity=0.6).encode(x=alt.X("low:Q"), x2="high:Q"),
        base.mark_point(filled=True, size=60, opacity=1).encode(
            x=x,
            shape=alt.Shape("way:N", legend=None, sort=list(ways)),
            tooltip=[
                alt.Tooltip("line:N", title="of"),
                alt.Tooltip("way:N", title="which"),
                alt.Tooltip("text:N", title="figure"),
            ],
            description="text:N",
        ),
    )
    drawn = layers.properties(height=alt.Step(10 if len(ways) > 1 else 22))
    return choosing(drawn, rows, pipeline, width)


def interactive(name: str, chart: Any, alt_text: str) -> Markup:
    """Return the HTML that shows a chart; page.js draws it and sets its parameters.

    Args:
        name: unique on the page.
        chart: an Altair chart.
        alt_text: what it shows, for a reader who cannot see it.
    """
    spec = chart.properties(description=alt_text).to_dict()
    spec.pop("config", None)  # the page has one theme for all
    rows = {name: columns(result) for name, result in spec.pop("datasets", {}).items()}
    return fill("chart.html", name=name, spec=spec, rows=rows, alt=alt_text)


def save(picture: Picture, folder: Path, name: str) -> list[Path]:
    """Write ``name.svg`` and ``name.png``, and return their paths."""
    spec = picture.chart.properties(description=picture.alt, background="white").to_dict()
    spec["config"] = theme(dark=False) | {"font": "DejaVu Sans, sans-serif", "background": "white"}
    text = json.dumps(spec)
    svg, png = folder / f"{name}.svg", folder / f"{name}.png"
    drawn = vl_convert.vegalite_to_svg(text)
    named = f'<svg role="img" aria-label="{escape(picture.alt)}" '
    files.publish(svg, drawn.replace("<svg ", named, 1))
    files.publish(png, vl_convert.vegalite_to_png(text, scale=1.5))
    return [svg, png]
