"""What the rows of a calibration say: false alarms, slow-downs that were found, the noise."""

import math
from datetime import UTC, datetime
from typing import NamedTuple

from persistbench.measure import paired
from persistbench.records import libraries
from persistbench.records.calibration import (
    ALLOWED_ALARMS,
    REQUIRED,
    Agreement,
    Calibration,
    Planted,
    needed,
)
from persistbench.statistics import ratios

PLANTED = (0.0, *REQUIRED)
"""By so much calls are made slower."""


class Task(NamedTuple):
    """One process: a cell, and how much slower it is made."""

    question: str
    pipeline: str
    backend: str
    slower: float = 0.0


Rows = list[tuple[float, float]]
"""Of one process: the wall time of each call, and of the same call as its reference, in seconds."""


def judged(
    cells: list[tuple[str, str, str]],
    rows: dict[Task, list[Rows]],
    agreements: tuple[Agreement, ...],
    seconds: float,
) -> Calibration:
    """Return the verdict; what is called different is decided as in the report."""
    measured = {
        (cell, by): [[own / same for own, same in process[1:]] for process in rows[Task(*cell, by)]]
        for cell in cells
        for by in PLANTED
        if Task(*cell, by) in rows
    }
    estimates = ratios.estimate(measured)
    different = {
        key: not result.interval()[1] <= 1 <= result.interval()[2]
        for key, result in estimates.items()
    }
    large = [cell for cell in cells if all((cell, by) in measured for by in PLANTED)]
    many = [
        [ratios.typical(process) for process in measured[cell, 0.0]]
        for cell in cells
        if len(measured[cell, 0.0][0]) >= ratios.GROUPS[-2]
    ]
    usual = ratios.usual(many)
    noise = math.sqrt(usual.variance)
    planted = tuple(
        Planted(by, len(large), sum(different[cell, by] for cell in large)) for by in PLANTED if by
    )
    return Calibration(
        datetime.now(UTC).isoformat(timespec="seconds"),
        len(cells),
        sum(different[cell, 0.0] for cell in cells),
        planted,
        noise,
        needed([_between(estimates[cell, 0.0]) for cell in large], planted, paired.PROCESSES),
        agreements,
        round(seconds, 1),
        libraries.versions(libraries.LIBRARIES),
        _wider([estimates[cell, 0.0] for cell in cells]),
    )


def _between(found: ratios.LogRatio) -> float:
    """Return the variance between the processes of a cell."""
    return (found.variance - ratios.SHARED_SD**2) * paired.PROCESSES


def _wider(same: list[ratios.LogRatio]) -> float:
    """Return the factor by which the intervals of equal things are too narrow, at least 1."""
    reaches = [(abs(result.mean), math.log(result.interval()[2]) - result.mean) for result in same]
    needed = sorted((distance / reach for distance, reach in reaches), reverse=True)
    allowed = math.floor(ALLOWED_ALARMS * len(same))
    return max(1.0, round(needed[allowed] * 1.001, 3)) if needed else 1.0
