"""Are the figures of first calls right on this machine?

Three trials, with the suite's own processes, looks and intervals:

- A/A: a backend against itself, at all looks of the plan.
- A planted slow-down of 5 % and 10 %.
- The ratio to the reference in forks, beside that in really started interpreters.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import count

from persistbench.backends import REFERENCE
from persistbench.cells.cell import Cell
from persistbench.measure import actions, calls, first_call, look
from persistbench.measure.look import Group, Row
from persistbench.measure.paired import order
from persistbench.records import looks
from persistbench.records.calibration import REQUIRED, Agreement, FirstCalls, Planted
from persistbench.records.pairs import Pairs
from persistbench.statistics import ratios
from persistbench.statistics.sequential import Decision, decision

Step = Callable[[str, int, int], None]
Own = tuple[bool, str, str]
"""Whether it is a dump, pipeline, backend."""

SAME = "same"
"""What a call is named that is compared with itself; slower ones are named by their share."""

SHORTEST, LONGEST = 1e-3, 0.2
"""Seconds; nobody is promised anything of shorter calls, and longer ones take too long here."""

STARTS = 3
"""So many times each cell is called in started interpreters."""


def run(cells: Sequence[Cell], others: Sequence[Cell], step: Step) -> FirstCalls:
    """Make the trials.

    Args:
        cells: right ones, which are compared with themselves.
        others: right ones, which started interpreters call, too; those of the reference among them.
        step: is called with what is being done, how much of it is done, and how much there is.
    """
    groups = {
        (dumps, cell.pipeline.name, cell.backend.id): against_itself(cell, dumps)
        for dumps in (False, True)
        for cell in cells
    }
    step("first calls: one of each", 0, 1)
    modules = look.measure(list(groups.values()), 1).modules
    usable = {key: group for key, group in groups.items() if _is_usable(group)}
    processes, done = looks.PLAN[-1], count(1)

    def say(_: str) -> None:
        step("first calls: against themselves, and made slower", next(done), of)

    of = (processes - 1) * len(usable)
    modules = look.measure(list(usable.values()), processes - 1, modules, say=say).modules
    return judged(usable, _started(others, modules, step))


def against_itself(cell: Cell, dumps: bool) -> Group:
    """Return the calls of a cell beside the same call, from a copy of the same file.

    Args:
        cell: a right one.
        dumps: whether it is dumped; else loaded.
    """
    one = calls.call(cell, dumps)
    other = replace(one, path=f"{one.path}.{SAME}")
    slower = {f"{by:g}": replace(other, slower=by) for by in REQUIRED}
    copies = [] if dumps else [(str(cell.artifact), copy) for copy in (one.path, other.path)]
    around = partial(actions.just_written, copies)
    return Group(cell.pipeline.name, {SAME: other, **slower}, one, around)


def judged(groups: Mapping[Own, Group], started: tuple[Agreement, ...]) -> FirstCalls:
    """Return the verdict; what is called different is decided as in the report."""
    at = {processes: decided(groups, processes) for processes in looks.PLAN}

    def ever(name: str) -> int:
        different = {
            key
            for decisions in at.values()
            for (key, by), what in decisions.items()
            if by == name and what is Decision.DIFFERENT
        }
        return len(different)

    last = at[looks.PLAN[-1]]
    equal = sum(1 for (_, by), what in last.items() if by == SAME and what is Decision.EQUAL)
    planted = tuple(Planted(by, len(groups), ever(f"{by:g}")) for by in REQUIRED)
    return FirstCalls(len(groups), looks.PLAN[-1], ever(SAME), equal, planted, started)


def decided(groups: Mapping[Own, Group], processes: int) -> dict[tuple[Own, str], Decision]:
    """Return what the first so many processes of each cell decide, by cell and name."""
    cells = {
        (key, name): _pairs(f"{key} {name}", rows[:processes])
        for key, group in groups.items()
        for name, rows in group.rows.items()
    }
    known = looks.estimates(cells.values())
    return {key: decision(known[one.key].interval()) for key, one in cells.items()}


def _pairs(name: str, rows: Sequence[Row]) -> Pairs:
    own = [[row.sample.wall / row.reference] for row in rows if row.reference]
    cpu = [[row.sample.cpu] for row in rows]
    return Pairs(("load", name, ""), "", {REFERENCE: own}, cpu, [row.mother for row in rows])


def _is_usable(group: Group) -> bool:
    rows = group.rows[SAME]
    return bool(rows) and SHORTEST < rows[0].sample.wall < LONGEST


def _started(cells: Sequence[Cell], modules: Sequence[str], step: Step) -> tuple[Agreement, ...]:
    """Return how ratios in forks compare with those in started interpreters."""
    forks: dict[Own, list[list[float]]] = {}
    real: dict[Own, list[list[float]]] = {}
    several = [(dumps, own) for dumps in (False, True) for own in _by_pipeline(cells)]
    for done, (dumps, own) in enumerate(several):
        step("first calls: beside started interpreters", done, len(several))
        group = calls.beside_reference(own, dumps)
        look.measure([group], 2 * STARTS, modules)
        rows = {
            name: rows
            for name, rows in group.rows.items()
            if name != REFERENCE and rows and SHORTEST < rows[0].sample.wall < LONGEST
        }
        right = [cell for cell in own if cell.backend.id in (*rows, REFERENCE)]
        for name, ratios_of in _real(right, dumps, modules).items():
            key = (dumps, group.name, name)
            forks[key] = [[row.sample.wall / row.reference] for row in rows[name] if row.reference]
            real[key] = [[ratio] for ratio in ratios_of]
    ours, theirs = ratios.estimate(forks), ratios.estimate(real)
    return tuple(
        Agreement(_named(key), *own.minus(theirs[key]).interval()) for key, own in ours.items()
    )


def _by_pipeline(cells: Sequence[Cell]) -> list[list[Cell]]:
    """Return the cells of each pipeline that the reference can save."""
    result: dict[str, list[Cell]] = {}
    for cell in cells:
        result.setdefault(cell.pipeline.name, []).append(cell)
    return [own for own in result.values() if any(one.backend.id == REFERENCE for one in own)]


def _real(several: Sequence[Cell], dumps: bool, modules: Sequence[str]) -> dict[str, list[float]]:
    """Return by backend ratios to the reference in started interpreters, each between two."""
    own = {cell.backend.id: calls.call(cell, dumps) for cell in several}
    reference = own.pop(REFERENCE)
    paths = [reference.path, *(call.path for call in own.values())]
    artifacts = {cell.backend.id: str(cell.artifact) for cell in several}
    copies = list(
        zip([artifacts[REFERENCE], *(artifacts[name] for name in own)], paths, strict=True)
    )
    result: dict[str, list[float]] = {name: [] for name in own}
    with actions.just_written([] if dumps else copies):
        for number in range(STARTS if own else 0):
            before = first_call.started(reference, modules).wall
            turn = [list(own)[index] for index in order(number, len(own))]
            walls = {name: first_call.started(own[name], modules).wall for name in turn}
            after = first_call.started(reference, modules).wall
            for name, wall in walls.items():
                result[name].append(wall / math.sqrt(before * after))
    return result


def _named(key: Own) -> str:
    dumps, pipeline, backend = key
    return f"{'dump' if dumps else 'load'} {pipeline} {backend}"
