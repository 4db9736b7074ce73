"""The contract of a backend: one way to save a fitted pipeline in a file.

A backend file defines ``BACKENDS``, a tuple of instances of frozen dataclasses that
derive from :class:`Backend`; it is found by discovery, nothing else is edited. The
fields of the instance are its whole configuration, and its ``id`` is derived from them.
Libraries are imported inside the methods, so that every backend file can be imported
whether or not its library is installed.
"""

import re
import shlex
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import Any, ClassVar, Literal, Self

from persistbench.errors import UnsupportedError
from persistbench.outcomes import explain

Inspect = Callable[[str], str | list[str]]
"""Takes the path of a file; returns what it says of the file: a text, or a list of lines."""


@dataclass(frozen=True)
class Claims:
    """What a backend says it does; a contract test checks each statement.

    Attributes:
        memory_maps: ``load(path, mmap_mode="r")`` maps the arrays of the file.
        returns: what ``load`` gives back: the ``estimator``, a ``predictor`` that can answer
            and nothing else, or the ``bytes`` of the file.
        executes_code: loading a crafted file can run any code, by design.
        carries_code: functions that cannot be imported (lambda, closure) travel
            inside the file.
        audits: ``audit(path)`` tells what a file asks for without loading it.
        deterministic: two dumps of one estimator are the same bytes, whenever they are made.
        tolerance: by how much an answer may differ, absolutely or relatively, because the
            backend computes in other numbers; 0 if answers are the same bit for bit.
    """

    memory_maps: bool = False
    returns: Literal["estimator", "predictor", "bytes"] = "estimator"
    executes_code: bool = True
    carries_code: bool = False
    audits: bool = False
    deterministic: bool = True
    tolerance: float = 0.0


@dataclass(frozen=True)
class Backend(ABC):
    """One way to save; frozen, so that it can be a key."""

    requires: ClassVar[tuple[str, ...]] = ()
    """Names of the distributions it needs beside Python and scikit-learn."""

    oldest: ClassVar[dict[str, str]] = {}
    """The oldest version of a distribution that will do, such as ``{"skops": "0.11"}``."""

    extension: ClassVar[str] = ".pkl"
    """How the library's documentation names its files: programs that are given one go by it."""

    @property
    @abstractmethod
    def id(self) -> str:
        """The asv parameter and a key in results/ for ever, such as ``pickle-5``."""

    only_for_trials: ClassVar[bool] = False
    """Whether it is what nobody should do: trials show why, and no figure recommends it."""

    @property
    def variant(self) -> bool:
        """Whether it is one more level of a compressor whose usual levels are there, too.

        Measured where it is asked for by name or by ``--levels``, and by a plain ``asv run``.
        """
        return False

    @property
    def size_limit(self) -> str:
        """What its library lets a user limit, of the memory that a file takes; empty: nothing."""
        return ""

    @property
    def claims(self) -> Claims:
        """What it says it does."""
        return Claims()

    @property
    def modules(self) -> tuple[str, ...]:
        """Modules that ``dump`` and ``load`` import; imported before anything is timed."""
        return tuple(name.replace("-", "_") for name in self.requires)

    def import_modules(self, shared: bool = False) -> None:
        """Import what ``dump`` and ``load`` need.

        Args:
            shared: for the sake of processes that are forked from this one, whether or not they
                use this backend: what does more than define names is left out.

        Raises:
            Exception: whatever a library raises that is there, and broken.
        """
        for name in self.modules:
            import_module(name)

    def import_failure(self) -> str:
        """Import what ``dump`` and ``load`` need; return why that fails, or nothing."""
        try:
            self.import_modules()
        except Exception as error:
            return f"a library is installed and cannot be imported: {explain(error)}"
        return ""

    @property
    def missing(self) -> tuple[str, ...]:
        """Those of the required distributions that are not installed, or too old, as texts."""
        lacking = (_lacking(name, self.oldest.get(name, "")) for name in self.requires)
        return tuple(text for text in lacking if text)

    @property
    def unavailable(self) -> str:
        """Why it cannot be used here, and what to do; empty if it can."""
        if not self.missing:
            return ""
        verb = "are" if len(self.missing) > 1 else "is"
        return f"{' and '.join(self.missing)} {verb} not installed: {self.install}"

    @property
    def install(self) -> str:
        """The command that installs what it requires; empty if it requires nothing."""
        wanted = (
            f"{name}>={self.oldest[name]}" if name in self.oldest else name
            for name in self.requires
        )
        return f"pip install {shlex.join(wanted)}" if self.requires else ""

    @property
    def why_not_mapped(self) -> str:
        """The reason of the n/a in cells that ask for a memory map."""
        return f"{self.id} has no memory mapping"

    def trusting(self, names: tuple[str, ...]) -> Self:
        """Return a backend that also admits these names when it loads.

        Args:
            names: reviewed by the one who loads, such as ``("my_module.my_function",)``.
        """
        return self

    def payload(self, estimator: Any, rows: Any) -> Any:
        """Return what ``dump`` is given; made before the timed call.

        Args:
            estimator: fitted.
            rows: like those that it will be asked about, for formats that must know their types.
        """
        return estimator

    @abstractmethod
    def dump(self, payload: Any, path: str) -> None:
        """Save in the file ``path`` as the library's documentation shows."""

    @abstractmethod
    def load(self, path: str, mmap_mode: str | None = None) -> Any:
        """Return what the file ``path`` holds, memory-mapped if ``mmap_mode`` is "r".

        The modes "r+" and "c" are those of ``numpy.memmap``; not everything that maps has them.

        Raises:
            UnsupportedError: before the file is opened, if it cannot be mapped, or not so.
        """

    def map_unchecked(self, source: Any, mmap_mode: str) -> Any:
        """Ask the library itself to map a path or an open file, also what ``load`` refuses to map.

        Raises:
            UnsupportedError: the library has no option that asks for a map.
        """
        raise UnsupportedError(f"the library of {self.id} has no option that asks for a map")

    def audit(self, path: str) -> list[str]:
        """Return the names that the file ``path`` asks for and that nobody has admitted.

        Raises:
            UnsupportedError: the library offers no look into a file before it is loaded.
        """
        raise UnsupportedError(f"{self.id} offers no look into a file before it is loaded")

    def inspections(self) -> dict[str, Inspect]:
        """Return the functions by which the library inspects a file without loading it.

        Returns:
            functions by their names in the library's documentation; each imports the library
            when it is called.
        """
        return {}

    def refuses(self, error: Exception) -> bool:
        """Return whether ``load`` raised this because the file asks for what is not admitted."""
        return False

    def read(self, path: str) -> int:
        """Read the file ``path`` and decompress it, building nothing; return the bytes."""
        with open(path, "rb") as file:
            return len(file.read())


def _lacking(distribution: str, oldest: str) -> str:
    """Return the distribution, if it is not there or too old; else nothing."""
    try:
        result = version(distribution)
    except PackageNotFoundError:
        return distribution
    if oldest and _numbers(result) < _numbers(oldest):
        return f"{distribution} {oldest} or newer ({result} is)"
    return ""


def _numbers(text: str) -> tuple[int, ...]:
    """Return the leading numbers of a version, which are what is compared."""
    return tuple(int(part) for part in re.findall(r"\d+", text)[:3])
