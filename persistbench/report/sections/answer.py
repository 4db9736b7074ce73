"""The answer: for each pipeline the best backends, each with its price against the others."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from markupsafe import Markup

from persistbench.records.figures import Figure, Platform, Table
from persistbench.records.questions import REFERENCE
from persistbench.report.compare import Ratio, best, contends, in_order, ratio, steady
from persistbench.report.templates import fill
from persistbench.report.total import Deployment

ORDER = 10
TITLE = "The answer"

QUESTIONS = {
    "total": "best overall",
    "load": "fastest load",
    "dump": "fastest dump",
    "size": "smallest",
}


@dataclass(frozen=True)
class Winner:
    """The best backend for one question.

    Attributes:
        figure: its figure.
        rivals: the backends that are equal to it or undecided, each with what its ratio says.
        price: its other figures as multiples of the best ones, by question.
    """

    figure: Figure
    rivals: dict[str, str]
    price: dict[str, Ratio]


def render(table: Table) -> Markup | None:
    """Return one table of winners for each machine and environment."""
    platforms = [
        (index, answers(table, platform)) for index, platform in enumerate(table.platforms)
    ]
    if not any(result for _, rows in platforms for result in rows.values()):
        return None
    return fill(
        "answer.html",
        questions=QUESTIONS,
        deployment=Deployment(),
        platforms=[
            (index, rows, summary(rows), refusals(table, table.platforms[index]))
            for index, rows in platforms
        ],
    )


def answers(table: Table, platform: Platform) -> dict[str, dict[str, Winner]]:
    """Return the winners by pipeline and question; a pipeline that nobody saves has none."""
    result: dict[str, dict[str, Winner]] = {}
    for pipeline, cells in table.cells(platform).items():
        rivals = {question: _rivals(cells, question) for question in QUESTIONS}
        firsts = {question: best(own.values()) for question, own in rivals.items()}
        result[pipeline] = {
            question: Winner(
                first,
                _close(first, rivals[question].values()),
                {
                    other: ratio(rivals[other][first.backend], rival)
                    for other, rival in firsts.items()
                    if rival is not None
                    and other not in (question, "total")
                    and first.backend in rivals[other]
                },
            )
            for question, first in firsts.items()
            if first is not None
        }
    return result


def summary(rows: dict[str, dict[str, Winner]]) -> list[tuple[str, int, int]]:
    """Return how often each backend is the best overall, or equal or undecided, in order."""
    winners = [row["total"] for row in rows.values() if "total" in row]
    counts = Counter(name for winner in winners for name in (winner.figure.backend, *winner.rivals))
    return [(name, count, len(winners)) for name, count in counts.most_common(3)]


def refusals(table: Table, platform: Platform) -> dict[str, str]:
    """Return why nobody saves a pipeline, by its name: the most frequent reason."""
    result: dict[str, str] = {}
    for pipeline, cells in table.cells(platform).items():
        dumps = [figures["dump"] for figures in cells.values() if "dump" in figures]
        reasons = Counter(dump.reason for dump in dumps if dump.status != "ok" and dump.reason)
        if reasons:
            ((result[pipeline], _),) = reasons.most_common(1)
    return result


def _rivals(cells: dict[str, dict[str, Figure]], question: str) -> dict[str, Figure]:
    """Return the contenders of a question by backend; a total needs all of its parts."""
    if question != "total":
        own = {
            backend: figures[question] for backend, figures in cells.items() if question in figures
        }
        return {backend: figure for backend, figure in own.items() if contends(figure)}
    dumps, loads, sizes = (_rivals(cells, part) for part in ("dump", "load", "size"))
    return {
        backend: Deployment().total(
            steady(dumps[backend], dumps.get(REFERENCE)),
            steady(loads[backend], loads.get(REFERENCE)),
            sizes[backend],
        )
        for backend in cells
        if backend in dumps and backend in loads and backend in sizes
    }


def _close(first: Figure, rivals: Iterable[Figure]) -> dict[str, str]:
    close = [f for f in rivals if f is not first and not ratio(f, first).decided]
    return {figure.backend: ratio(figure, first).text for figure in in_order(close)}
