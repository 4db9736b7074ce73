"""Shows how far a run is, and what is being asked: a bar on a terminal, else dots and lines."""

import contextlib
import math
import sys
import time
from pathlib import Path
from typing import Any

from persistbench.records import run as runs


class Watch:
    """What the reader sees of a run."""

    def __init__(self, run: runs.Run) -> None:
        """Begin to show; on a terminal by a bar.

        Args:
            run: which is shown.
        """
        self._run = run
        self._bar = _bar(run) if sys.stdout.isatty() else None
        self._begun = time.monotonic()
        self._dots = 0

    def round(self, number: int, cells: int, decided: str) -> None:
        """Show that a round begins.

        Args:
            number: of the round, counted from 1.
            cells: how many are going to be asked.
            decided: what is known so far; empty if nothing is.
        """
        if self._bar:
            bar, task = self._bar
            bar.reset(task, total=cells, description=f"round {number}", decided=decided)
            return
        self._end_line()
        minutes = (time.monotonic() - self._begun) / 60
        known = f", {decided}" if decided else ""
        print(f"Round {number} after {minutes:.1f} min{known}: {cells} cells.", flush=True)

    def cell(self) -> None:
        """Show that a cell has been asked."""
        if self._bar:
            bar, task = self._bar
            bar.advance(task)
            return
        self._dots += 1
        if self._dots % _A_DOT == 0:
            print(".", end="", flush=True)

    def publishing(self) -> None:
        """Show that the page is written."""
        self._run.tell("writing the page")

    def close(self) -> None:
        """Show nothing more."""
        if self._bar:
            self._bar[0].stop()
        else:
            self._end_line()

    def _end_line(self) -> None:
        if self._dots >= _A_DOT:
            print(flush=True)
        self._dots = 0


_A_DOT = 10
"""So many cells are one dot."""


def _bar(run: runs.Run) -> tuple[Any, Any] | None:
    """Return a bar of rich and its task; None where rich is not beside asv."""
    try:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn
        from rich.progress import TextColumn as Column
        from rich.text import Text
    except ModuleNotFoundError:
        return None

    class Telling(ProgressColumn):
        """What is being asked, and how much of the budget is left."""

        def render(self, task: Any) -> Text:
            told = ""
            with contextlib.suppress(OSError):
                told = Path(run.folder, runs.TELLING).read_text("utf-8")
            left = run.until - time.monotonic()
            if math.isinf(left):
                return Text(told)
            minutes = f"{left / 60:.0f} min left" if left > 0 else "the budget is spent"
            return Text(f"{minutes}  {told}", overflow="ellipsis", no_wrap=True)

    columns = (
        Column("{task.description}"),
        BarColumn(bar_width=20),
        MofNCompleteColumn(),
        Column("{task.fields[decided]}"),
        Telling(),
    )
    bar = Progress(*columns, refresh_per_second=2)
    task = bar.add_task("", total=None, decided="")
    bar.start()
    return bar, task
