"""How dump and load grow with what is saved: one array, or many small Python objects.

A backend saves pipelines of one kind in all their sizes, in turn and in one process: what the
machine does meanwhile bends no line. Sizes that would take too long, or that do not fit into
memory or on the disk, are refused before they start.
"""

import gc
import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

import psutil

from persistbench import control_groups, store
from persistbench.backends import Backend
from persistbench.case import Case
from persistbench.catalogue import Pipeline
from persistbench.cells import Cell
from persistbench.errors import UserError
from persistbench.outcomes import Outcome, Verdict, of_exception

try:
    import resource
except ImportError:  # Windows does not count page faults so
    resource = None  # type: ignore[assignment]

PASSES = 3
"""So many calls of each size count; one pass before them is thrown away."""

LIMIT_SECONDS, USUAL_MB = 0.2, 256
"""Where a call takes longer, the larger sizes are left out; a reader who asks for more MB than is
usual has as much more patience."""

SHORT_SECONDS = 0.03
"""A shorter call is made twice, and the second counts: what was done before it with another size
has emptied the processor's caches."""

MAX_MB = "PERSISTBENCH_MAX_MB"
"""Environment variable: the largest array, in MB of 10^6 bytes; 256 without it."""

FEATURES = 100
OBJECT_BYTES = 100
"""Memory of a small Python object with its entry in a dict, about."""

COPIES_IN_MEMORY, COPIES_ON_DISK = 4, 3
"""What one size needs at most, as multiples of its bytes: two copies are the suite's, the
others a backend's that joins the parts of its output; on the disk, the fitted pipeline, the
artifact and what is being dumped."""


@dataclass(frozen=True)
class Scaled(Pipeline):
    """A pipeline of a chosen size.

    Attributes:
        kind: a key of :data:`KINDS`.
        size: bytes of the array, or number of Python objects.
    """

    kind: str = ""
    size: int = 0

    @property
    def key(self) -> str:
        """Changes with this file, too."""
        return store.digest(super().key, str(self.size))

    @property
    def bytes(self) -> int:
        """What it takes in memory, about."""
        return self.size if self.kind == "array" else self.size * OBJECT_BYTES

    def build(self) -> Case:
        """Fit it."""
        return KINDS[self.kind](self.size)


def _array(size: int) -> Case:
    """Nearest neighbours over an array of random float64, as `large_array` in the catalogue."""
    import numpy as np
    from sklearn.neighbors import KNeighborsClassifier

    rng = np.random.default_rng(0)
    X = rng.standard_normal((size // (8 * FEATURES), FEATURES))
    held_out = rng.standard_normal((20, FEATURES))
    direction = rng.standard_normal(FEATURES)
    classes = KNeighborsClassifier(algorithm="brute").fit(X, X @ direction > 0)
    return Case(classes, held_out, held_out @ direction > 0)


def _objects(size: int) -> Case:
    """A vocabulary: half of the objects are its words, half their numbers."""
    from sklearn.feature_extraction.text import CountVectorizer

    words = [f"word{number}" for number in range(size // 2)]
    # As fitted by reading texts that hold every word once.
    counter = CountVectorizer().fit([" ".join(words)])
    texts = [" ".join(words[start::97][:50]) for start in range(50)]
    return Case(counter, texts, None)


KINDS: dict[str, Callable[[int], Case]] = {"array": _array, "objects": _objects}


@cache
def pipelines() -> dict[str, Scaled]:
    """Return them by name, from the smallest to the largest of each kind.

    Raises:
        UserError: what the environment says of the largest array is no number of MB.
    """
    most = _most()
    megabytes = [2**power for power in range(most.bit_length()) if 2**power <= most]
    found = [_scaled("array", size * 10**6, f"{size}MB") for size in megabytes]
    counts = [10**3, 3 * 10**3, 10**4, 3 * 10**4, 10**5, 3 * 10**5, 10**6]
    found += [_scaled("objects", size, str(size)) for size in counts]
    return {pipeline.name: pipeline for pipeline in found}


def _most() -> int:
    text = os.environ.get(MAX_MB, str(USUAL_MB))
    if not text.isdecimal() or not int(text):
        raise UserError(f"{MAX_MB} is {text!r}: give the largest array as a number of MB, as 1024.")
    return int(text)


def _limit() -> float:
    return LIMIT_SECONDS * max(1.0, _most() / USUAL_MB)


def size_of(name: str) -> tuple[str, int]:
    """Return the kind and the size of the pipeline with this name, measured here or elsewhere."""
    kind, _, shown = name.partition("-")
    return kind, int(shown.removesuffix("MB")) * (10**6 if shown.endswith("MB") else 1)


def _scaled(kind: str, size: int, shown: str) -> Scaled:
    return Scaled(f"{kind}-{shown}", Path(__file__), __package__, kind, size)


def too_large(pipeline: Scaled) -> str:
    """Return why this machine has no room for a pipeline, with the numbers; empty if it has."""
    memory = min(psutil.virtual_memory().available, control_groups.memory_left())
    disk = psutil.disk_usage(str(store.folder())).free
    for what, copies, free in (
        ("memory", COPIES_IN_MEMORY, memory),
        ("disk", COPIES_ON_DISK, disk),
    ):
        need = copies * pipeline.bytes
        if need > free:
            return (
                f"{pipeline.name} needs {need / 1e6:,.0f} MB of {what}, "
                f"and {free / 1e6:,.0f} MB are free"
            )
    return ""


def measure(kind: str, backend: Backend) -> dict[str, dict[str, Any]]:
    """Return what a backend takes for each size of a kind.

    Returns:
        By the pipeline's name, either ``verdict`` (a refusal or a failure), or for each of
        ``dump`` and ``load`` the seconds of each call, and in ``faults`` how many pages each
        load has asked the kernel for.
    """
    found: dict[str, dict[str, Any]] = {}
    right: list[Cell] = []
    slowest, where = 0.0, ""
    try:
        for pipeline in (one for one in pipelines().values() if one.kind == kind):
            cell = Cell(pipeline, backend)
            verdict = _refused(pipeline, slowest, where) or cell.examine()
            if verdict.same:
                try:
                    slowest = _slowest(cell)
                    where = pipeline.name
                    found[pipeline.name] = {"dump": [], "load": [], "faults": []}
                    right.append(cell)
                    continue
                except Exception as error:
                    verdict = of_exception(Outcome.ERROR_AT_USE, error)
            found[pipeline.name] = {"verdict": asdict(verdict)}
        for _ in range(PASSES):
            for cell in right:
                found[cell.pipeline.name]["dump"].append(_warm(_dump, cell)[0])
            for cell in right:
                seconds, faults = _warm(_load, cell)
                found[cell.pipeline.name]["load"].append(seconds)
                found[cell.pipeline.name]["faults"].append(faults)
    finally:
        for cell in right:  # of all backends they would fill a disk
            cell.artifact.unlink(missing_ok=True)
    return found


def _slowest(cell: Cell) -> float:
    """Return the longer of a dump and a load: the first calls, or the second if those were long.

    The system writes to the disk when it likes, and may do so in the middle of a dump.
    """
    calls = _dump(cell)[0], _load(cell)[0]
    if max(calls) > _limit():
        calls = min(calls[0], _dump(cell)[0]), min(calls[1], _load(cell)[0])
    return max(calls)


def _refused(pipeline: Scaled, slowest: float, where: str) -> Verdict | None:
    reason = too_large(pipeline)
    if slowest > _limit():
        reason = f"left out, because a call took {slowest:.1f} s with {where}"
    return Verdict(Outcome.UNSUPPORTED, reason) if reason else None


def _warm(call: Callable[[Cell], tuple[float, int]], cell: Cell) -> tuple[float, int]:
    found = call(cell)
    return call(cell) if found[0] < SHORT_SECONDS else found


def _dump(cell: Cell) -> tuple[float, int]:
    """Return the seconds of a dump to a new file, which is removed, and its page faults."""
    payload = cell.backend.payload(cell.fitted.load_estimator(), cell.fitted.load_reference().X)
    path = Path("artifact").absolute()
    found = _timed(lambda: cell.backend.dump(payload, str(path)))
    path.unlink()
    return found


def _load(cell: Cell) -> tuple[float, int]:
    """Return the seconds of a load, and its page faults."""
    return _timed(lambda: cell.backend.load(str(cell.artifact)))


def _timed(call: Callable[[], Any]) -> tuple[float, int]:
    gc.enable()
    faults = _faults()
    start = time.perf_counter()
    result = call()
    seconds = time.perf_counter() - start
    faults = _faults() - faults
    del result  # outside the clock
    return seconds, faults


def _faults() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt if resource else 0
