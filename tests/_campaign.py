"""A campaign of trials that only sleep, for tests of how campaigns are run; also a program."""

import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from persistbench.outcomes import Outcome, Verdict
from persistbench.trials import campaign
from persistbench.trials.trial import Record, Task, Trial, trial

SECONDS = 0.3
"""So long a task takes: long enough to be stopped in the middle of a campaign."""


def sleep(trials: Sequence[Trial]) -> list[Record]:
    """Return records that tell which process has made them."""
    time.sleep(SECONDS)
    return [one.record(Verdict(Outcome.SAME), made_by=os.getpid()) for one in trials]


def tasks(count: int, kind: str = "nap") -> list[Task]:
    """Return tasks of two trials each."""
    return [
        Task(tuple(trial(kind, 1, str(number), one) for one in ("pickle-4", "pickle-5")), sleep)
        for number in range(count)
    ]


def run(path: Path, count: int, scheduler: str | None = None, kind: str = "nap") -> list[str]:
    """Run a campaign; return what it has warned of."""
    warnings: list[str] = []
    campaign.run(tasks(count, kind), lambda: path, lambda *_: None, warnings.append, scheduler)
    return warnings


if __name__ == "__main__":
    from tests._campaign import run as run_here  # what is sent must not be of __main__

    run_here(Path(sys.argv[1]), int(sys.argv[2]), kind=sys.argv[3])
