"""Outcome records: JSON Lines beside asv's results, because asv keeps no reasons.

``results/<machine>/<commit>-<environment>.outcomes.jsonl`` lies beside asv's file of the
same stem. The ending is not ``.json``, which asv would read as a result of its own.
"""

import json
import os
import platform
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from persistbench.files import digest
from persistbench.outcomes import Outcome, Verdict
from persistbench.records import run as runs
from persistbench.records.libraries import INSTRUMENT, LIBRARIES, versions

if TYPE_CHECKING:
    from persistbench.cells.cell import Cell  # which imports NumPy, and readers need none


def keep(cell: "Cell", verdict: Verdict, question: str = "") -> None:
    """Append a verdict to the record file of this run, unless it is already the last word.

    Args:
        cell: what was examined.
        verdict: what was found.
        question: the only question that the verdict concerns, such as
            ``map_first_predict``; empty for all of the cell's.

    Outside a run (asv was told not to save) nothing is written.
    """
    run = runs.current()
    if run is None:
        return
    path = run.outcomes
    place = _place(cell, question)
    from persistbench.system.file_system import file_system  # psutil is not everywhere that asv is

    files = file_system(Path(tempfile.gettempdir()))
    # A failure is said again by every run; what is the same or refused, once for all.
    said_by = run.began if status(verdict) == "failed" else ""
    result = digest(cell.key, files, verdict.outcome, verdict.reason, said_by)
    if _last_word(path, place).get("found") == result:
        return
    record = {
        "cell": place,
        "found": result,
        "pipeline": cell.pipeline.name,
        "backend": cell.backend.id,
        "access": "map" if cell.mapped else "load",
        "question": question,
        "status": status(verdict),
        "outcome": verdict.outcome,
        "reason": verdict.reason,
        "label_changes": verdict.label_changes,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "environment": os.environ.get("ASV_ENV_NAME", ""),
        "os": f"{platform.system()} {platform.release()}",
        "file_system": files,
        "run": run.began,
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "libraries": {
            "asv": run.asv,
            **versions({*LIBRARIES, INSTRUMENT, *cell.backend.requires}),
        },
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    # One write of one line in append mode: an interrupted run leaves whole lines.
    cut_off = path.is_file() and not path.read_bytes().endswith(b"\n")
    with path.open("a", encoding="utf-8") as file:
        file.write("\n" * cut_off + json.dumps(record) + "\n")


def withdraw(cell: "Cell", question: str) -> None:
    """Record that a failure of an earlier run, of this question alone, is over."""
    run = runs.current()
    if run is not None:
        last = _last_word(run.outcomes, _place(cell, question))
        if last.get("status") == "failed" and last["run"] != run.began:
            keep(cell, Verdict(Outcome.SAME), question)


def status(verdict: Verdict) -> str:
    """Return how a cell with this verdict is shown: ``ok``, ``n/a`` or ``failed``."""
    if verdict.same:
        return "ok"
    return "n/a" if verdict.refused else "failed"


def _place(cell: "Cell", question: str) -> str:
    access = "map" if cell.mapped else "load"
    return f"{cell.pipeline.name}/{cell.backend.id}/{access}/{question}"


def _last_word(path: Path, place: str) -> dict[str, Any]:
    """Return the newest record of a place, or {}, without parsing all the others."""
    if not path.is_file():
        return {}
    data = path.read_bytes()
    start = data.rfind(b'{"cell": ' + json.dumps(place).encode())
    if start < 0:
        return {}
    try:
        record: dict[str, Any] = json.loads(data[start:].split(b"\n", 1)[0])
    except ValueError:  # cut off in the middle: no word at all
        return {}
    return record
