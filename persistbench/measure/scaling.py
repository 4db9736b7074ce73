"""How dump and load grow with what is saved: one array, or many small Python objects.

A backend saves pipelines of one kind in all their sizes, one after the other and in one process.
So a change of the machine's speed bends no line. A size that would take too long is refused before
it starts; so is a size that does not fit into memory or on the disk.
"""

import gc
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import psutil

from persistbench import cache
from persistbench.backends import Backend
from persistbench.cases import scaled
from persistbench.cells.cell import Cell
from persistbench.outcomes import Outcome, Verdict, of_exception
from persistbench.system import control_groups

try:
    import resource
except ImportError:  # Windows does not count page faults so
    resource = None  # type: ignore[assignment]

PASSES = 3
"""So many calls of each size count; one pass before them is thrown away."""

LIMIT_SECONDS = 0.2
"""Where a call takes longer, the larger sizes are left out; a reader who asks for more MB than is
usual has as much more patience."""

SHORT_SECONDS = 0.03
"""A shorter call is made twice, and the second counts: what was done before it with another size
has emptied the processor's caches."""

COPIES_IN_MEMORY, COPIES_ON_DISK = 4, 3
"""What one size needs at most, as multiples of its bytes. In memory, two copies are the suite's; a
backend that joins the parts of its output needs the others. On the disk lie the fitted pipeline,
the artifact and what is being dumped."""


def _limit() -> float:
    return LIMIT_SECONDS * max(1.0, scaled.largest_mb() / scaled.USUAL_MB)


def too_large(pipeline: scaled.Scaled) -> str:
    """Return why this machine has no room for a pipeline, with the numbers; empty if it has."""
    memory = min(psutil.virtual_memory().available, control_groups.memory_left())
    disk = psutil.disk_usage(str(cache.folder())).free
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
        A dict by the pipeline's name. It has ``verdict`` (a refusal or a failure), or
        ``dump``, ``load`` and ``faults``. The first two are the seconds of each call; ``faults``
        is the number of page faults of each load.
    """
    result: dict[str, dict[str, Any]] = {}
    right: list[Cell] = []
    slowest, where = 0.0, ""
    try:
        for pipeline in (one for one in scaled.pipelines().values() if one.kind == kind):
            cell = Cell(pipeline, backend)
            verdict = _refused(pipeline, slowest, where) or cell.examine()
            if verdict.same:
                try:
                    slowest = _slowest(cell)
                    where = pipeline.name
                    result[pipeline.name] = {"dump": [], "load": [], "faults": []}
                    right.append(cell)
                    continue
                except Exception as error:
                    verdict = of_exception(Outcome.ERROR_AT_USE, error)
            result[pipeline.name] = {"verdict": asdict(verdict)}
        for _ in range(PASSES):
            for cell in right:
                result[cell.pipeline.name]["dump"].append(_warm(_dump, cell)[0])
            for cell in right:
                seconds, faults = _warm(_load, cell)
                result[cell.pipeline.name]["load"].append(seconds)
                result[cell.pipeline.name]["faults"].append(faults)
    finally:
        for cell in right:  # of all backends they would fill a disk
            cell.artifact.unlink(missing_ok=True)
    return result


def _slowest(cell: Cell) -> float:
    """Return the longer of a dump and a load: the first calls, or the second if those were long.

    The system writes to the disk when it likes, and may do so in the middle of a dump.
    """
    calls = _dump(cell)[0], _load(cell)[0]
    if max(calls) > _limit():
        calls = min(calls[0], _dump(cell)[0]), min(calls[1], _load(cell)[0])
    return max(calls)


def _refused(pipeline: scaled.Scaled, slowest: float, where: str) -> Verdict | None:
    reason = too_large(pipeline)
    if slowest > _limit():
        reason = f"left out, because a call took {slowest:.1f} s with {where}"
    return Verdict(Outcome.UNSUPPORTED, reason) if reason else None


def _warm(call: Callable[[Cell], tuple[float, int]], cell: Cell) -> tuple[float, int]:
    result = call(cell)
    return call(cell) if result[0] < SHORT_SECONDS else result


def _dump(cell: Cell) -> tuple[float, int]:
    """Return the seconds of a dump to a new file, which is removed, and its page faults."""
    payload = cell.backend.payload(cell.fitted.load_estimator(), cell.fitted.load_reference().X)
    path = Path("artifact").absolute()
    result = _timed(lambda: cell.backend.dump(payload, str(path)))
    path.unlink()
    return result


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
