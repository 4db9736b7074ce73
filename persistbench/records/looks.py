"""What stored first calls decide, and where further processes would decide something.

After each look the intervals are read. A cell is asked no more when its ratio to the reference, and
that to the best backend of its pipeline, is decided; or when it is sure to be neither near the best
nor on the front. See :mod:`persistbench.statistics.sequential`.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from statistics import fmean, median

from persistbench.records.pairs import Key, Pairs
from persistbench.records.questions import FLOOR, REFERENCE
from persistbench.statistics import ratios, sequential
from persistbench.statistics.ratios import SAME, LogRatio
from persistbench.statistics.sequential import Decision, decision

PLAN = sequential.looks(20)
"""After so many processes of a cell the intervals are read."""

FIRST = 1
"""So many processes of a cell the first page shows. Before the first look of the plan nothing is
decided by them, but slow calls."""

SLOW_SECONDS = 1.0
"""One call that takes longer may decide: what disturbs it is small beside it."""

ROUNDS = 1 + len(PLAN)
"""After so many rounds a cell has all its processes."""

SHORT_SECONDS = 1e-3
"""Of CPU time; shorter calls are noisier, so their usual variance is that of short calls."""

GOALS = ("dump", "load")
"""The questions by which, beside the size, backends contend."""


def following(processes: int) -> int:
    """Return how many processes a cell has after its next look; as many as now after the last."""
    return next((count for count in (FIRST, *PLAN) if count > processes), processes)


def processes(known: Pairs | None) -> int:
    """Return in how many processes a cell has been measured."""
    return len(known.cpu) if known else 0


def estimates(cells: Iterable[Pairs]) -> dict[Key, LogRatio]:
    """Return the log ratio of each cell to its reference, with its repeated interval.

    Args:
        cells: of first calls. Cells without a reference have no ratio.
    """
    groups: tuple[list[Pairs], list[Pairs]] = [], []
    for one in cells:
        groups[median(map(fmean, one.cpu)) < SHORT_SECONDS].append(one)
    result: dict[Key, LogRatio] = {}
    for group in groups:
        paired = {one.key: own for one in group for own in one.ratios.values() if any(own)}
        mothers = {one.key: one.mothers for one in group}
        level = sequential.level_of(PLAN)
        result |= ratios.estimate(paired, level=level, mothers=mothers)
    return result


def open_keys(cells: Mapping[Key, Pairs]) -> set[Key]:
    """Return the cells that another look could decide.

    Args:
        cells: what was measured so far, of first calls.
    """
    known = estimates(cells.values())
    done = _dropped(cells, known)
    best = _best(known)
    return {
        key
        for key, one in cells.items()
        if key not in done
        and key[2] != REFERENCE
        and processes(one) < PLAN[-1]
        and (_early(one) or key not in known or not _decided(key, known, best))
    }


def _early(one: Pairs) -> bool:
    """Return whether it is too early to decide anything."""
    return processes(one) < PLAN[0] and one.cpu[0][0] < SLOW_SECONDS


def needed(cells: Mapping[Key, Pairs], keys: Iterable[Key]) -> int:
    """Return how many processes of each cell would decide half of them, as the noise is now.

    Args:
        cells: what was measured so far, of first calls.
        keys: of cells that are not decided, each with a ratio.
    """
    known = estimates(cells.values())
    wanted = []
    for key in keys:
        ratio = known[key]
        reach = min(math.log(ratio.interval()[2]) - ratio.mean, _NOTHING_KNOWN)
        # An interval is decided that does not reach 1, or that stays within the limits of equality.
        target = max(abs(ratio.mean), math.log(sequential.EQUAL) - abs(ratio.mean))
        wanted.append(math.ceil(processes(cells[key]) * (reach / target) ** 2))
    return sorted(wanted)[len(wanted) // 2] if wanted else 0


_NOTHING_KNOWN = 10.0
"""Of the logarithm of a ratio; an interval that reaches farther says nothing."""


def _decided(key: Key, known: Mapping[Key, LogRatio], best: Mapping[tuple[str, str], Key]) -> bool:
    own = known[key]
    first = best.get(key[:2], key)
    rivals = [SAME] if first == key or first not in known else [SAME, known[first]]
    return all(decision(own.minus(rival).interval()) is not Decision.OPEN for rival in rivals)


def _best(known: Mapping[Key, LogRatio]) -> dict[tuple[str, str], Key]:
    """Return the key that comes first, by question and pipeline."""
    result: dict[tuple[str, str], Key] = {}
    for key, own in known.items():
        if key[2] != FLOOR and key[0] in GOALS:
            first = result.get(key[:2])
            if first is None or own.mean < known[first].mean:
                result[key[:2]] = key
    return result


def _dropped(cells: Mapping[Key, Pairs], known: Mapping[Key, LogRatio]) -> set[Key]:
    """Return the cells of backends that are sure to be neither near the best nor on the front."""
    rows: dict[str, dict[str, list[LogRatio]]] = defaultdict(dict)
    for _, pipeline, backend in cells:
        keys = [(goal, pipeline, backend) for goal in GOALS]
        if backend != FLOOR and all(key in known for key in keys):
            size = cells[keys[0]].bytes
            exact = LogRatio(math.log(max(size, 1)), 0.0, math.inf, 0)
            rows[pipeline][backend] = [*(known[key] for key in keys), exact]
    return {
        (goal, pipeline, backend)
        for pipeline, contenders in rows.items()
        for backend in sequential.dropped(contenders, PLAN[0], PLAN)
        for goal in GOALS
    }
