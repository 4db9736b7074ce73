"""Writes the pictures that README and docs show, from the same charts as the page."""

from pathlib import Path

from persistbench.errors import UserError
from persistbench.records.collect import collect
from persistbench.report import charts, sections
from persistbench.report.tables import HOW_TO_MEASURE


def write(results: Path, folder: Path) -> list[Path]:
    """Write an SVG and a PNG of every picture of every section, and return their paths.

    They show the first machine and environment.

    Raises:
        UserError: there are no figures.
    """
    table = collect(results)
    if not table.figures:
        raise UserError(f"There are no figures in {results}: {HOW_TO_MEASURE}")
    written = []
    for section in sections.discover():
        pictures: dict[str, charts.Picture] = getattr(section, "pictures", lambda _: {})(table)
        for name, picture in pictures.items():
            written += charts.save(picture, folder, name)
    return written
