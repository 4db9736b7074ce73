"""The one tidy table: a row for every figure or refusal."""

import csv
import io
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, fields
from functools import reduce
from typing import Any

from persistbench.records.about import About, Backend
from persistbench.records.calibration import Calibration
from persistbench.records.questions import SCALED
from persistbench.statistics.ratios import LogRatio
from persistbench.system.machine import REFERENCE_PREFIX

CellKey = tuple[str, str, str, str, str]
"""Machine, environment, question, pipeline, backend."""


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
        reason: the outcome, whose fault it is, and why, where there is no figure; beside a figure,
            what was not compared.
        paired: its ratio to each reference that its calls are paired with; not a column.
        returns: what its backend gives back: ``estimator``, ``predictor`` or ``bytes``; empty if
            no record says so; not a column.
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
    paired: dict[str, LogRatio] = field(default_factory=dict, compare=False, repr=False)
    returns: str = field(default="", compare=False, repr=False)

    @property
    def row(self) -> tuple[str, str, str, str]:
        """What is ranked together: machine, environment, question, pipeline."""
        return (self.machine, self.environment, self.question, self.pipeline)

    @property
    def scaled(self) -> bool:
        """Whether it is of a pipeline that is one of many sizes, and not in the catalogue."""
        return self.question.startswith(SCALED)

    @property
    def cell(self) -> CellKey:
        """What the figure is of."""
        return (*self.row, self.backend)


Cells = dict[str, dict[str, dict[str, Figure]]]
"""Figures by pipeline, backend and question."""


@dataclass(frozen=True)
class Origin:
    """When and by which code something was measured or tried.

    Attributes:
        first: the first day, as ``2026-11-22``; empty where nobody recorded it.
        last: the last day.
        commits: of the suite, shortened; none where no record names one.
    """

    first: str = ""
    last: str = ""
    commits: tuple[str, ...] = ()

    @classmethod
    def of(cls, day: str, commit: str = "") -> "Origin":
        """Return the origin of what was done on one day, by one commit."""
        return cls(day, day, (commit,) if commit else ())

    def joined(self, other: "Origin") -> "Origin":
        """Return the origin of both."""
        days = sorted(filter(None, (self.first, self.last, other.first, other.last)))
        commits = tuple(dict.fromkeys(self.commits + other.commits))
        return Origin(days[0] if days else "", days[-1] if days else "", commits)

    def __str__(self) -> str:
        when = " to ".join(dict.fromkeys(filter(None, (self.first, self.last))))
        by = f"at commit {', '.join(self.commits)}" if self.commits else "commit not recorded"
        return f"{when or 'date not recorded'}, {by}"


@dataclass(frozen=True)
class Platform:
    """Where and with what figures were measured: rankings never cross its border.

    Attributes:
        machine: asv's name of the machine.
        environment: asv's name of the environment.
        facts: what is known of it, as pairs of a heading and a text.
        requirements: the versions that tell its environment from others.
    """

    machine: str
    environment: str
    facts: tuple[tuple[str, str], ...]
    requirements: dict[str, str] = field(default_factory=dict, compare=False)

    @property
    def reference(self) -> bool:
        """Whether its results were published as a reference, and are none of the reader's."""
        return self.machine.startswith(REFERENCE_PREFIX)


@dataclass(frozen=True, eq=False)
class Table:
    """All that the results folder holds.

    Attributes:
        figures: the newest figure or refusal of every cell.
        platforms: the machines and environments that they come from.
        warnings: one sentence for whatever was left out.
        samples: the single calls behind a figure, by its cell, in the order of the rounds;
            none for what is not timed.
        derived: for each timed figure, its CPU time (question ``load_cpu``) and its ratio to
            each reference that was paired with it (question ``load/pickle-5``).
        calibrations: what is known of the instrument, by machine.
        trials: the newest record of everything that was tried, by machine and trial.
        about: what backends and pipelines said of themselves, by machine.
        origins: when and by which commits the figures were measured, by machine, environment and
            question.
    """

    figures: list[Figure]
    platforms: list[Platform]
    warnings: list[str]
    samples: dict[CellKey, list[float]] = field(default_factory=dict)
    derived: list[Figure] = field(default_factory=list)
    calibrations: dict[str, Calibration] = field(default_factory=dict)
    trials: dict[str, dict[str, list[dict[str, Any]]]] = field(default_factory=dict)
    about: dict[str, About] = field(default_factory=dict)
    origins: dict[tuple[str, str, str], Origin] = field(default_factory=dict)

    def claims(self, index: int) -> dict[str, Backend]:
        """Return what the backends said of themselves on the machine of a platform, by id."""
        return self.about.get(self.platforms[index].machine, About()).backends

    def measured(self, index: int, questions: tuple[str, ...]) -> Origin | None:
        """Return when the figures of a platform were measured; None where there are none.

        Args:
            index: of the platform.
            questions: what the names of the questions begin with.
        """
        platform = self.platforms[index]
        where = (platform.machine, platform.environment)
        known = [
            origin
            for (machine, environment, question), origin in self.origins.items()
            if (machine, environment) == where and question.startswith(questions)
        ]
        return reduce(Origin.joined, known) if known else None

    def tried(self, trial: str) -> list[tuple[int, list[dict[str, Any]]]]:
        """Return the records of a trial with the index of their platform, where there are any."""
        result = [
            (index, self.trials.get(platform.machine, {}).get(trial, []))
            for index, platform in enumerate(self.platforms)
        ]
        return [(index, own) for index, own in result if own]

    def untried(self, trial: str) -> list[int]:
        """Return the indices of the platforms without a record of a trial."""
        tried = {index for index, _ in self.tried(trial)}
        return [index for index in range(len(self.platforms)) if index not in tried]

    def cells(self, platform: Platform) -> Cells:
        """Return the figures of one platform by pipeline (alphabetically), backend, question."""
        return self._where(platform, lambda figure: not figure.scaled)

    def scaled(self, platform: Platform) -> Cells:
        """Return those of pipelines that are not in the catalogue, but one of many sizes."""
        return self._where(platform, lambda figure: figure.scaled)

    def _where(self, platform: Platform, chosen: Callable[[Figure], bool]) -> Cells:
        result: Cells = defaultdict(lambda: defaultdict(dict))
        for figure in self.figures:
            here = (figure.machine, figure.environment) == (platform.machine, platform.environment)
            if here and chosen(figure):
                result[figure.pipeline][figure.backend][figure.question] = figure
        return dict(sorted(result.items()))


CPU = "_cpu"
"""What the question of a CPU time has after that of the wall time."""

COLUMNS = tuple(column.name for column in fields(Figure) if column.compare)


def to_csv(figures: Iterable[Figure]) -> str:
    """Return the tidy table as CSV with a header; an absent number is an empty field."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows([getattr(figure, name) for name in COLUMNS] for figure in figures)
    return text.getvalue()
