"""Trade-offs: what a smaller file or a faster dump costs when it is loaded."""

import math
from collections.abc import Sequence
from typing import Any

import altair as alt
from markupsafe import Markup

from persistbench.records.figures import Figure, Table
from persistbench.report import charts
from persistbench.report.compare import apart, contends, dominating, ratio
from persistbench.report.tables import with_interval
from persistbench.report.templates import fill

ORDER = 30
TITLE = "Trade-offs"

VIEWS = {"size-load": ("size", "load"), "dump-load": ("dump", "load")}
"""The axes of each chart: across and up; further left and down is better."""

_TITLES = {"size": "size of the file", "load": "time to load", "dump": "time to dump"}
_LABELS = {"size": charts.BYTES, "load": charts.TIME, "dump": charts.TIME}
_CLOSE = math.log(1.3)
"""Points within a third of each other share a name: two would lie on top of each other."""


def render(table: Table) -> Markup | None:
    """Return both charts; the page chooses platform and pipeline."""
    rows = {view: points(table, view) for view in VIEWS}
    if not any(rows.values()):
        return None
    drawn = [
        charts.interactive(view, chart(result, view), _alt(view, "the chosen pipeline"))
        for view, result in rows.items()
    ]
    return fill("tradeoffs.html", charts=drawn)


def pictures(table: Table) -> dict[str, charts.Picture]:
    """Return load against size of the pipeline with the largest file."""
    rows = [row for row in points(table, "size-load") if row["place"] == 0]
    if not rows:
        return {}
    pipeline = max(rows, key=lambda row: row["x"])["pipeline"]
    return {
        "tradeoffs": charts.Picture(
            chart(rows, "size-load", pipeline, width=640).properties(
                title=f"{pipeline}: time to load against size of the file"
            ),
            _alt("size-load", pipeline),
        )
    }


def points(table: Table, view: str) -> list[dict[str, Any]]:
    """Return a row for every backend of every platform and pipeline that has both figures."""
    result = []
    for index, platform in enumerate(table.platforms):
        for pipeline, cells in table.cells(platform).items():
            pairs = [pair for figures in cells.values() if (pair := _pair(figures, view))]
            rivals = [pair for pair in pairs if contends(pair[0])]
            own = []
            for pair in pairs:
                row = {"place": index, "pipeline": pipeline, **_point(pair)}
                better = dominating(pair, rivals) if contends(pair[0]) else []
                row["front"] = contends(pair[0]) and not better
                row["note"] = _note(pair, better)
                row["spoken"] += f", {row['note']}"
                own.append(row)
            _name([row for row in own if row["front"]])
            result += own
    return result


def _name(front: list[dict[str, Any]]) -> None:
    """Give the points of a front one name for those that lie close together."""
    named: list[dict[str, Any]] = []
    for row in sorted(front, key=lambda row: (row["x"], row["y"])):
        close = [
            other
            for other in named
            if all(abs(math.log(row[axis] / other[axis])) < _CLOSE for axis in "xy")
        ]
        if close:
            close[0]["name"] += f", {row['backend']}"
        else:
            row["name"] = row["backend"]
            named.append(row)


def chart(
    rows: list[dict[str, Any]], view: str, pipeline: str = "", width: int | str = "container"
) -> Any:
    """Return the chart of a view, with the parameters ``place`` and ``pipeline``."""
    across, up = VIEWS[view]
    x = alt.X("x:Q", title=_TITLES[across], scale=_SCALE, axis=charts.log_axis(_LABELS[across]))
    y = alt.Y("y:Q", title=_TITLES[up], scale=_SCALE, axis=charts.log_axis(_LABELS[up]))
    base = charts.of_chosen(rows).encode(x=x, y=y)
    colour = charts.library_colour({row["backend"] for row in rows})
    tooltip = charts.tooltip(
        {
            "backend": "backend",
            "x_text": _TITLES[across],
            "y_text": _TITLES[up],
            "note": "compared",
        }
    )
    front = base.transform_filter("datum.front").mark_line(
        interpolate="step-after", strokeDash=[4, 3], color=charts.FLOOR_COLOUR
    )
    intervals = (
        base.mark_rule(opacity=0.5).encode(y=alt.Y("y_low:Q"), y2="y_high:Q", color=colour),
        base.mark_rule(opacity=0.5).encode(x=alt.X("x_low:Q"), x2="x_high:Q", color=colour),
    )
    dots = base.mark_point(size=90, filled=True, opacity=1).encode(
        color=colour,
        shape=alt.condition("datum.apart", alt.value("cross"), alt.value("circle")),
        fillOpacity=alt.condition("datum.front || datum.apart", alt.value(1), alt.value(0.35)),
        tooltip=tooltip,
        description="spoken:N",
    )
    named = base.transform_filter("isValid(datum.name)").mark_text(align="left", dx=8, dy=-8)
    others = base.transform_filter("datum.apart").mark_text(align="right", dx=-8)
    names = (named.encode(text="name:N"), others.encode(text="backend:N"))
    layers = alt.layer(*intervals, front, dots, *names).properties(height=340)
    return charts.choosing(layers, rows, pipeline, width)


_SCALE = alt.Scale(type="log", padding=24, nice=False)


def _pair(figures: dict[str, Figure], view: str) -> tuple[Figure, ...]:
    """Return the figures of a backend in the order of the axes, or nothing if one is missing."""
    pair = tuple(figures[question] for question in VIEWS[view] if question in figures)
    whole = len(pair) == len(VIEWS[view]) and all(figure.value for figure in pair)
    return pair if whole else ()


def _point(pair: tuple[Figure, ...]) -> dict[str, Any]:
    row: dict[str, Any] = {
        "backend": pair[0].backend,
        "library": charts.library(pair[0].backend),
        "apart": bool(apart(pair[0])),
    }
    for axis, figure in zip("xy", pair, strict=True):
        value = figure.value or 0.0
        low, high = charts.ends(figure)
        row |= {
            axis: value,
            f"{axis}_low": low,
            f"{axis}_high": high,
            f"{axis}_text": with_interval(figure),
        }
    row["spoken"] = f"{row['backend']}: {row['x_text']}, {row['y_text']}"
    return row


def _note(pair: Sequence[Figure], better: list[Sequence[Figure]]) -> str:
    """Return how a point compares: those that are clearly better are named first."""
    if what := apart(pair[0]):
        return _APART[what]
    if not better:
        return "on the front: nobody is better in both"
    clear = [
        rival[0].backend
        for rival in better
        if any(ratio(a, b).decided for a, b in zip(rival, pair, strict=True))
    ]
    names = clear or [rival[0].backend for rival in better]
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    relation = "dominated by" if clear else "equal or undecided:"
    return f"{relation} {', '.join(names[:3])}{more}"


_APART = {
    "floor": "the floor: the same bytes with no format",
    "predictor": "gives back a predictor, not the estimator",
    "unknown": "not ranked: no record says what the backend gives back",
}


def _alt(view: str, pipeline: str) -> str:
    across, up = VIEWS[view]
    return (
        f"Scatter plot of {_TITLES[up]} against {_TITLES[across]} of every backend for {pipeline}, "
        "log scales, with 99 % intervals and the Pareto front."
    )
