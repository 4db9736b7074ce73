"""What the rows of a calibration say: false alarms, slow-downs that were found, the noise."""

import math
import statistics
from collections.abc import Sequence
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
        needed([_between(estimates[cell, 0.0]) for cell in large], planted),
        agreements,
        round(seconds, 1),
        libraries.versions(libraries.LIBRARIES),
        _wider([estimates[cell, 0.0] for cell in cells]),
    )


def _between(ratio: ratios.LogRatio) -> float:
    """Return the variance between the processes of a cell."""
    return (ratio.variance - ratios.SHARED_SD**2) * paired.PROCESSES


def _wider(same: list[ratios.LogRatio]) -> float:
    """Return the factor by which the intervals of equal things are too narrow, at least 1."""
    reaches = [(abs(result.mean), math.log(result.interval()[2]) - result.mean) for result in same]
    needed = sorted((distance / reach for distance, reach in reaches), reverse=True)
    allowed = math.floor(ALLOWED_ALARMS * len(same))
    return max(1.0, round(needed[allowed] * 1.001, 3)) if needed else 1.0


MOST_PROCESSES = 200


def needed(variances: Sequence[float], planted: Sequence[Planted]) -> int:
    """Return how many processes would find each planted slow-down as often as is required.

    Args:
        variances: of each cell of over 1 ms, between its processes, on a log scale; without
            any the least number is enough.
        planted: what was found with the suite's number of processes.

    What is asked for is the mean of the cells' power, by the usual formula of two quantiles. Where
    less was found than that promises, the variances are taken for larger, until they explain it.
    """
    if not variances:
        return 2
    larger = 1.0
    while larger < _MOST_LARGER and any(
        _power(variances, part.slower, paired.PROCESSES / larger) > part.found / part.cells
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
