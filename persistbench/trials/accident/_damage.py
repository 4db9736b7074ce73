"""Damages an artifact, one fault at a time, and says what a user would notice of each fault.

All of this runs in children of the sandbox. The artifact is damaged in a folder of its own.
Children load it, compare what it holds, use it and compare the answers. They are forked from a
process that has only imported libraries and read what the original answered. So nothing that one
fault has done to a process reaches the next fault.
"""

import importlib
import shutil
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from persistbench import sandbox
from persistbench.cells.cell import Cell
from persistbench.integrity.answers import Reference
from persistbench.outcomes import Verdict
from persistbench.trials import _artifacts
from persistbench.trials.base import NO_ANSWER, in_child

LIMITS = sandbox.Limits(seconds=20.0, memory=2 * 10**9, file_size=10**9)
"""For a load and its use; a fault in a length may ask for any memory, and one in a count loop."""

QUICK_SECONDS = 0.02
"""Where the undamaged artifact is opened within this time, a child tries several faults."""


@dataclass(frozen=True)
class Fault:
    """One damage.

    Attributes:
        offset: in bytes from the start of the artifact.
        bit: which bit is flipped there; None if the artifact ends there.
    """

    offset: int
    bit: int | None = None


@in_child
def try_all(cell: Cell, batches: list[list[Fault]], patience: float) -> Iterator[Any]:
    """Yield the verdict on the undamaged artifact, then a list for each batch, while there is time.

    If a fault cannot be tried, the last answer is the verdict that says why.

    Args:
        cell: whose artifact is right.
        batches: the faults.
        patience: seconds; a batch that has begun is ended.
    """
    importlib.import_module("persistbench.trials.warm")  # once here, not in every fork
    sandbox.fork_from_here()
    path = Path("artifact").absolute()
    shutil.copyfile(cell.artifact, path)
    tried = Tried(cell, path, cell.load_original())
    started = time.monotonic()
    seconds = yield from _undamaged(tried)
    for batch in batches:
        if time.monotonic() - started > patience:
            return
        try:
            yield list(verdicts(tried, batch, together=seconds < QUICK_SECONDS))
        except NotBegunError as error:
            yield error.verdict
            return


class NotBegunError(Exception):
    """A fault was not tried: the process ended before it opened the damaged artifact.

    Attributes:
        verdict: how the process ended.
    """

    def __init__(self, verdict: Verdict) -> None:
        """Take the verdict."""
        super().__init__(verdict.reason)
        self.verdict = verdict


@dataclass(frozen=True)
class Tried:
    """What is opened again and again.

    Attributes:
        cell: whose artifact is right.
        path: of the copy that is damaged.
        reference: what the original answers, and what it holds.
    """

    cell: Cell
    path: Path
    reference: Reference

    def open(self) -> Verdict:
        """Load it, use it and compare, as it is now."""
        return _artifacts.opened(self.cell.backend, self.path, self.reference)


def _undamaged(tried: Tried) -> Generator[Any, None, float]:
    """Yield the verdict on the undamaged artifact; return the seconds that it takes."""
    verdict, seconds = NO_ANSWER, 0.0
    try:
        for verdict, seconds in sandbox.answers(_time, tried, limits=LIMITS):  # noqa: B007
            pass
    except sandbox.DeadError as death:
        verdict = death.verdict
    yield verdict
    return seconds


@in_child
def _time(tried: Tried) -> Iterator[tuple[Verdict, float]]:
    tried.open()  # the first time is that of imports
    started = time.perf_counter()
    verdict = tried.open()
    yield verdict, time.perf_counter() - started


def verdicts(tried: Tried, batch: list[Fault], together: bool) -> Iterator[Verdict]:
    """Yield the verdict on each fault.

    Args:
        tried: what is damaged.
        batch: the faults.
        together: whether one child tries several faults in turn, because opening is quicker than
            forking. It then opens the undamaged artifact after each fault, and ends if that is
            not what it should be. A fault that may have killed it is tried again by a child of
            its own, whose verdict counts.

    Raises:
        NotBegunError: a process has ended before it opened what is damaged, so that no fault is
            the reason.
    """
    left, alone = batch, not together
    while left:
        group = left[:1] if alone else left
        alone = not together
        verdict, opening = None, False
        try:
            for answer in sandbox.answers(open_each, tried, group, limits=LIMITS):
                if isinstance(answer, Verdict):
                    verdict = answer
                elif opening := answer == _OPENING:
                    verdict = None
                else:  # nothing has happened to the child
                    yield cast(Verdict, verdict)
                    left = left[1:]
        except sandbox.DeadError as death:
            shutil.copyfile(tried.cell.artifact, tried.path)
            if len(group) == 1:
                if not opening:
                    raise NotBegunError(death.verdict) from death
                yield death.verdict
                left = left[1:]
            else:
                alone = True


@in_child
def open_each(tried: Tried, faults: list[Fault]) -> Iterator[Verdict | str]:
    """Yield three answers for each fault: that the artifact is damaged, the verdict, the end."""
    for fault in faults:
        with damaged(tried.path, tried.cell.artifact, fault):
            yield _OPENING
            yield tried.open()
        yield _MENDED
        if len(faults) > 1 and not tried.open().same:
            return


_OPENING, _MENDED = "opening", "mended"


@contextmanager
def damaged(path: Path, intact: Path, fault: Fault) -> Iterator[None]:
    """Damage a file in place, and mend it afterwards.

    Args:
        path: of the file.
        intact: a file with the same bytes.
        fault: what is done to it.
    """
    with path.open("r+b", buffering=0) as file, intact.open("rb") as whole:
        file.seek(fault.offset)
        whole.seek(fault.offset)
        if fault.bit is None:
            file.truncate()
        else:
            file.write(bytes([whole.read(1)[0] ^ (1 << fault.bit)]))
        try:
            yield
        finally:
            file.seek(fault.offset)
            whole.seek(fault.offset)
            if fault.bit is None:
                shutil.copyfileobj(whole, file)
            else:
                file.write(whole.read(1))
