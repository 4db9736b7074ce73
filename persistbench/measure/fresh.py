"""A fresh process from its start to its first prediction, stage by stage.

This file is also the child's program. What the harness itself imports there is timed apart
and charged to nobody; a user's program would need part of it, a few milliseconds.
"""

import time

STARTED = time.monotonic()  # the same clock in all processes of the system

import json  # noqa: E402 (the clock comes first)
import os  # noqa: E402
import pickle  # noqa: E402
import subprocess  # noqa: E402
import sys  # noqa: E402
from collections.abc import Callable, Sequence  # noqa: E402
from contextlib import suppress  # noqa: E402
from dataclasses import asdict, dataclass  # noqa: E402
from functools import partial  # noqa: E402
from importlib import import_module  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import TYPE_CHECKING, Any  # noqa: E402

if TYPE_CHECKING:
    from persistbench.cells.cell import Cell


@dataclass(frozen=True)
class Imports:
    """What the load and the first predict of cells import in a fresh process, in order.

    Attributes:
        shared: what the first of them imports.
        own: by backend, what it imports beyond that.
    """

    shared: list[str]
    own: dict[str, list[str]]

    def count(self, backend_id: str) -> int:
        """Return how many modules that are, for a backend."""
        return len(self.shared) + len(self.own[backend_id])


def imports(cells: Sequence["Cell"]) -> Imports:
    """Return what cells import.

    Args:
        cells: right ones, of one pipeline; all import what the first one does.

    Raises:
        ChildProcessError: it failed; the last line says how.
    """
    return Imports(**_run(cells, None))


def measure(cells: Sequence["Cell"], imported: Imports) -> list[dict[str, float]]:
    """Start a process, import what is shared, and then load and predict once for each cell.

    Each cell is measured in a copy of that process. The copy imports what the cell needs beside
    that. So a load finds a process that has imported, and has done nothing else.

    Args:
        cells: right ones, of one pipeline.
        imported: what they import.

    Returns:
        For each cell the seconds of each stage; the start and the shared imports are those of all.

    Raises:
        ChildProcessError: it failed; the last line says how.
    """
    result: list[dict[str, float]] = _run(cells, imported)
    return result


def _run(cells: Sequence["Cell"], imported: Imports | None) -> Any:
    reference = cells[0].load_original()
    rows = Path("rows.pickle").absolute()
    rows.write_bytes(pickle.dumps(reference.X))
    request = {
        "artifacts": [(cell.backend.id, str(cell.artifact)) for cell in cells],
        "rows": str(rows),
        "use": reference.first_use,
        "trusted": cells[0].pipeline.trusted,
        "imported": imported and asdict(imported),
        "root": str(Path(__file__).parents[2]),
    }
    for cell in cells:
        cell.artifact.read_bytes()  # the page cache is warm
    # -P: the folder of this file holds modules, and is no place to import from.
    command = [sys.executable, "-P", __file__, json.dumps(request)]
    done = subprocess.run(  # noqa: S603 (our own program)
        [*command, repr(time.monotonic())],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise ChildProcessError((done.stderr.strip().splitlines() or ["no message"])[-1])
    return json.loads(done.stdout.splitlines()[-1])


def _child(request: dict[str, Any], requested: float) -> Any:
    sys.path.insert(0, request["root"])
    from persistbench import backends

    trusted = tuple(request["trusted"])
    artifacts = [
        (backends.get(name).trusting(trusted), path) for name, path in request["artifacts"]
    ]
    rows, use = Path(request["rows"]), request["use"]
    if request["imported"] is None:
        return _imports(artifacts, rows, use)
    shared, own = request["imported"]["shared"], request["imported"]["own"]
    begun = time.monotonic()
    _import(shared)
    start = {"interpreter": STARTED - requested, "imports": time.monotonic() - begun}
    return [
        _stages(start, own[backend.id], backend, path, rows, use) for backend, path in artifacts
    ]


def _imports(artifacts: list[tuple[Any, str]], rows: Path, use: str) -> dict[str, Any]:
    def new(backend: Any, path: str) -> list[str]:
        known = set(sys.modules)
        _use(backend, path, rows, use)
        return [name for name in sys.modules if name not in known]

    shared = _apart(lambda: new(*artifacts[0]))
    _import(shared)
    own = {backend.id: _apart(partial(new, backend, path)) for backend, path in artifacts}
    return {"shared": shared, "own": own}


def _import(names: list[str]) -> None:
    for name in names:
        with suppress(Exception):  # some cannot be imported by their name alone
            import_module(name)


def _stages(
    start: dict[str, float], own: list[str], backend: Any, path: str, rows: Path, use: str
) -> dict[str, float]:
    def read() -> float:
        _import(own)
        return _seconds(lambda: backend.read(path))

    def load() -> dict[str, float]:
        imports = _seconds(lambda: _import(own))
        return {"imports": imports} | _use(backend, path, rows, use)

    # Reading has a copy of its own: a load after it would find memory that is touched already.
    reading: float = _apart(read)
    result: dict[str, float] = _apart(load)
    return {
        "interpreter": start["interpreter"],
        "imports": start["imports"] + result["imports"],
        "read": min(reading, result["load"]),
        "construct": max(0.0, result["load"] - reading),
        "predict": result["predict"],
    }


def _use(backend: Any, path: str, rows: Path, use: str) -> dict[str, float]:
    X = pickle.loads(rows.read_bytes())
    start = time.monotonic()
    loaded = backend.load(path)
    done = time.monotonic()
    getattr(loaded, use)(X)
    return {"load": done - start, "predict": time.monotonic() - done}


def _apart(call: Callable[[], Any]) -> Any:
    """Return what a call in a copy of this process returns; this one is left as it was."""
    if not hasattr(os, "fork"):
        return call()
    receiving, sending = os.pipe()
    if not (child := os.fork()):
        try:
            os.write(sending, json.dumps(call()).encode())
        except Exception as error:
            print(f"{type(error).__name__}: {error}", file=sys.stderr)
        os._exit(0)
    os.close(sending)
    with open(receiving, encoding="utf-8") as answer:
        said = answer.read()
    os.waitpid(child, 0)
    if not said:
        sys.exit(1)
    return json.loads(said)


def _seconds(call: Callable[[], Any]) -> float:
    start = time.monotonic()
    call()
    return time.monotonic() - start


if __name__ == "__main__":
    print(json.dumps(_child(json.loads(sys.argv[1]), float(sys.argv[2]))))
