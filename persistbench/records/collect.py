"""Reads a results folder into the tidy table: asv's files and our records.

What cannot be read is named and left out; the rest is still shown.
"""

import math
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from persistbench.outcomes import Outcome
from persistbench.records import (
    about,
    asv_file,
    calibration,
    looks,
    outcome,
    pairs,
    platforms,
    questions,
    trial,
)
from persistbench.records.about import About
from persistbench.records.asv_file import Benchmark, ForeignError, ResultFile
from persistbench.records.calibration import Calibration
from persistbench.records.figures import CPU, CellKey, Figure, Origin, Table
from persistbench.records.platforms import Source
from persistbench.statistics import ratios
from persistbench.statistics.ratios import LogRatio


class _Cell(NamedTuple):
    """The newest figure of a cell, and what it stands on."""

    started: int
    commit: str
    figure: Figure
    samples: list[float]
    pairs: pairs.Pairs | None

    def newer_than(self, other: "_Cell") -> bool:
        """Return whether this one replaces the other."""
        return self.figure.status != "not run" and self.started >= other.started


Reasons = Mapping[tuple[str, str, str, str], outcome.Record]
"""Outcome records by pipeline, backend, access and question; the newest of each."""


def collect(results: Path) -> Table:
    """Return the newest figure of every cell, where it comes from, and what was left out.

    Args:
        results: asv's results folder.
    """
    benchmarks = asv_file.described(results)
    warnings: list[str] = []
    newest: dict[CellKey, _Cell] = {}
    sources: dict[tuple[str, str], list[Source]] = defaultdict(list)
    outdated: dict[tuple[str, ...], str] = {}
    for path, machine in asv_file.result_files(results):
        source, cells = _read(path, machine, benchmarks, warnings, outdated)
        if source is not None and source.times:
            sources[source.result.machine, source.result.environment].append(source)
        for cell in cells:
            old = newest.get(cell.figure.cell)
            # A cell that a later, narrower run left out keeps what it had.
            if old is None or old.figure.status == "not run" or cell.newer_than(old):
                newest[cell.figure.cell] = cell
    there = {cell[:3] for cell, result in newest.items() if result.figure.status != "not run"}
    warnings += [text for cell, text in sorted(outdated.items()) if cell not in there]
    known = [platforms.measured(*key, result) for key, result in sorted(sources.items())]
    timed = {cell.figure.cell: cell.samples for cell in newest.values() if cell.samples}
    tried, broken = trial.read(results)
    warnings += broken
    only_tried = sorted(tried.keys() - {one.machine for one in known})
    known += [platforms.tried(machine, tried[machine]) for machine in only_tried]
    known.sort(key=lambda one: one.reference)  # the reader's own come first
    machines = sorted({one.machine for one in known})
    calibrations, claims = _of_machines(results, machines, warnings)
    figures, derived = _with_pairs(newest.values(), calibrations, warnings)
    figures, derived = ([_claimed(one, claims) for one in some] for some in (figures, derived))
    warnings += _unknown(figures)
    origins = _origins(newest.values())
    return Table(figures, known, warnings, timed, derived, calibrations, tried, claims, origins)


def _origins(cells: Iterable[_Cell]) -> dict[tuple[str, str, str], Origin]:
    """Return when and at which commits the figures of each question were measured."""
    result: dict[tuple[str, str, str], Origin] = {}
    for cell in cells:
        if cell.figure.status != "not run":
            key = (cell.figure.machine, cell.figure.environment, cell.figure.question)
            own = Origin.of(platforms.day(cell.started), cell.commit)
            result[key] = result.get(key, Origin()).joined(own)
    return result


def _read(
    path: Path,
    machine: str,
    benchmarks: Mapping[str, Benchmark],
    warnings: list[str],
    outdated: dict[tuple[str, ...], str],
) -> tuple[Source | None, list[_Cell]]:
    """Return a result file and its cells.

    What is left out goes to the warnings. What another version has measured goes to the outdated,
    by machine, environment and question, because newer figures may be there.
    """
    try:
        result = ResultFile(path, machine)
    except ForeignError as error:
        warnings.append(f"{path} is left out: {error}")
        return None, []
    records, broken = outcome.read(path.with_suffix(".outcomes.jsonl"))
    paired, broken_pairs = pairs.read(path.with_suffix(".pairs.jsonl"))
    warnings += [*broken, *broken_pairs]
    reasons: Reasons = {(r.pipeline, r.backend, r.access, r.question): r for r in records}
    source, cells = Source(result, records, []), []
    for key in result.keys:
        benchmark = benchmarks.get(key)
        if benchmark is None:
            warnings.append(f"{path}: {key} is left out: benchmarks.json does not know it.")
            continue
        if result.version(key) != benchmark.version:
            outdated[machine, result.environment, questions.question(key)] = (
                f"{path}: {key} was measured by another version of the benchmark "
                "and is left out; `make bench` measures it again."
            )
            continue
        try:
            started = result.started(key)
            rows = list(_figures(result, key, benchmark.unit, reasons))
        except ForeignError as error:
            warnings.append(f"{path}: {key} is left out: {error}")
            continue
        source.times.append(started)
        for figure, samples in rows:
            own = paired.get(figure.cell[2:])
            used = own is not None and own.version == benchmark.version and figure.status == "ok"
            cells.append(_Cell(started, result.commit, figure, samples, own if used else None))
    return source, cells


def _of_machines(
    results: Path, machines: Iterable[str], warnings: list[str]
) -> tuple[dict[str, Calibration], dict[str, About]]:
    """Return the calibrations, and what backends and pipelines said of themselves, by machine."""
    calibrations, claims = {}, {}
    for machine in machines:
        known, broken = calibration.read(results / machine)
        claims[machine], also_broken = about.read(results / machine)
        warnings += [*broken, *also_broken]
        if known is not None:
            calibrations[machine] = known
    return calibrations, claims


def _claimed(figure: Figure, claims: Mapping[str, About]) -> Figure:
    """Return a figure that knows what its backend gives back, if a record says so."""
    known = claims.get(figure.machine, About()).backends.get(figure.backend)
    return replace(figure, returns=known.returns) if known else figure


def _unknown(figures: Iterable[Figure]) -> list[str]:
    """Return a sentence for each machine with figures of backends whose claims are unknown."""
    unknown: dict[str, set[str]] = defaultdict(set)
    for figure in figures:
        if figure.value is not None and not figure.returns:
            unknown[figure.machine].add(figure.backend)
    return [
        f"{machine}: no record says what {', '.join(sorted(own))} can do: the figures are shown "
        "and not ranked; the next `make bench` records it."
        for machine, own in sorted(unknown.items())
    ]


def _with_pairs(
    cells: Iterable[_Cell],
    calibrations: dict[str, Calibration],
    warnings: list[str],
) -> tuple[list[Figure], list[Figure]]:
    """Return the figures with their paired ratios, and the figures derived from pairs.

    The usual variance of a ratio is that of all cells of the same machine and environment. That of
    repeated calls is at least the noise of the machine's calibration. Where the calibration gave
    false alarms, all their intervals are as much wider as it takes to have none. First calls have
    the intervals of :mod:`persistbench.records.looks`.
    """
    cells = list(cells)
    repeated: dict[tuple[str, ...], dict[CellKey, list[list[float]]]] = defaultdict(dict)
    first: dict[tuple[str, str], dict[CellKey, pairs.Pairs]] = defaultdict(dict)
    for cell in cells:
        key, machine = cell.figure.cell, cell.figure.cell[:2]
        if cell.pairs and cell.figure.question in questions.FIRST_CALLS:
            first[machine][key] = cell.pairs
        elif cell.pairs:
            for reference, own in cell.pairs.ratios.items():
                repeated[(*machine, reference)][key] = own
    known_ratios: dict[CellKey, dict[str, LogRatio]] = defaultdict(dict)
    try:
        for group, measured in repeated.items():
            known = calibrations.get(group[0])
            noise, wider = (known.noise, known.wider) if known else (0.0, 1.0)
            for cell_key, ratio in ratios.estimate(measured, noise**2, wider).items():
                known_ratios[cell_key][group[-1]] = ratio
        for looked in first.values():
            estimates = looks.estimates(looked.values())
            for cell_key, one in looked.items():
                if one.key[-1] == questions.REFERENCE and not one.ratios:
                    known_ratios[cell_key][questions.REFERENCE] = ratios.SAME
                for reference in one.ratios:
                    known_ratios[cell_key][reference] = estimates[one.key]
    except ModuleNotFoundError as error:
        warnings.append(
            f"Paired calls are not compared, because {error.name} is not installed where asv is; "
            "ratios are those of separate figures."
        )
    figures, derived = [], []
    for cell in cells:
        figure = replace(cell.figure, paired=known_ratios[cell.figure.cell])
        figures.append(figure)
        for reference, result in figure.paired.items():
            value, *ends = result.interval()
            name = f"{figure.question}/{reference}"
            derived.append(_derived(figure, name, value, (ends[0], ends[1]), "ratio", result.pairs))
        if cell.pairs:
            derived.append(_cpu_time(figure, cell.pairs))
    return figures, derived


def _derived(
    figure: Figure,
    question: str,
    value: float,
    interval: asv_file.Interval,
    unit: str,
    samples: int,
) -> Figure:
    """Return a figure of another question about the same cell."""
    names = (*figure.cell[:2], question, figure.pipeline, figure.backend)
    return Figure(*names, value, unit, *interval, samples, "ok", "")


def _cpu_time(figure: Figure, measured: pairs.Pairs) -> Figure:
    """Return the median CPU time of a call, of all threads; its interval is asv's."""
    calls = [call for process in measured.cpu for call in process]
    value, interval = asv_file.median(calls)
    return _derived(figure, figure.question + CPU, value, interval, figure.unit, len(calls))


def _figures(
    result: ResultFile, key: str, unit: str, reasons: Reasons
) -> Iterator[tuple[Figure, list[float]]]:
    """Yield the rows of one benchmark, each with its samples."""
    question = questions.question(key)
    for cell in result.cells(key):
        status, value = "ok", cell.value
        reason = _uncompared(reasons, cell.pipeline, cell.backend, question)
        if value is None or math.isnan(value):
            record = _reason(reasons, cell.pipeline, cell.backend, question)
            lost = value is None and not reasons
            status, reason = ("failed", _LOST) if lost else _explained(record)
            value = None
        figure = Figure(
            result.machine,
            result.environment,
            question,
            cell.pipeline,
            cell.backend,
            value,
            unit,
            *cell.interval,
            cell.calls if status == "ok" else 0,
            status,
            reason,
        )
        yield figure, list(cell.samples) if status == "ok" else []


_LOST = "no reason is on record: the file of outcomes is missing"


_NOBODYS = ((Outcome.NOT_INSTALLED, "machine"), (Outcome.UNSUPPORTED, "backend"))
"""A missing library, and what a backend or a question does not do, are no faults."""


def _explained(record: outcome.Record | None) -> tuple[str, str]:
    """Return status and reason of a cell without a figure.

    Whatever was run and has no figure has left a record. asv says of what it was never asked in
    this grid that it failed, so asv's word does not count.
    """
    if record is None or record.status == "ok":
        return "not run", ""
    nobodys = (record.outcome, record.blame) in _NOBODYS
    who = f" ({record.blame})" if record.blame and not nobodys else ""
    reason = f"{record.outcome}{who}: {record.reason}".rstrip(": ")
    # The address of an object differs in every process, and says nothing.
    reason = re.sub(r" at 0x[0-9a-f]+", "", reason)
    return record.status, _printable(reason)


def _printable(text: str) -> str:
    """Return a text in one line, without what would steer a terminal."""
    return "".join(c if c.isprintable() else " " if c.isspace() else ascii(c)[1:-1] for c in text)


def _uncompared(reasons: Reasons, pipeline: str, backend: str, question: str) -> str:
    """Return what was not compared before a cell was measured; empty if all was."""
    record = reasons.get((pipeline, backend, questions.access(question), ""))
    texts = record.uncompared if record else ()
    return _printable(f"not compared: {'; '.join(texts)}") if texts else ""


def _reason(reasons: Reasons, pipeline: str, backend: str, question: str) -> outcome.Record | None:
    """Return the record that explains a cell: the question's own, else that of its artifact."""
    how = questions.access(question)
    own = reasons.get((pipeline, backend, how, question))
    if own is not None and own.status != "ok":
        return own
    return reasons.get((pipeline, backend, how, ""))
