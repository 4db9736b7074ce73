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
        indices: of its environments among the platforms of the table, the newest first.
    """

    table: Table
    indices: tuple[int, ...]

    @property
    def platforms(self) -> list[Platform]:
        """The machine in each of its environments."""
        return [self.table.platforms[index] for index in self.indices]

    def facts(self) -> dict[str, str]:
        """Return what is known of the machine in its newest environment, by heading."""
        return dict(self.platforms[0].facts)

    @cached_property
    def cells(self) -> list[Cells]:
        """The figures of each environment by pipeline, or by size, by backend and by question."""
        return [self.table.cells(one) | self.table.scaled(one) for one in self.platforms]

    def several(self, question: str, pipeline: str, *backends: str) -> list[Figure] | None:
        """Return figures of one environment: the newest that has all of them with a value."""
        for cells in self.cells:
            known = [cells.get(pipeline, {}).get(name, {}).get(question) for name in backends]
            result = [one for one in known if one is not None and one.value is not None]
            if len(result) == len(backends):
                return result
        return None

    def figure(self, question: str, pipeline: str, backend: str) -> Figure | None:
        """Return the newest figure of a cell; None if the cell has no value."""
        found = self.several(question, pipeline, backend)
        return found[0] if found else None

    def value(self, question: str, pipeline: str, backend: str) -> float:
        """Return the median of a cell.

        Raises:
            UserError: the cell has no value, and a sentence needs it.
        """
        figure = self.figure(question, pipeline, backend)
        if figure is None or figure.value is None:
            machine = self.platforms[0].machine
            raise UserError(f"{machine} has no {question} of {pipeline} with {backend}.")
        return figure.value

    def shown(self, question: str, pipeline: str, backend: str) -> str:
        """Return the median of a cell with its unit."""
        figure = self.figure(question, pipeline, backend)
        return human(figure.value, figure.unit) if figure else "n/a"

    def ratio(self, question: str, pipeline: str, backend: str) -> str:
        """Return the paired ratio of a cell to the cell of ``pickle-5``."""
        both = self.several(question, pipeline, backend, "pickle-5")
        return compared(*both) if both else "n/a"

    def multiple(self, question: str, pipeline: str, backend: str) -> str:
        """Return an exact figure as a multiple of the figure of ``pickle-5``."""
        value, of = (self.value(question, pipeline, name) for name in (backend, "pickle-5"))
        return times(value / of)

    def records(self, trial: str) -> list[Record]:
        """Return the records of a trial on this machine."""
        return dict(self.table.tried(trial)).get(self.indices[0], [])


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
    machines = {table.platforms[index].machine for index in own}
    if len(machines) != 1:
        raise UserError(f"{results} has {len(machines)} reference machines.")
    own.sort(key=lambda index: dict(table.platforms[index].facts)["measured"], reverse=True)
    return Results(table, tuple(own))


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
