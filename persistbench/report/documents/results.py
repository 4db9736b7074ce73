"""The reference results, and the words in which the documents print them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

from persistbench.errors import UserError
from persistbench.records.collect import collect
from persistbench.records.figures import Cells, Figure, Platform, Table
from persistbench.report import compare
from persistbench.report.safety import Record
from persistbench.units import human, times


@dataclass(frozen=True)
class Results:
    """The results of the one reference machine.

    Attributes:
        table: all results.
        index: of the reference machine among the platforms of the table.
    """

    table: Table
    index: int

    @property
    def platform(self) -> Platform:
        """The machine and the environment of the reference results."""
        return self.table.platforms[self.index]

    def facts(self) -> dict[str, str]:
        """Return what is known of the machine, by heading."""
        return dict(self.platform.facts)

    @cached_property
    def cells(self) -> Cells:
        """The figures by pipeline, or by size, by backend and by question."""
        return self.table.cells(self.platform) | self.table.scaled(self.platform)

    def figure(self, question: str, pipeline: str, backend: str) -> Figure | None:
        """Return the figure of a cell; None if the cell has no value."""
        figure = self.cells[pipeline].get(backend, {}).get(question)
        return figure if figure is not None and figure.value is not None else None

    def value(self, question: str, pipeline: str, backend: str) -> float:
        """Return the median of a cell.

        Raises:
            UserError: the cell has no value, and a sentence needs it.
        """
        figure = self.figure(question, pipeline, backend)
        if figure is None or figure.value is None:
            raise UserError(
                f"{self.platform.machine} has no {question} of {pipeline} with {backend}."
            )
        return figure.value

    def shown(self, question: str, pipeline: str, backend: str) -> str:
        """Return the median of a cell with its unit."""
        figure = self.figure(question, pipeline, backend)
        return human(figure.value, figure.unit) if figure else "n/a"

    def ratio(self, question: str, pipeline: str, backend: str) -> str:
        """Return the paired ratio of a cell to the cell of ``pickle-5``."""
        one, other = (self.figure(question, pipeline, name) for name in (backend, "pickle-5"))
        return compared(one, other)

    def multiple(self, question: str, pipeline: str, backend: str) -> str:
        """Return an exact figure as a multiple of the figure of ``pickle-5``."""
        value, of = (self.value(question, pipeline, name) for name in (backend, "pickle-5"))
        return times(value / of)

    def records(self, trial: str) -> list[Record]:
        """Return the records of a trial on this machine."""
        return dict(self.table.tried(trial)).get(self.index, [])


def compared(one: Figure | None, other: Figure | None) -> str:
    """Return the ratio of two figures as :func:`ratio_text`; ``n/a`` if one is missing."""
    return ratio_text(compare.ratio(one, other)) if one and other else "n/a"


def ratio_text(ratio: compare.Ratio) -> str:
    """Return a ratio: with `=` if it is equal, with ± x % if it is undecided.

    It is equal where its 99 % interval lies inside ± 2 %. It is undecided where the interval
    holds 1 and is wider; the interval then reaches x % away from 1.
    """
    if ratio.word is compare.Word.UNDECIDED:
        return f"{times(ratio.value)} {ratio.reach or ratio.word}"
    return f"{ratio.mark}{times(ratio.value)}"


@cache
def reference(results: Path) -> Results:
    """Return the reference results.

    Args:
        results: the results folder.

    Raises:
        UserError: there is no reference machine, or there are several.
    """
    table = collect(results)
    own = [index for index, one in enumerate(table.platforms) if one.reference]
    if len(own) != 1:
        raise UserError(f"{results} has {len(own)} reference machines.")
    return Results(table, own[0])


def bullets(claims: Iterable[str]) -> str:
    """Return a list in Markdown, one line for each claim."""
    return "\n".join(f"- {claim}" for claim in claims)


def grid(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table in Markdown."""
    lines = (f"| {' | '.join(row)} |" for row in (headings, *rows))
    return "\n".join([next(lines), f"|{'---|' * len(headings)}", *lines])


def holds(what: bool, sentence: str) -> str:
    """Return a sentence that the records support.

    Raises:
        UserError: they no longer do; the sentence has to be written anew.
    """
    if not what:
        raise UserError(f"The reference results no longer support the sentence: {sentence}")
    return sentence
