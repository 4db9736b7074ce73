"""The contract of a backend: one way to save a fitted pipeline in a file.

A backend file defines ``BACKENDS``, a tuple of instances of frozen dataclasses that
derive from :class:`Backend`; it is found by discovery, nothing else is edited. The
fields of the instance are its whole configuration, and its ``id`` is derived from them.
Libraries are imported inside the methods, so that every backend file can be imported
whether or not its library is installed.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any, ClassVar, Literal


@dataclass(frozen=True)
class Claims:
    """What a backend says it does; a contract test checks each statement.

    Attributes:
        memory_maps: ``load(path, mmap_mode="r")`` maps the arrays of the file.
        returns: what ``load`` gives back: the ``estimator`` or the ``bytes`` of the file.
        executes_code: loading a crafted file can run any code, by design.
        carries_code: functions that cannot be imported (lambda, closure) travel
            inside the file.
    """

    memory_maps: bool = False
    returns: Literal["estimator", "bytes"] = "estimator"
    executes_code: bool = True
    carries_code: bool = False


@dataclass(frozen=True)
class Backend(ABC):
    """One way to save; frozen, so that it can be a key."""

    requires: ClassVar[tuple[str, ...]] = ()
    """Names of the distributions it needs beside Python and scikit-learn."""

    @property
    @abstractmethod
    def id(self) -> str:
        """The asv parameter and a key in results/ for ever, such as ``pickle-5``."""

    @property
    def claims(self) -> Claims:
        """What it says it does."""
        return Claims()

    @property
    def modules(self) -> tuple[str, ...]:
        """Modules that ``dump`` and ``load`` import; imported before anything is timed."""
        return tuple(name.replace("-", "_") for name in self.requires)

    @property
    def missing(self) -> tuple[str, ...]:
        """Those of the required distributions that are not installed."""
        return tuple(name for name in self.requires if not _installed(name))

    @property
    def install(self) -> str:
        """The command that installs what it requires; empty if it requires nothing."""
        return f"pip install {' '.join(self.requires)}" if self.requires else ""

    @property
    def why_not_mapped(self) -> str:
        """The reason of the n/a in cells that ask for a memory map."""
        return f"{self.id} has no memory mapping"

    def payload(self, estimator: Any) -> Any:
        """Return what ``dump`` is given; made before the timed call."""
        return estimator

    @abstractmethod
    def dump(self, payload: Any, path: str) -> None:
        """Save in the file ``path`` as the library's documentation shows."""

    @abstractmethod
    def load(self, path: str, mmap_mode: str | None = None) -> Any:
        """Return what the file ``path`` holds, memory-mapped if ``mmap_mode`` is "r".

        Raises:
            UnsupportedError: before the file is opened, if it cannot be mapped.
        """

    def read(self, path: str) -> int:
        """Read the file ``path`` and decompress it, building nothing; return the bytes."""
        with open(path, "rb") as file:
            return len(file.read())


def _installed(distribution: str) -> bool:
    try:
        version(distribution)
    except PackageNotFoundError:
        return False
    return True
