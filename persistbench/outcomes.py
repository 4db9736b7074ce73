"""The words for what happened to a pipeline that was saved and loaded."""

import errno
import os
import sysconfig
import traceback
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Self


class Outcome(StrEnum):
    """One vocabulary for benchmarks, trials, records and report."""

    SAME = "same"
    STATE_DIFFERS = "state-differs"  # predictions equal, state not
    VALUES_DIFFER = "values-differ"
    LABELS_DIFFER = "labels-differ"
    ERROR_AT_BUILD = "error-at-build"  # the pipeline's own build(): no backend's fault
    ERROR_AT_DUMP = "error-at-dump"
    ERROR_AT_LOAD = "error-at-load"
    ERROR_AT_USE = "error-at-use"
    CRASH = "crash"
    TIMEOUT = "timeout"
    NOT_INSTALLED = "not-installed"
    UNSUPPORTED = "unsupported"

    @property
    def came_back(self) -> bool:
        """Whether a pipeline was loaded and answered, rightly or wrongly."""
        return self in _CAME_BACK

    @property
    def silent(self) -> bool:
        """Whether answers are wrong and no error says so."""
        return self in _SILENT

    @property
    def died(self) -> bool:
        """Whether the process ended, or was ended, before it gave an answer."""
        return self in _DIED

    @property
    def refusal(self) -> bool:
        """Whether it was said before anything was saved: a result (n/a), not a failure.

        A dump that reports success and then cannot be used is a failure.
        """
        return self in _REFUSALS

    @property
    def severity(self) -> int:
        """Where it stands from worst (0) to harmless.

        Silent wrong answers come first, then crashes, errors, ``same`` and refusals.
        """
        return _FROM_WORST.index(self)


_SILENT = (Outcome.LABELS_DIFFER, Outcome.VALUES_DIFFER)
_CAME_BACK = (*_SILENT, Outcome.STATE_DIFFERS, Outcome.SAME)
_DIED = (Outcome.CRASH, Outcome.TIMEOUT)
_REFUSALS = (Outcome.UNSUPPORTED, Outcome.ERROR_AT_DUMP, Outcome.NOT_INSTALLED)
_FROM_WORST = (
    *_SILENT,
    Outcome.STATE_DIFFERS,
    *_DIED,
    Outcome.ERROR_AT_USE,
    Outcome.ERROR_AT_LOAD,
    Outcome.SAME,
    Outcome.UNSUPPORTED,
    Outcome.ERROR_AT_DUMP,
    Outcome.ERROR_AT_BUILD,
    Outcome.NOT_INSTALLED,
)


class Blame(StrEnum):
    """Whose fault an outcome is."""

    PIPELINE = "pipeline"  # its file, or the code that its file brings
    BACKEND = "backend"
    CHECK = "check"  # our own comparison could not be made
    MACHINE = "machine"  # disk full, memory, a library that is not installed


@dataclass(frozen=True)
class Verdict:
    """An outcome with its reason.

    Attributes:
        outcome: see :class:`Outcome`.
        reason: the exception's class and message, the signal, the missing library,
            what differs; empty for ``same``.
        label_changes: number of held-out rows whose prediction changed by saving
            and loading; None where nothing was predicted.
        largest_difference: the largest absolute difference of a number in the answers of a
            backend that is not exact; None where answers are compared bit for bit.
        by_design: what the backend says it does: it admits nothing that nobody has reviewed, or
            it computes in other numbers. A result (n/a), not a failure.
        fault: whose fault the outcome is; None for what is usual of the outcome, see
            :attr:`blame`.
        uncompared: what was not compared, a text for each, such as ``"scores: y has several
            columns"``.
    """

    outcome: Outcome
    reason: str = ""
    label_changes: int | None = None
    largest_difference: float | None = None
    by_design: bool = False
    fault: Blame | None = None
    uncompared: tuple[str, ...] = ()

    @classmethod
    def from_dict(cls, facts: dict[str, Any]) -> Self:
        """Return a verdict from what ``dataclasses.asdict`` makes of it, also by way of JSON."""
        fault = facts["fault"] and Blame(facts["fault"])
        uncompared = tuple(facts["uncompared"])
        words = {"outcome": Outcome(facts["outcome"]), "fault": fault, "uncompared": uncompared}
        return cls(**{**facts, **words})

    @property
    def blame(self) -> Blame | None:
        """Whose fault the outcome is; None for ``same``."""
        if self.fault is not None or self.same:
            return self.fault
        return _USUAL_BLAME.get(self.outcome, Blame.BACKEND)

    @property
    def machine_fault(self) -> bool:
        """Whether the machine is to blame for a failure, which is tried again next time."""
        return self.fault is Blame.MACHINE

    @property
    def same(self) -> bool:
        """Whether the cell may have figures."""
        return self.outcome is Outcome.SAME

    @property
    def refused(self) -> bool:
        """Whether the cell is n/a rather than failed."""
        return (self.outcome.refusal or self.by_design) and not self.machine_fault


_USUAL_BLAME = {Outcome.ERROR_AT_BUILD: Blame.PIPELINE, Outcome.NOT_INSTALLED: Blame.MACHINE}


def explain(error: BaseException) -> str:
    """Return the class and the message of an exception in one line of at most 300 characters."""
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}"[:300] if text else type(error).__name__


def of_exception(outcome: Outcome, error: BaseException) -> Verdict:
    """Return the verdict for an exception raised at the stage that ``outcome`` names.

    A full disk or memory is the machine's fault. Code that is neither Python's, nor a library's,
    nor this package's came with the pipeline: if such code was running, the pipeline is to blame,
    and the reason names the line.
    """
    of_machine = isinstance(error, MemoryError)
    of_machine |= isinstance(error, OSError) and error.errno in _MACHINE
    if of_machine:
        return Verdict(outcome, explain(error), fault=Blame.MACHINE)
    if line := _line_of_pipeline(error):
        return Verdict(outcome, f"{explain(error)} ({line})", fault=Blame.PIPELINE)
    return Verdict(outcome, explain(error))


_MACHINE = {
    getattr(errno, name)
    for name in (
        "ENOSPC",
        "EDQUOT",
        "EIO",
        "EMFILE",
        "ENFILE",
        "ENOMEM",
        "EROFS",
        "EAGAIN",
        "EFBIG",
    )
    if hasattr(errno, name)
}
"""What the system answers where a disk, or the memory, or the number of files is exhausted."""


def _line_of_pipeline(error: BaseException) -> str:
    """Return the innermost line of the pipeline's own code, as ``forest.py, line 12``.

    Lines outside the innermost call of this package belong to its callers.
    """
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if frame.filename.startswith(_PACKAGE):
            return ""
        # Compiled code has relative paths, and code without a file has a name such as <string>.
        if Path(frame.filename).is_absolute() and not frame.filename.startswith(_LIBRARIES):
            return f"{Path(frame.filename).name}, line {frame.lineno}"
    return ""


_PACKAGE = str(Path(__file__).parent) + os.sep
_LIBRARIES = tuple(
    {sysconfig.get_path(name) + os.sep for name in ("stdlib", "platstdlib", "purelib", "platlib")}
)
"""The folders of Python and of installed libraries."""
