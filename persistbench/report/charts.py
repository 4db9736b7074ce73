"""How charts look, and their way into a page, an SVG or a PNG: all drawn by Vega-Lite."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import altair as alt
import vl_convert
from markupsafe import Markup, escape

from persistbench import store
from persistbench.report.compare import FLOOR
from persistbench.report.templates import fill

COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#D55E00", "#56B4E9")
"""Told apart by colour-blind readers, on white and on black (Okabe and Ito 2008)."""

FLOOR_COLOUR = "#888888"

TIME = "format(datum.value, '~s') + 's'"
"""Axis labels of seconds: 10µs, 1ms."""

BYTES = "format(datum.value, '~s') + 'B'"
"""Axis labels of bytes: 10kB, 1MB."""

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
        "title": {"color": ink, "fontSize": 13, "anchor": "start"},
        "header": {"labelColor": ink, "titleColor": ink},
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
    return alt.Color("library:N", title=None, scale=alt.Scale(domain=names, range=colours))


def interactive(name: str, chart: Any, alt_text: str, caption: str = "") -> Markup:
    """Return the HTML that shows a chart; page.js draws it and sets its parameters.

    Args:
        name: unique on the page.
        chart: an Altair chart.
        alt_text: what it shows, for a reader who cannot see it.
        caption: how to read it.
    """
    spec = chart.properties(description=alt_text).to_dict()
    spec.pop("config", None)  # the page has one theme for all
    return fill("chart.html", name=name, spec=spec, alt=alt_text, caption=caption)


def save(picture: Picture, folder: Path, name: str) -> list[Path]:
    """Write ``name.svg`` and ``name.png``, and return their paths."""
    spec = picture.chart.properties(description=picture.alt, background="white").to_dict()
    spec["config"] = theme(dark=False) | {"font": "DejaVu Sans, sans-serif", "background": "white"}
    text = json.dumps(spec)
    svg, png = folder / f"{name}.svg", folder / f"{name}.png"
    drawn = vl_convert.vegalite_to_svg(text)
    named = f'<svg role="img" aria-label="{escape(picture.alt)}" '
    store.publish(svg, drawn.replace("<svg ", named, 1))
    store.publish(png, vl_convert.vegalite_to_png(text, scale=1.5))
    return [svg, png]
