"""One cell timed by pyperf, in the loop of the suite; `persistbench calibrate` starts it."""

import json
import os
from functools import cache

import pyperf

from persistbench.calibrate.judge import Task
from persistbench.calibrate.run import CELL, ready

task = Task(*json.loads(os.environ[CELL]))
calls = cache(lambda: ready(task))  # only in the process that measures: pyperf starts two


def measure(loops: int) -> float:
    """Return the seconds of so many calls; all else is outside the clock."""
    return sum(calls().row().wall for _ in range(loops))


pyperf.Runner().bench_time_func("cell", measure)
