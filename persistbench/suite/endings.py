"""How the process of each cell ended: asv keeps one status for all cells of a benchmark."""

import signal
from collections.abc import Callable
from functools import partial
from typing import Any

import asv.runner
from asv.util import TIMEOUT_RETCODE

from persistbench.outcomes import Outcome

asv_get_spawner = asv.runner.get_spawner
statuses: dict[str, int] = {}
"""The exit status of each process of this run; minus the signal that has ended it."""

after: Callable[[], None] | None = None
"""Is called when a process has ended."""


def replace() -> None:
    """Let asv note each status; called by the plugin in `asv run`."""
    asv.runner.get_spawner = get_spawner


def get_spawner(*arguments: Any, **options: Any) -> Any:
    """Return what starts the processes, as asv's function does; it notes how each has ended.

    Args:
        arguments: of asv's function.
        options: likewise.
    """
    spawner = asv_get_spawner(*arguments, **options)
    spawner.run = partial(_run, spawner.run)
    return spawner


def _run(asv_run: Any, *, name: str, **options: Any) -> tuple[str, int]:
    output, status = asv_run(name=name, **options)
    statuses[name] = status
    if after is not None:
        after()
    return output, status


def of_cell(benchmark: str, index: int) -> tuple[Outcome, str]:
    """Return what to call the end of a process that has left no word, and how it ended.

    Args:
        benchmark: asv's name of it.
        index: of the cell in asv's order.
    """
    status = statuses.get(f"{benchmark}-{index}")
    if status == TIMEOUT_RETCODE:
        return Outcome.TIMEOUT, "the process of the benchmark took longer than it may"
    return Outcome.CRASH, f"the process of the benchmark {_how(status)}"


def _how(status: int | None) -> str:
    if status is None:
        return "could not be started"
    if status >= 0:
        return f"ended without an answer, exit status {status}"
    try:
        return f"ended by signal {signal.Signals(-status).name}"
    except ValueError:
        return f"ended by signal {-status}"
