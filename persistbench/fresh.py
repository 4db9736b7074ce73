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
from importlib import import_module  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import TYPE_CHECKING, Any  # noqa: E402

if TYPE_CHECKING:
    from persistbench.cells import Cell

STAGES = ("interpreter", "imports", "read", "construct", "predict")
"""In their order. ``imports`` are those that load and predict need; ``read`` is reading and
decompressing; ``construct`` is the rest of the load; ``predict`` is of the held-out rows."""


def modules(cell: "Cell") -> list[str]:
    """Return what the load and the first predict of a cell import in a fresh process, in order."""
    found: list[str] = _run([cell], None)
    return found


def measure(cells: Sequence["Cell"], imported: list[str]) -> list[dict[str, float]]:
    """Start a process, import, and then load and predict once for each cell.

    Each cell is measured in a copy of that process, forked when the imports are done: what a
    load finds is a process that has imported, and nothing else.

    Args:
        cells: right ones, of one pipeline and of backends that import the same.
        imported: what is imported before the load, in this order.

    Returns:
        For each cell the seconds of each stage; start and imports are those of all.

    Raises:
        ChildProcessError: it failed; the last line says how.
    """
    found: list[dict[str, float]] = _run(cells, imported)
    return found


def _run(cells: Sequence["Cell"], imported: list[str] | None) -> Any:
    reference = cells[0].fitted.load_reference()
    rows = Path("rows.pickle").absolute()
    rows.write_bytes(pickle.dumps(reference.X))
    request = {
        "artifacts": [(cell.backend.id, str(cell.artifact)) for cell in cells],
        "rows": str(rows),
        "use": reference.first_use,
        "imported": imported,
        "root": str(Path(__file__).parents[1]),
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


def _child(request: dict[str, Any], asked: float) -> Any:
    sys.path.insert(0, request["root"])
    from persistbench import backends

    artifacts = [(backends.get(name), path) for name, path in request["artifacts"]]
    rows, use = Path(request["rows"]), request["use"]
    if request["imported"] is None:
        known = set(sys.modules)
        _use(*artifacts[0], rows, use)
        return [name for name in sys.modules if name not in known]
    begun = time.monotonic()
    for name in request["imported"]:
        with suppress(Exception):  # some cannot be imported by their name alone
            import_module(name)
    start = {"interpreter": STARTED - asked, "imports": time.monotonic() - begun}
    return [start | _stages(backend, path, rows, use) for backend, path in artifacts]


def _stages(backend: Any, path: str, rows: Path, use: str) -> dict[str, float]:
    # Reading has a copy of its own: a load after it would find memory that is touched already.
    read = _apart(lambda: {"read": _seconds(lambda: backend.read(path))})["read"]
    found = _apart(lambda: _use(backend, path, rows, use))
    load = found["load"]
    return {
        "read": min(read, load),
        "construct": max(0.0, load - read),
        "predict": found["predict"],
    }


def _use(backend: Any, path: str, rows: Path, use: str) -> dict[str, float]:
    X = pickle.loads(rows.read_bytes())
    start = time.monotonic()
    loaded = backend.load(path)
    done = time.monotonic()
    getattr(loaded, use)(X)
    return {"load": done - start, "predict": time.monotonic() - done}


def _apart(call: Callable[[], dict[str, float]]) -> dict[str, float]:
    """Return what is measured in a copy of this process, which is left as it was."""
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
    found: dict[str, float] = json.loads(said)
    return found


def _seconds(call: Callable[[], Any]) -> float:
    start = time.monotonic()
    call()
    return time.monotonic() - start


if __name__ == "__main__":
    print(json.dumps(_child(json.loads(sys.argv[1]), float(sys.argv[2]))))
