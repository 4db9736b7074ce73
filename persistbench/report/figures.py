"""The one tidy table: a row for every figure or refusal, read from asv's results and our records.

asv's results are read through asv's own API. What cannot be read is named and left out;
the rest is still shown.
"""

import ast
import csv
import io
import itertools
import math
from collections.abc import Callable, Iterable
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from typing import Any

from persistbench import records
from persistbench.errors import UserError


@dataclass(frozen=True)
class Figure:
    """One row of the tidy table.

    Attributes:
        machine: asv's name of the machine.
        environment: asv's name of the environment: Python and the pinned libraries.
        question: the benchmark's name without ``time_`` or ``track_``.
        pipeline: what was saved.
        backend: how it was saved.
        value: the median; None where there is no figure.
        unit: of value, low and high.
        low: lower end of the 99 % interval of the median, None where there is none.
        high: its upper end.
        samples: how many calls the figure stands on.
        status: ``ok``, ``n/a``, ``failed`` or ``not run``.
        reason: the outcome and its reason where there is no figure.
    """

    machine: str
    environment: str
    question: str
    pipeline: str
    backend: str
    value: float | None
    unit: str
    low: float | None
    high: float | None
    samples: int
    status: str
    reason: str


FLOOR = "raw"
"""The backend that has no format: what it takes, nobody can beat."""

COLUMNS = tuple(field.name for field in fields(Figure))


def collect(results: Path) -> tuple[list[Figure], list[str]]:
    """Return the newest figure of every cell, and one sentence for whatever was left out.

    Args:
        results: asv's results folder.
    """
    from asv.results import Results, iter_results_paths
    from asv.util import UserError

    benchmarks = _benchmarks(results)
    warnings: list[str] = []
    newest: dict[tuple[str, ...], tuple[int, Figure]] = {}
    for folder, name, machine in iter_results_paths(str(results)):
        path = Path(folder, name)
        try:
            result = Results.load(str(path), machine_name=machine)
        except UserError as error:
            warnings.append(f"{path} is left out: {error}")
            continue
        reasons, broken = _reasons(path.with_suffix(".outcomes.jsonl"))
        warnings += broken
        for key in result.get_all_result_keys():
            version = benchmarks.get(key, {}).get("version")
            if result.benchmark_version.get(key) != version:
                warnings.append(
                    f"{path}: {key} was measured by another version of the benchmark "
                    "and is left out; `asv run` measures it again."
                )
                continue
            started = result.started_at.get(key) or 0
            for figure in _figures(result, key, benchmarks[key].get("unit", ""), reasons):
                place = astuple(figure)[:5]
                old = newest.get(place)
                # A cell that a later, narrower run left out keeps what it had.
                weaker = figure.status == "not run" or (old is not None and old[0] > started)
                if old is not None and weaker and old[1].status != "not run":
                    continue
                newest[place] = (started, figure)
    return [figure for _, figure in newest.values()], warnings


def select(
    results: Path, pipeline: str | None, question: str | None, warn: Callable[[str], None]
) -> list[tuple[str, Figure]]:
    """Return the ranked figures of one pipeline, one question or all.

    Args:
        results: asv's results folder.
        pipeline: its name, or None for all.
        question: likewise.
        warn: is called with a sentence for whatever was left out.

    Raises:
        UserError: there are no results, or none with these names.
    """
    figures, warnings = collect(results)
    for sentence in warnings:
        warn(sentence)
    if not figures:
        raise UserError(f"There are no figures in {results}: `make bench` measures them.")
    for kind, name, known in (
        ("pipeline", pipeline, {figure.pipeline for figure in figures}),
        ("question", question, {figure.question for figure in figures}),
    ):
        if name is not None and name not in known:
            raise UserError(
                f"There are no figures of the {kind} {name!r}, only of {', '.join(sorted(known))}."
            )
    return ranked(
        figure
        for figure in figures
        if pipeline in (None, figure.pipeline) and question in (None, figure.question)
    )


def ranked(figures: Iterable[Figure]) -> list[tuple[str, Figure]]:
    """Return figures by question, pipeline and value, each with its rank.

    The rank is its place among the backends of the same machine, environment, question and
    pipeline; ``=`` before it says that its interval meets that of the first, so that the
    order of the two is not known. ``floor`` is no contender. Without a figure the rank is
    empty.
    """
    found: list[tuple[str, Figure]] = []
    order = sorted(figures, key=lambda f: (astuple(f)[:4], f.value is None, f.value or 0.0))
    for _, group in itertools.groupby(order, key=lambda f: astuple(f)[:4]):
        places = itertools.count(1)
        first: Figure | None = None
        for figure in group:
            rank = ""
            if figure.value is not None and figure.backend == FLOOR:
                rank = "floor"
            elif figure.value is not None:
                first = first or figure
                tie = figure is not first and _meet(first, figure)
                rank = f"{'=' if tie else ''}{next(places)}"
            found.append((rank, figure))
    return found


def to_csv(figures: Iterable[Figure]) -> str:
    """Return the tidy table as CSV with a header; an absent number is an empty field."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(astuple(figure) for figure in figures)
    return text.getvalue()


def _figures(
    result: Any, key: str, unit: str, reasons: dict[tuple[str, ...], Any]
) -> Iterable[Figure]:
    grid = result.get_result_params(key)
    question = key.split(".")[-1].split("_", 1)[1]
    values = result.get_result_value(key, grid)
    stats = result.get_result_stats(key, grid)
    for names, value, stat in zip(itertools.product(*grid), values, stats, strict=True):
        pipeline, backend = (ast.literal_eval(name) for name in names)
        status, reason = "ok", ""
        if value is None or math.isnan(value):
            record = _reason(reasons, pipeline, backend, question)
            status, reason = _explained(record, failed=value is None)
        found = stat or {}
        yield Figure(
            result.params["machine"],
            result._env_name,
            question,
            pipeline,
            backend,
            value if status == "ok" else None,
            unit,
            _not_negative(found.get("ci_99_a")),
            found.get("ci_99_b"),
            int(found.get("repeat", 1) * found.get("number", 1)) if status == "ok" else 0,
            status,
            reason,
        )


def _meet(first: Figure, other: Figure) -> bool:
    if first.high is None or other.low is None:  # a size or a count has no interval
        return first.value == other.value
    return other.low <= first.high


def _not_negative(low: float | None) -> float | None:
    """Return the lower end, at least 0: of three samples asv's reaches below, and no call does."""
    return None if low is None else max(low, 0.0)


def _explained(record: dict[str, Any], failed: bool) -> tuple[str, str]:
    """Return status and reason of a cell without a figure."""
    if not record or record["status"] == "ok":
        return ("failed", "no reason is on record") if failed else ("not run", "")
    reason = f"{record['outcome']}: {record['reason']}".rstrip(": ")
    return ("failed" if failed else record["status"]), reason


def _reasons(path: Path) -> tuple[dict[tuple[str, ...], Any], list[str]]:
    """Return the newest record by pipeline, backend, access and question, and broken lines."""
    if not path.is_file():
        return {}, []
    found, broken = records.read(path)
    keys = ("pipeline", "backend", "access", "question")
    return {tuple(record[key] for key in keys): record for record in found}, broken


def _reason(found: dict[tuple[str, ...], Any], pipeline: str, backend: str, question: str) -> Any:
    """Return the record that explains a cell: the question's own, else that of its artifact."""
    access = "map" if question.startswith("map") else "load"
    own = found.get((pipeline, backend, access, question), {})
    if own and own["status"] != "ok":
        return own
    return found.get((pipeline, backend, access, ""), {})


def _benchmarks(results: Path) -> dict[str, Any]:
    """Return asv's description of the benchmarks as they are now."""
    from asv.benchmarks import Benchmarks
    from asv.util import load_json

    path = Benchmarks.get_benchmark_file_path(str(results))
    if not Path(path).is_file():
        return {}
    found: dict[str, Any] = load_json(path, api_version=Benchmarks.api_version)
    return found
