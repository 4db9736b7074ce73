"""An artifact that ends too early: what a full disk, a broken copy or an early reader leaves."""

import random

from persistbench.trials.accident import _faults
from persistbench.trials.accident._faults import Fault
from persistbench.trials.campaign import Task
from persistbench.trials.kinds import ACCIDENT, Selection

KIND = "truncation"
GROUP = ACCIDENT
VERSION = 1

OFFSETS = 200
"""Lengths that are tried in each cell: none at all, all but one byte, and others at random."""


def tasks(selection: Selection) -> list[Task]:
    """Return a task for each cell."""
    return _faults.tasks(KIND, VERSION, plan, OFFSETS, selection)


def plan(seed: str, size: int, count: int) -> list[Fault]:
    """Return the faults."""
    rng = random.Random(seed)
    return [Fault(0), Fault(size - 1), *(Fault(rng.randrange(size)) for _ in range(count - 2))]
