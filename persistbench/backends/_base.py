"""The contract of a backend: one way to save a fitted pipeline in a file.

A backend's file defines ``BACKENDS``, a tuple of instances of frozen dataclasses that derive
from :class:`Backend`. Discovery finds the file; no other file changes. The fields of an instance
are its whole configuration, and its ``id`` is derived from the fields. Libraries are imported
inside the methods, so that the file can be imported without its library.
"""

import re
import shlex
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import Any, ClassVar, Literal, Self

from persistbench.errors import UnsupportedError, UserError
from persistbench.outcomes import explain

Inspect = Callable[[str], str | list[str]]
"""Takes the path of a file; returns what it says of the file: a text, or a list of lines."""


@dataclass(frozen=True)
class Claims:
    """The statements of a backend about itself; a contract test checks each statement.

    Attributes:
        memory_maps: ``load(path, mmap_mode="r")`` maps the arrays of the file.
        returns: the type of the result of ``load``: the ``estimator``, a ``predictor`` that
            answers and does nothing else, or the ``bytes`` of the file.
        executes_code: the load of a crafted file can run code that its maker chose. It is false
            only where the format is made so that no file can do this.
        restricted: the load calls only names on a reviewed list, with any arguments. This stops
            the known shapes of payloads, and does not prove that no code can run.
        carries_code: the file contains functions that cannot be imported (lambda, closure).
        audits: ``audit(path)`` lists the names in a file without a load.
        deterministic: two dumps of one estimator are the same bytes at any time.
        tolerance: numbers may differ by this share of the spread of the original's answers,
            because the backend computes in other numbers; 0 if answers are the same bit for bit.
    """

    memory_maps: bool = False
    returns: Literal["estimator", "predictor", "bytes"] = "estimator"
    executes_code: bool = True
    restricted: bool = False
    carries_code: bool = False
    audits: bool = False
    deterministic: bool = True
    tolerance: float = 0.0


@dataclass(frozen=True)
class Backend(ABC):
    """One way to save; an instance is frozen and can be a key."""

    requires: ClassVar[tuple[str, ...]] = ()
    """Names of the distributions that the backend needs beside Python and scikit-learn."""

    oldest: ClassVar[dict[str, str]] = {}
    """The oldest version that works, by distribution, such as ``{"skops": "0.11"}``."""

    extension: ClassVar[str] = ".pkl"
    """The file extension in the library's documentation; scanners decide by it."""

    @property
    @abstractmethod
    def id(self) -> str:
        """The asv parameter and a key in results/ for ever, such as ``pickle-5``."""

    only_for_trials: ClassVar[bool] = False
    """Whether nobody should use this backend: trials show why, and it has no figures."""

    @property
    def variant(self) -> bool:
        """Whether this is a further level of a compressor beside its usual levels.

        A variant is measured on demand (its id or ``--levels``), and by a plain ``asv run``.
        """
        return False

    @property
    def size_limit(self) -> str:
        """The library's limits on the memory that a file takes, as a text; empty: no limit."""
        return ""

    @property
    def claims(self) -> Claims:
        """The statements of the backend about itself."""
        return Claims()

    @property
    def modules(self) -> tuple[str, ...]:
        """Names of the modules that ``dump`` and ``load`` import; imported before the clock."""
        return tuple(name.replace("-", "_") for name in self.requires)

    def import_modules(self, shared: bool = False) -> None:
        """Import the modules that ``dump`` and ``load`` need.

        Args:
            shared: whether processes of other backends are forked from this process, too. An
                import that does more than define names is then left out.

        Raises:
            Exception: a library is installed and broken; its own exception.
        """
        for name in self.modules:
            import_module(name)

    def import_failure(self) -> str:
        """Import the modules that ``dump`` and ``load`` need.

        Returns:
            why the import fails, as a text; empty if it succeeds.
        """
        try:
            self.import_modules()
        except Exception as error:
            return f"a library is installed and cannot be imported: {explain(error)}"
        return ""

    @property
    def missing(self) -> tuple[str, ...]:
        """The required distributions that are not installed or too old, a text for each."""
        lacking = (_lacking(name, self.oldest.get(name, "")) for name in self.requires)
        return tuple(text for text in lacking if text)

    @property
    def unavailable(self) -> str:
        """Why the backend cannot be used here, and what to do; empty if it can be used."""
        if not self.missing:
            return ""
        verb = "are" if len(self.missing) > 1 else "is"
        return f"{' and '.join(self.missing)} {verb} not installed: {self.install}"

    @property
    def install(self) -> str:
        """The command that installs the required distributions; empty without requirements."""
        requirements = (
            f"{name}>={self.oldest[name]}" if name in self.oldest else name
            for name in self.requires
        )
        return f"pip install {shlex.join(requirements)}" if self.requires else ""

    @property
    def why_not_mapped(self) -> str:
        """The reason in cells of mapped questions that are n/a."""
        return f"{self.id} has no memory mapping"

    def trusting(self, names: tuple[str, ...]) -> Self:
        """Return a backend whose load also admits these names.

        Args:
            names: names that the user reviewed, such as ``("my_module.my_function",)``.

        Raises:
            UserError: the backend has a list, and no file can ask for one of the names.
        """
        return self

    def payload(self, estimator: Any, rows: Any) -> Any:
        """Return the argument of ``dump``; it is made before the timed call.

        Args:
            estimator: a fitted estimator.
            rows: held-out rows, shape (n_rows, n_columns) or a list of n_rows texts, for formats
                that must know the types of the columns.
        """
        return estimator

    @abstractmethod
    def dump(self, payload: Any, path: str) -> None:
        """Save a payload to the file ``path``, as the library's documentation shows it.

        Args:
            payload: the result of :meth:`payload`.
            path: of the file; an earlier file is overwritten.

        Raises:
            Exception: the library refuses the payload; its own exception.
        """

    @abstractmethod
    def load(self, path: str, mmap_mode: str | None = None) -> Any:
        """Return the content of the file ``path``.

        Args:
            path: of the file.
            mmap_mode: None for an ordinary load; "r" for a memory map. "r+" and "c" are those of
                ``numpy.memmap``; not every backend that maps has these two modes.

        Raises:
            UnsupportedError: the backend cannot map, or not in this mode. The error is raised
                before the file is opened.
            Exception: the library refuses the file; its own exception.
        """

    def map_unchecked(self, source: Any, mmap_mode: str) -> Any:
        """Let the library map a path or an open file, also where ``load`` refuses a map.

        Raises:
            UnsupportedError: the library has no option for a map.
        """
        raise UnsupportedError(f"the library of {self.id} has no option that asks for a map")

    def audit(self, path: str) -> list[str]:
        """Return the names in the file ``path`` that nobody has admitted.

        Raises:
            UnsupportedError: the library has no audit.
        """
        raise UnsupportedError(f"{self.id} has no audit of a file before it is loaded")

    def inspections(self) -> dict[str, Inspect]:
        """Return the functions by which the library inspects a file without loading it.

        Returns:
            functions by their names in the library's documentation; each imports the library
            when it is called.
        """
        return {}

    def refuses(self, error: Exception) -> bool:
        """Return whether ``load`` raised this error because of a name that is not admitted."""
        return False

    def read(self, path: str) -> int:
        """Read and decompress the file ``path`` without building objects.

        Returns:
            the number of bytes after decompression.
        """
        with open(path, "rb") as file:
            return len(file.read())


def no_name(text: str) -> str:
    """Return why no file can ask for a trusted name, as a sentence; empty if one can."""
    if "<locals>" in text.split("."):
        return (
            f"{text!r} is made inside a function, so it is no name that a file can ask for: "
            "define it at the top of the module."
        )
    if not _NAME.fullmatch(text):
        return (
            f"{text!r} is no name that a file can ask for: write the module and the name in it, "
            "such as 'my_module.my_function'."
        )
    return ""


_NAME = re.compile(r"[\w-]+(\.[\w-]+)*\.([\w-]+|<lambda>)")
"""Modules may have hyphens in their names, and skops asks for lambdas."""


def checked(names: tuple[str, ...]) -> tuple[str, ...]:
    """Return the names.

    Raises:
        UserError: no file can ask for one of the names.
    """
    for reason in filter(None, map(no_name, names)):
        raise UserError(reason)
    return names


def _lacking(distribution: str, oldest: str) -> str:
    """Return the distribution as a text if it is not installed or too old; else nothing."""
    try:
        result = version(distribution)
    except PackageNotFoundError:
        return distribution
    if oldest and _numbers(result) < _numbers(oldest):
        return f"{distribution} {oldest} or newer ({result} is)"
    return ""


def _numbers(text: str) -> tuple[int, ...]:
    """Return the leading numbers of a version; only they are compared."""
    return tuple(int(part) for part in re.findall(r"\d+", text)[:3])
