"""Where what may hurt runs: child processes with limits, in folders that are removed.

It is the ground floor of cells and trials. :mod:`persistbench.sandbox.parent` has the contract.
"""

from persistbench.sandbox.parent import (
    DeadError,
    Limits,
    answers,
    context,
    folder,
    fork_from_here,
    forking,
    preload,
    run,
    sweep,
)

__all__ = [
    "DeadError",
    "Limits",
    "answers",
    "context",
    "folder",
    "fork_from_here",
    "forking",
    "preload",
    "run",
    "sweep",
]
