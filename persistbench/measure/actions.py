"""What is timed: one class for each question whose answer is the duration of a call.

An action's ``call`` is the timed line. Whatever belongs around it, outside the clock, stands beside
it: preparation once in a process, ``before`` and ``reset`` around every call.
"""

import contextlib
import functools
import shutil
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator
from operator import methodcaller
from pathlib import Path
from typing import Any, ClassVar

from persistbench import backends
from persistbench.backends import FLOOR, REFERENCE
from persistbench.cells.cell import Cell
from persistbench.errors import UnsupportedError
from persistbench.measure import paired, process
from persistbench.outcomes import Outcome
from persistbench.system import page_cache

References = tuple[tuple[str, "type[Action]", str], ...]
"""For each reference its name, what is called, and the id of the backend that it is called with."""


class Action(ABC):
    """One call on a right cell."""

    stage: ClassVar[Outcome] = Outcome.ERROR_AT_LOAD
    """What a failure of the timed call is called, unless :func:`stage_of` knows more."""

    mapped: ClassVar[bool] = False
    """Whether the artifact is memory-mapped."""

    keeps_heap: ClassVar[bool] = False
    """Whether the process keeps freed memory: :func:`~persistbench.measure.process.keep_heap`."""

    warming: ClassVar[int] = 3
    """A reference is called so often before anything counts: the first call of a process can take
    half as long again as the third."""

    def __init__(self, cell: Cell) -> None:
        """Make everything that the timed call needs; once in a process.

        Args:
            cell: a right one, mapped if the action is.

        Raises:
            UnsupportedError: this question has no answer for this right cell.
        """
        self.backend = cell.backend
        self.backend.import_modules()
        self.result: Any = None
        self.prepare(cell)

    def prepare(self, cell: Cell) -> None:
        """Make what this action needs beside the backend."""
        # A text: turning a Path into one takes time.
        self.path = _copy(str(cell.artifact), str(Path(cell.artifact.name).absolute()))

    @classmethod
    def references(cls, cell: Cell) -> References:
        """Return what the call is paired with."""
        return ()

    def before(self) -> None:  # noqa: B027 (most actions need nothing)
        """Do what belongs right before a call, outside the clock."""

    @abstractmethod
    def call(self) -> None:
        """Do what is timed."""

    def reset(self) -> None:
        """Undo what the last call left: it is freed here, outside the clock."""
        self.result = None


class _PairedWithAll(Action):
    """Base of actions that every backend answers: paired with the reference and the floor."""

    @classmethod
    def references(cls, cell: Cell) -> References:
        return tuple((name, cls, name) for name in (REFERENCE, FLOOR))


class Load(_PairedWithAll):
    """Load, with the file in the page cache."""

    keeps_heap = True

    def call(self) -> None:
        """Load."""
        self.result = self.backend.load(self.path)


class LoadCold(_PairedWithAll):
    """Load a file of which no page is in the page cache."""

    keeps_heap = True
    warming = 1  # each call writes its file first

    def prepare(self, cell: Cell) -> None:
        """Refuse where a file cannot be evicted."""
        super().prepare(cell)
        page_cache.evict(self.path)

    def before(self) -> None:
        """Evict the file."""
        page_cache.evict(self.path)

    def call(self) -> None:
        """Load."""
        self.result = self.backend.load(self.path)


class Dump(_PairedWithAll):
    """Dump to a new file, to the page cache: no backend calls fsync, none is added."""

    stage = Outcome.ERROR_AT_DUMP
    keeps_heap = True

    def prepare(self, cell: Cell) -> None:
        """Load the fitted pipeline, and choose a new file in the working directory."""
        self.payload = cell.backend.payload(*_saved(cell))
        self.path = str(Path("artifact").absolute())

    def call(self) -> None:
        """Dump."""
        self.backend.dump(self.payload, self.path)

    def reset(self) -> None:
        """Remove the file: each call writes a new one, as a user does."""
        Path(self.path).unlink(missing_ok=True)


class Map(Action):
    """Load with ``mmap_mode="r"``: nothing is touched that the backend does not touch."""

    mapped = True

    @classmethod
    def references(cls, cell: Cell) -> References:
        """Return the ordinary load of the same backend."""
        return (("load", _PlainLoad, cell.backend.id),)

    def call(self) -> None:
        """Map."""
        self.result = self.backend.load(self.path, "r")


class _PlainLoad(Load):
    keeps_heap = False


class LoadFirst(Action):
    """Load, and use it for the first time."""

    stage = Outcome.ERROR_AT_USE

    def prepare(self, cell: Cell) -> None:
        """Prepare the use: predict of the held-out rows, or transform where nothing predicts."""
        super().prepare(cell)
        self.use = first_use(cell)
        self.used: Any = None

    def call(self) -> None:
        """Load and use."""
        try:
            self.result = self.backend.load(self.path)
        except Exception as error:
            raise _at_load(error) from None
        self.used = self.use(self.result)

    def reset(self) -> None:
        """Free the pipeline and its answer."""
        self.result = self.used = None


class MapFirst(LoadFirst):
    """Map, and use it for the first time."""

    mapped = True

    @classmethod
    def references(cls, cell: Cell) -> References:
        """Return load and first use of the same backend."""
        return (("load", LoadFirst, cell.backend.id),)

    def call(self) -> None:
        """Map and use."""
        try:
            self.result = self.backend.load(self.path, "r")
        except Exception as error:
            raise _at_load(error) from None
        self.used = self.use(self.result)


def _at_load(error: Exception) -> Exception:
    """Mark the error of a load that is followed by a use; return it."""
    with contextlib.suppress(AttributeError):  # some exceptions take no attributes
        error.__dict__["persistbench_stage"] = Outcome.ERROR_AT_LOAD
    return error


def stage_of(error: BaseException, action: type[Action]) -> Outcome:
    """Return what the failure of an action's call or preparation is called."""
    result: Outcome = getattr(error, "persistbench_stage", action.stage)
    return result


class LoadSteady(Action):
    """Use what was loaded, and used, before."""

    stage = Outcome.ERROR_AT_USE

    def prepare(self, cell: Cell) -> None:
        """Load, and use once."""
        super().prepare(cell)
        self.use = first_use(cell)
        self.load()
        self.use(self.steady)

    def call(self) -> None:
        """Use."""
        self.result = self.use(self.steady)

    def load(self) -> None:
        """Load what is used again and again."""
        try:
            self.steady = self.backend.load(self.path, "r" if self.mapped else None)
        except Exception as error:
            raise _at_load(error) from None


class MapSteady(LoadSteady):
    """Use what was mapped, and used, before."""

    mapped = True

    @classmethod
    def references(cls, cell: Cell) -> References:
        """Return the use of what the same backend has loaded."""
        return (("load", LoadSteady, cell.backend.id),)


class Audit(Action):
    """Ask what an artifact wants to be admitted, without loading it."""

    def call(self) -> None:
        """Audit."""
        self.result = self.backend.audit(self.path)


def pair(
    cell: Cell, action: type[Action], references: References | None = None
) -> paired.PairedCalls:
    """Make an action and its references ready; once in a process.

    Args:
        cell: a right one, mapped if the action is.
        action: what is measured.
        references: what it is paired with; None for the action's own. A reference whose cell is
            not right is left out.

    Raises:
        UnsupportedError: this question has no answer for this right cell.
    """
    chosen = action.references(cell) if references is None else references
    # Cells are examined before anything is computed in this process: they fork it.
    others = [
        (name, kind, Cell(cell.pipeline, backends.get(backend_id), mapped=kind.mapped))
        for name, kind, backend_id in chosen
    ]
    right = [(name, kind, other) for name, kind, other in others if other.examine().same]
    if action.keeps_heap:
        process.keep_heap()
    own = action(cell)
    return paired.PairedCalls(own, {name: kind(other) for name, kind, other in right})


def first_use(cell: Cell) -> methodcaller:
    """Return the call of the method that a user calls first, with the held-out rows.

    Raises:
        UnsupportedError: the backend holds bytes.
    """
    require_use(cell)
    reference = cell.fitted.load_reference()
    return methodcaller(reference.first_use, reference.X)


def require_use(cell: Cell) -> None:
    """Raise UnsupportedError where what is loaded answers nothing."""
    if cell.backend.claims.returns == "bytes":
        raise UnsupportedError(f"{cell.backend.id} holds bytes, which predict nothing")


@functools.cache
def _fitted(fitted: Any) -> tuple[Any, Any]:
    return fitted.load_estimator(), fitted.load_reference().X


def _saved(cell: Cell) -> tuple[Any, Any]:
    """Return estimator and rows, once for all paired calls: they dump one object."""
    pair: tuple[Any, Any] = _fitted(cell.fitted)
    return pair


Copies = contextlib.AbstractContextManager[None]
"""Copies of artifacts that are there within a block."""


@contextlib.contextmanager
def just_written(copies: Collection[tuple[str, str]]) -> Iterator[None]:
    """Copy artifacts within a block.

    Args:
        copies: for each, the paths of the artifact and of its copy. Copies belong into the working
            directory, which is new, and in the TMPDIR of all artifacts.
    """
    try:
        for artifact, copy in copies:
            _copied(artifact, copy)
        yield
    finally:
        for _, copy in copies:
            Path(copy).unlink(missing_ok=True)


def _copied(artifact: str, copy: str) -> str:
    """Copy an artifact in large pieces; return the path of the copy.

    A file that was written at once is read up to 1.4 times as fast as a file that came into the
    page cache in pieces. The system drops the pages of files that nobody has read for minutes.
    """
    with open(artifact, "rb") as whole, open(copy, "wb") as written:
        shutil.copyfileobj(whole, written, _PIECE)
    return copy


_copy = functools.cache(_copied)  # one copy for all paired calls of a process
_PIECE = 2**22  # of a copy, in bytes: smaller ones leave smaller pieces in the page cache
