"""What a calibration has found out about a machine; `persistbench.calibrate.run` finds it out.

Only the standard library is imported here: the report reads it wherever asv is installed.
"""

import json
import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from persistbench.statistics import ratios

ALLOWED_ALARMS = 0.01
REQUIRED = {0.05: 0.80, 0.10: 0.95}
"""Share of the cells of over 1 ms in which a planted slow-down must be found."""

AGREEMENT = 0.10
"""How far pyperf's time may be from ours, if the interval of the ratio does not hold 1."""

FILE = "calibration.jsonl"
"""In the machine's folder of results/; not .json, which asv would take for a result."""


@dataclass(frozen=True)
class Planted:
    """What became of a planted slow-down in the cells of over 1 ms."""

    slower: float
    cells: int
    found: int

    @property
    def enough(self) -> bool:
        """Whether it was found often enough."""
        return not self.cells or self.found >= REQUIRED[self.slower] * self.cells


@dataclass(frozen=True)
class Agreement:
    """Our time of a call over pyperf's, with the 99 % interval."""

    cell: str
    ratio: float
    low: float
    high: float

    @property
    def enough(self) -> bool:
        """Whether the two instruments agree."""
        return self.low <= 1 <= self.high or abs(self.ratio - 1) <= AGREEMENT


@dataclass(frozen=True)
class Calibration:
    """What was found out.

    Attributes:
        date: of the end, UTC.
        cells: how many were compared with themselves.
        alarms: how many of them were called different.
        planted: what became of each slow-down.
        noise: standard deviation of a process's typical ratio, relative, in cells that make
            many pairs.
        needed: how many processes would find as much as is required.
        pyperf: the agreement in single cells; empty where pyperf is not installed.
        seconds: how long it took.
        libraries: versions.
        wider: what intervals have to be multiplied by, so that no more equal cells are called
            different than is allowed; at least 1.
        processes: in so many the suite makes the paired calls of a cell.
    """

    date: str
    cells: int
    alarms: int
    planted: tuple[Planted, ...]
    noise: float
    needed: int
    pyperf: tuple[Agreement, ...]
    seconds: float
    libraries: dict[str, str] = field(default_factory=dict)
    wider: float = 1.0
    processes: int = 5

    @property
    def passed(self) -> bool:
        """Whether figures from this machine can be relied on as they are."""
        return (
            self.alarms <= ALLOWED_ALARMS * self.cells
            and all(part.enough for part in self.planted)
            and all(part.enough for part in self.pyperf)
        )

    def sentences(self) -> list[str]:
        """Return the verdict, for a reader."""
        result = [
            f"Compared with itself, a backend was called different in {self.alarms} of "
            f"{self.cells} cells (allowed: {ALLOWED_ALARMS:.0%})."
        ]
        result += [
            f"A planted slow-down of {part.slower:.0%} was found in {part.found} of {part.cells} "
            f"cells of over 1 ms (required: {REQUIRED[part.slower]:.0%})."
            for part in self.planted
        ]
        result += [
            f"{part.cell}: pyperf's time, ours is {part.ratio:.3f} times that "
            f"({part.low:.3f} to {part.high:.3f})."
            for part in self.pyperf
        ]
        result.append(
            f"The ratios of two processes typically differ by {self.noise:.1%}. With "
            f"{self.needed} processes for each cell as many as required would be found on the "
            f"average; the suite has {self.processes}."
        )
        result.append(
            "Passed: ratios and ties of this machine hold."
            if self.passed
            else "Not passed: this machine is too noisy for small differences; the report "
            f"takes its noise into every interval, and makes them {self.wider:.2f} times as wide."
        )
        return result


MOST_PROCESSES = 200


def needed(variances: Sequence[float], planted: Sequence[Planted], processes: int) -> int:
    """Return how many processes would find each planted slow-down as often as is required.

    Args:
        variances: of each cell of over 1 ms, between its processes, on a log scale; without
            any the least number is enough.
        planted: what was found with the suite's number of processes.
        processes: that number.

    What is asked for is the mean of the cells' power, by the usual formula of two quantiles. Where
    less was found than that promises, the variances are taken for larger, until they explain it.
    """
    if not variances:
        return 2
    larger = 1.0
    while larger < _MOST_LARGER and any(
        _power(variances, part.slower, processes / larger) > part.found / part.cells
        for part in planted
        if part.cells and not part.enough
    ):
        larger *= 1.05
    return next(
        (
            count
            for count in range(2, MOST_PROCESSES)
            if all(
                _power(variances, slower, count / larger) >= share
                for slower, share in REQUIRED.items()
            )
        ),
        MOST_PROCESSES,
    )


_MOST_LARGER = 1000.0


def _power(variances: Sequence[float], slower: float, processes: float) -> float:
    """Return in what share of the cells so many processes find a slow-down."""
    normal = statistics.NormalDist()
    reach = normal.inv_cdf((1 + ratios.LEVEL) / 2)
    errors = (math.sqrt(ratios.of_ratio(variance, processes)) for variance in variances)
    return statistics.fmean(normal.cdf(math.log1p(slower) / error - reach) for error in errors)


def read(folder: Path) -> Calibration | None:
    """Return what was found out about the machine with this folder of results, if anything."""
    try:
        content = json.loads((folder / FILE).read_text(encoding="utf-8"))
        content["planted"] = tuple(Planted(**part) for part in content["planted"])
        content["pyperf"] = tuple(Agreement(**part) for part in content["pyperf"])
        return Calibration(**content)
    except (OSError, ValueError, KeyError, TypeError):
        return None
