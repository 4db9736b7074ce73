"""The words for what happened to a pipeline that was saved and loaded."""

from dataclasses import dataclass
from enum import StrEnum


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
        machine_fault: the machine, not the backend, is to blame (disk full, memory):
            a failure, and tried again next time.
    """

    outcome: Outcome
    reason: str = ""
    label_changes: int | None = None
    largest_difference: float | None = None
    by_design: bool = False
    machine_fault: bool = False

    @property
    def same(self) -> bool:
        """Whether the cell may have figures."""
        return self.outcome is Outcome.SAME

    @property
    def refused(self) -> bool:
        """Whether the cell is n/a rather than failed."""
        return (self.outcome.refusal or self.by_design) and not self.machine_fault


def explain(error: BaseException) -> str:
    """Return the class and the message of an exception in one line of at most 300 characters."""
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}"[:300] if text else type(error).__name__


def of_exception(outcome: Outcome, error: BaseException) -> Verdict:
    """Return the verdict for an exception raised at the stage that ``outcome`` names."""
    return Verdict(outcome, explain(error), machine_fault=isinstance(error, (OSError, MemoryError)))
