"""The answer: for each pipeline the best backends, each with its price against the others."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from markupsafe import Markup

from persistbench.report.compare import best, contends, in_order, ratio
from persistbench.report.figures import Figure, Place, Table
from persistbench.report.templates import fill
from persistbench.report.total import Deployment

ORDER = 10
TITLE = "The answer"

QUESTIONS = {"total": "best overall", "load": "fastest load", "dump": "fastest dump"} | {
    "size": "smallest"
}


@dataclass(frozen=True)
class Winner:
    """The best backend for one question.

    Attributes:
        figure: its figure.
        ties: the backends that may be as good.
        price: its other figures as multiples of the best ones, by question.
    """

    figure: Figure
    ties: list[str]
    price: dict[str, float]


def render(table: Table) -> Markup | None:
    """Return one table of winners for each machine and environment."""
    places = [(index, answers(table, place)) for index, place in enumerate(table.places)]
    if not any(found for _, rows in places for found in rows.values()):
        return None
    return fill(
        "answer.html",
        questions=QUESTIONS,
        deployment=Deployment(),
        places=[
            (index, rows, summary(rows), refusals(table, table.places[index]))
            for index, rows in places
        ],
    )


def answers(table: Table, place: Place) -> dict[str, dict[str, Winner]]:
    """Return the winners by pipeline and question; a pipeline that nobody saves has none."""
    found: dict[str, dict[str, Winner]] = {}
    for pipeline, cells in table.cells(place).items():
        usable = {
            backend: figures | {"total": Deployment().total(*(figures[q] for q in _PARTS))}
            for backend, figures in cells.items()
            if all(q in figures and contends(figures[q]) for q in _PARTS)
        }
        firsts = {q: best(figures[q] for figures in usable.values()) for q in QUESTIONS}
        found[pipeline] = {}
        for question, first in firsts.items():
            if first is not None:
                figures = usable[first.backend]
                found[pipeline][question] = Winner(
                    first,
                    _ties(first, (figures[question] for figures in usable.values())),
                    {
                        other: ratio(figures[other], rival).value
                        for other, rival in firsts.items()
                        if rival is not None and other not in (question, "total")
                    },
                )
    return found


def summary(rows: dict[str, dict[str, Winner]]) -> list[tuple[str, int, int]]:
    """Return how often each backend is the best overall or ties with it, the most often first."""
    winners = [row["total"] for row in rows.values() if row]
    counts = Counter(name for winner in winners for name in (winner.figure.backend, *winner.ties))
    return [(name, count, len(winners)) for name, count in counts.most_common(3)]


def refusals(table: Table, place: Place) -> dict[str, str]:
    """Return why nobody saves a pipeline, by its name: the most frequent reason."""
    found: dict[str, str] = {}
    for pipeline, cells in table.cells(place).items():
        reasons = Counter(c["dump"].reason for c in cells.values() if "dump" in c)
        del reasons[""]
        if reasons:
            ((found[pipeline], _),) = reasons.most_common(1)
    return found


_PARTS = ("dump", "load", "size")


def _ties(first: Figure, rivals: Iterable[Figure]) -> list[str]:
    close = [f for f in rivals if f is not first and contends(f) and ratio(f, first).tie]
    return [figure.backend for figure in in_order(close)]
