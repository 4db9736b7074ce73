"""One flipped bit, anywhere in the artifact: what a bad disk, cable or memory does.

Every bit of the artifact is as likely as any other.
"""

import random

from persistbench.trials.accident import _faults
from persistbench.trials.accident._faults import Fault
from persistbench.trials.campaign import Task
from persistbench.trials.kinds import ACCIDENT, Selection

KIND = "bit-flip"
GROUP = ACCIDENT
VERSION = 1


def tasks(selection: Selection) -> list[Task]:
    """Return a task for each cell."""
    return _faults.tasks(KIND, VERSION, plan, selection.faults, selection)


def plan(seed: str, size: int, count: int) -> list[Fault]:
    """Return the faults; the first of them are the same for any count."""
    rng = random.Random(seed)
    return [Fault(rng.randrange(size), rng.randrange(8)) for _ in range(count)]
