"""Cold cache: what a load costs when the file has to come from the disk."""

from typing import Any

from markupsafe import Markup

from persistbench.records.figures import Table
from persistbench.report import charts
from persistbench.report.templates import fill

ORDER = 60
TITLE = "Cold cache"
SHOWS = ("load",)

WAYS = {"in the page cache": "load", "evicted from it": "load_cold"}


def render(table: Table) -> Markup | None:
    """Return warm and cold loads of the chosen pipeline."""
    rows = points(table)
    if not rows:
        return None
    alt_text = "Dot plot of the time to load from the page cache and after eviction, by backend."
    drawn = charts.dots(rows, tuple(WAYS), "time to load", charts.TIME)
    return fill("cold.html", chart=charts.interactive("cold", drawn, alt_text))


def points(table: Table) -> list[dict[str, Any]]:
    """Return a row for both loads of every backend that has both."""
    return [
        {**charts.dot(index, cells[question]), "line": backend, "way": way}
        for index, platform in enumerate(table.platforms)
        for backends in table.cells(platform).values()
        for backend, cells in sorted(backends.items())
        if all(question in cells and cells[question].value for question in WAYS.values())
        for way, question in WAYS.items()
    ]
