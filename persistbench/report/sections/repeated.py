"""Once, or again and again: where the first call of a process and later ones have other ratios."""

from collections.abc import Iterator
from typing import NamedTuple

from markupsafe import Markup

from persistbench.records.figures import Figure, Table
from persistbench.records.questions import REFERENCE, REPEATED
from persistbench.report.compare import Ratio, ratio
from persistbench.report.templates import fill

ORDER = 55
TITLE = "Once, or again and again"
SHOWS = tuple(f"{question}{REPEATED}" for question in ("load", "dump"))

APART = 1.5
"""Two ratios are shown if one is more than so many times the other."""


class Row(NamedTuple):
    """One backend whose two ratios to the reference lie apart.

    Attributes:
        question: ``load`` or ``dump``.
        pipeline: its name.
        backend: its id.
        first: the ratio of first calls.
        again: the ratio of repeated calls.
    """

    question: str
    pipeline: str
    backend: str
    first: Ratio
    again: Ratio

    @property
    def apart(self) -> float:
        """How many times one ratio is the other."""
        return max(self.first.value / self.again.value, self.again.value / self.first.value)


def render(table: Table) -> Markup | None:
    """Return a table for each platform that has both kinds of figures."""
    platforms = [(index, rows(table, index), compared(table, index)) for index in _indices(table)]
    platforms = [one for one in platforms if one[2]]
    return fill("repeated.html", platforms=platforms, apart=APART) if platforms else None


def rows(table: Table, index: int) -> list[Row]:
    """Return what lies apart on a platform, in the order of pipelines and backends."""
    return [row for row in _both(table, index) if row.apart > APART]


def compared(table: Table, index: int) -> int:
    """Return how many backends have both ratios on a platform."""
    return sum(1 for _ in _both(table, index))


def _indices(table: Table) -> range:
    return range(len(table.platforms))


def _both(table: Table, index: int) -> Iterator[Row]:
    for pipeline, backends in sorted(table.cells(table.platforms[index]).items()):
        for question in ("load", "dump"):
            names = (question, question + REPEATED)
            references = [_figure(backends.get(REFERENCE, {}), name) for name in names]
            for backend, cells in sorted(backends.items()):
                own = [_figure(cells, name) for name in names]
                if backend != REFERENCE and all(own) and all(references):
                    both = [ratio(a, b) for a, b in zip(own, references, strict=True) if a and b]
                    if all(one.value > 0 for one in both):
                        yield Row(question, pipeline, backend, *both)


def _figure(cells: dict[str, Figure], question: str) -> Figure | None:
    figure = cells.get(question)
    return figure if figure and figure.value else None
