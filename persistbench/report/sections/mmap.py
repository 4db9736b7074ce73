"""Memory mapping: what it saves at load, and charges when the pipeline is used."""

from typing import Any

from markupsafe import Markup

from persistbench.records.figures import Figure, Table
from persistbench.report import charts
from persistbench.report.compare import ratio
from persistbench.report.templates import fill

ORDER = 50
TITLE = "Memory mapping"
SHOWS = ("map", "load")

STEPS = {
    "open": ("load", "map"),
    "open and first predict": ("load_first_predict", "map_first_predict"),
    "later predict": ("load_steady_predict", "map_steady_predict"),
}
"""Each step as the question of the ordinary load and that of the map."""


def render(table: Table) -> Markup | None:
    """Return a table of all pipelines, and a chart of the chosen one."""
    platforms = [(index, _compared(table, index)) for index in range(len(table.platforms))]
    if not any(rows for _, rows in platforms):
        return None
    drawn = charts.interactive("mmap", chart(table), _alt("the chosen pipeline"))
    return fill("mmap.html", steps=STEPS, platforms=platforms, chart=drawn)


def pictures(table: Table) -> dict[str, charts.Picture]:
    """Return the chart of the pipeline where mapping saves most of the load."""
    compared = _compared(table, 0) if table.platforms else []
    if not compared:
        return {}
    pipeline = min(compared, key=lambda row: row["steps"]["open"][2].value)["pipeline"]
    drawn = chart(table, pipeline, width=640).properties(
        title=f"{pipeline}: load and memory map, step by step"
    )
    return {"mmap": charts.Picture(drawn, _alt(pipeline))}


def points(table: Table) -> list[dict[str, Any]]:
    """Return a row for each step and way of opening, of every backend that maps."""
    result = []
    for index, platform in enumerate(table.platforms):
        for cells in table.cells(platform).values():
            for backend, figures in cells.items():
                for step, pair in _steps(figures).items():
                    result += [
                        {
                            **charts.dot(index, figure),
                            "line": f"{backend}: {step}",
                            "way": way,
                        }
                        for way, figure in zip(("load", "map"), pair, strict=True)
                    ]
    return result


def chart(table: Table, pipeline: str = "", width: int | str = "container") -> Any:
    """Return the steps of a pipeline, with the parameters ``place`` and ``pipeline``."""
    return charts.dots(points(table), ("load", "map"), "time", charts.TIME, pipeline, width)


def _compared(table: Table, index: int) -> list[dict[str, Any]]:
    """Return, by pipeline and backend, both figures of each step and their ratio."""
    result = []
    for pipeline, cells in table.cells(table.platforms[index]).items():
        for backend, figures in cells.items():
            steps = _steps(figures)
            if "open and first predict" in steps:
                compared = {s: (*pair, ratio(pair[1], pair[0])) for s, pair in steps.items()}
                result.append({"pipeline": pipeline, "backend": backend, "steps": compared})
    return result


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
        f"Dot plot of {pipeline}: time to open, to open and predict once, and to predict later. "
        "An ordinary load beside a memory map, on a log scale with 99 % intervals."
    )
