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
from collections.abc import Callable  # noqa: E402
from contextlib import suppress  # noqa: E402
from importlib import import_module  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import TYPE_CHECKING, Any  # noqa: E402

if TYPE_CHECKING:
    from persistbench.cells import Cell

STAGES = ("interpreter", "imports", "read", "construct", "predict")
"""In their order. ``imports`` are those that load and predict need; ``read`` is reading and
decompressing; ``construct`` is the rest of the load; ``predict`` is of the held-out rows."""


def measure(cell: "Cell", modules: list[str] | None) -> dict[str, Any]:
    """Start a process that loads the artifact of a cell and predicts.

    Args:
        cell: a right one.
        modules: what is imported before the load, in this order; None to find that out.

    Returns:
        The seconds of each stage, and ``modules``: what load and predict have imported.

    Raises:
        ChildProcessError: it failed; the last line says how.
    """
    reference = cell.fitted.load_reference()
    rows = Path("rows.pickle").absolute()
    rows.write_bytes(pickle.dumps(reference.X))
    request = {
        "backend": cell.backend.id,
        "artifact": str(cell.artifact),
        "rows": str(rows),
        "use": reference.first_use,
        "modules": modules,
        "root": str(Path(__file__).parents[1]),
    }
    Path(cell.artifact).read_bytes()  # the page cache is warm
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
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def _child(request: dict[str, Any], asked: float) -> dict[str, Any]:
    sys.path.insert(0, request["root"])
    from persistbench import backends

    backend = backends.get(request["backend"])
    known = set(sys.modules)
    clocks = [time.monotonic()]
    for name in request["modules"] or ():
        with suppress(Exception):  # some cannot be imported by their name alone
            import_module(name)
    clocks.append(time.monotonic())
    rows = pickle.loads(Path(request["rows"]).read_bytes())
    read = _apart(lambda: backend.read(request["artifact"]))
    start = time.monotonic()
    loaded = backend.load(request["artifact"])
    done = time.monotonic()
    getattr(loaded, request["use"])(rows)
    predicted = time.monotonic()
    return {
        "interpreter": STARTED - asked,
        "imports": clocks[1] - clocks[0],
        "read": min(read, done - start),
        "construct": max(0.0, done - start - read),
        "predict": predicted - done,
        "modules": [name for name in sys.modules if name not in known],
    }


def _apart(call: Callable[[], Any]) -> float:
    """Return the seconds of a call in a copy of this process, which is left as it was.

    The load would find memory and page tables that reading has touched, and look quicker.
    """
    if not hasattr(os, "fork"):
        return _seconds(call)
    receiving, sending = os.pipe()
    if not (child := os.fork()):
        os.write(sending, repr(_seconds(call)).encode())
        os._exit(0)
    os.close(sending)
    with open(receiving, encoding="utf-8") as answer:
        said = answer.read()
    os.waitpid(child, 0)
    return float(said)


def _seconds(call: Callable[[], Any]) -> float:
    start = time.monotonic()
    call()
    return time.monotonic() - start


if __name__ == "__main__":
    print(json.dumps(_child(json.loads(sys.argv[1]), float(sys.argv[2]))))
