"""The figures as the page holds them: once, for all charts and tables that show every cell."""

from collections import defaultdict
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from persistbench.records.figures import CPU, Figure, Table
from persistbench.records.questions import FLOOR, REFERENCE
from persistbench.report.compare import best, ratio
from persistbench.report.tables import interval
from persistbench.units import human

BEST = "best"
REFERENCES = {BEST: "the best of the row", REFERENCE: REFERENCE, FLOOR: f"{FLOOR}, the floor"}
"""What a figure can be read against, and how that is called."""


@lru_cache(maxsize=1)
def rows(table: Table) -> list[dict[str, Any]]:
    """Return a row for every figure or refusal of the catalogue, with its ratios to the references.

    ``place`` is the index of the machine and environment; ``to_X`` is the ratio to the
    reference X, ``to_X_low`` and ``to_X_high`` its 99 % interval; None where one of the two
    has no figure.
    """
    cpu = {figure.cell: figure for figure in table.derived if figure.question.endswith(CPU)}
    result = []
    for index, platform in enumerate(table.platforms):
        for cells in table.cells(platform).values():
            by_question: dict[str, list[Figure]] = defaultdict(list)
            for figures in cells.values():
                for question, figure in figures.items():
                    by_question[question].append(figure)
            for group in by_question.values():
                for figure, row in _compared(group):
                    spent = cpu.get((*figure.row[:2], figure.question + CPU, *figure.cell[3:]))
                    used = human(spent.value, spent.unit) if spent else ""
                    result.append({"place": index, **row, "cpu": used})
    return result


def samples(table: Table) -> list[list[float]]:
    """Return the samples of each row of :func:`rows`, in the same order."""
    result = []
    for row in rows(table):
        platform = table.platforms[row["place"]]
        cell = (row["question"], row["pipeline"], row["backend"])
        own = table.samples.get((platform.machine, platform.environment, *cell), [])
        result.append([float(f"{call:.4g}") for call in own])
    return result


def columns(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Return rows by column; a column of repeating texts is a list of words and their numbers.

    A quarter of the bytes that a list of objects takes. What a row lacks is None.
    """
    packed: dict[str, Any] = {}
    for name in dict.fromkeys(name for row in rows for name in row):
        values = [row.get(name) for row in rows]
        if all(isinstance(value, str) for value in values):
            words = list(dict.fromkeys(values))
            numbers = {word: number for number, word in enumerate(words)}
            packed[name] = {"words": words, "numbers": [numbers[value] for value in values]}
        else:
            packed[name] = values
    return packed


def _compared(group: list[Figure]) -> Iterable[tuple[Figure, dict[str, Any]]]:
    """Yield the figures of one question and pipeline, each with its row."""
    references = {figure.backend: figure for figure in group} | {BEST: best(group)}
    for figure in sorted(group, key=lambda figure: figure.backend):
        row = {
            "question": figure.question,
            "pipeline": figure.pipeline,
            "backend": figure.backend,
            "value": _short(figure.value, 7),
            "low": _short(figure.low, 7),
            "high": _short(figure.high, 7),
            "unit": figure.unit,
            "shown": human(figure.value, figure.unit),
            "interval": interval(figure),
            "samples": figure.samples,
            "status": figure.status,
            "reason": figure.reason,
        }
        for name in REFERENCES:
            other = references.get(name)
            # A count, or nothing at all, is no measure of another.
            result = ratio(figure, other) if other and figure.value and other.value else None
            row[f"to_{name}"] = _short(result.value if result else None, 7)
            row[f"to_{name}_low"] = _short(result.low if result else None, 6)
            row[f"to_{name}_high"] = _short(result.high if result else None, 6)
        yield figure, row


def _short(value: float | None, digits: int) -> float | None:
    """Return a number with so many significant digits; None for what JSON does not know."""
    if value is None or abs(value) == float("inf"):
        return None
    return float(f"{value:.{digits}g}")
