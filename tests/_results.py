"""Results folders as asv and the outcome records leave them, for tests of what reads them."""

import json
import math
from ast import literal_eval
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from asv.benchmarks import Benchmarks
from asv.results import Results, get_filename
from asv.runner import BenchmarkResult
from asv.util import write_json
from msgspec.structs import replace

from persistbench import backends
from persistbench.cells import claims
from persistbench.records import about
from persistbench.records.figures import Figure
from persistbench.report.sections.exactness import CHECKS

PIPELINES = ("small", "<script>")
BACKENDS = ("pickle-5", "joblib")
NAMES = ("load.Load.time_load", "mmap.Map.time_map")
N_A = math.nan


def figure(backend: str, value: float | None, low: float | None, high: float | None) -> Figure:
    """Return a row that differs from others in these only."""
    status = "n/a" if value is None else "ok"
    names = ("m", "e", "load", "p", backend)
    ends = (value, "seconds", low, high)
    return Figure(*names, *ends, 3, status, "", returns=RETURNS.get(backend, "estimator"))


RETURNS = {"raw": "bytes", "onnx": "predictor"}
"""What backends give back that give back no estimator."""


def claimed(folder: Path, machine: str, backend_ids: Sequence[str], **other: Any) -> None:
    """Record what backends say of themselves: what those of the package say, and of others this.

    Args:
        folder: of the results.
        machine: whose folder.
        backend_ids: of the backends.
        other: claims that differ from those of a plain pickle.
    """
    known = backends.for_trials()
    plain = claims.of_backend(known["pickle-5"])
    said = [
        replace(
            claims.of_backend(known[name]) if name in known else replace(plain, id=name), **other
        )
        for name in backend_ids
    ]
    about.keep(folder / machine, said)


def params(
    pipelines: Sequence[str] = PIPELINES, backends: Sequence[str] = BACKENDS
) -> list[list[str]]:
    """Return the parameters of a benchmark as asv stores them."""
    return [[repr(name) for name in names] for names in (pipelines, backends)]


def describe(
    folder: Path,
    names: Sequence[str] = NAMES,
    *,
    machines: Sequence[str] = ("desk",),
    grid: list[list[str]] | None = None,
    others: Mapping[str, list[list[str]]] | None = None,
) -> Path:
    """Write asv's description of machines and benchmarks; return the folder.

    Args:
        folder: of the results.
        names: of the benchmarks.
        machines: their names.
        grid: the parameters of all benchmarks.
        others: those of benchmarks that have their own, by name.
    """
    own = others or {}
    for machine in machines:
        write_json(str(folder / machine / "machine.json"), {"machine": machine}, 1)
        claimed(folder, machine, [literal_eval(name) for name in (grid or params())[1]])
    described = {
        name: {
            "name": name,
            "version": "1",
            "unit": "seconds" if ".time_" in name else "bytes",
            "params": own.get(name) or grid or params(),
            "param_names": ["pipeline", "backend"],
            "type": "time" if ".time_" in name else "track",
            "code": "",
        }
        for name in (*names, *own)
    }
    write_json(Benchmarks.get_benchmark_file_path(str(folder)), described, Benchmarks.api_version)
    return folder


def measured(
    folder: Path,
    values: Sequence[float | None],
    *,
    name: str = NAMES[0],
    version: str = "1",
    started: int = 1,
    commit: str = "c" * 40,
    machine: str = "desk",
    environment: str = "env",
    grid: list[list[str]] | None = None,
) -> Path:
    """Store one benchmark as asv does; NaN is n/a and None a failure. Return the file.

    A time has three samples, 1 % below the value, at it and above it.
    """
    result = Results({"machine": machine}, {}, commit, 0, "3.11", environment, {})
    result.load_data(str(folder))
    timed = ".time_" in name
    good = [timed and v is not None and not math.isnan(v) for v in values]
    round_ = BenchmarkResult(
        [True if g else v for g, v in zip(good, values, strict=True)],
        [[v * 0.99, v, v * 1.01] if g else None for g, v in zip(good, values, strict=True)],  # type: ignore[operator]
        [1 if g else None for g in good],
        0,
        "",
        None,
    )
    described = {"name": name, "version": version, "params": grid or params()}
    when = datetime.fromtimestamp(started / 1000, UTC)
    result.add_result(described, round_, record_samples=True, started_at=when)
    result.save(str(folder))
    return folder / get_filename(machine, commit, environment)


def record(path: Path, **facts: Any) -> None:
    """Append an outcome record beside a result file."""
    line = {"access": "load", "question": "", "status": "n/a", "outcome": "unsupported"} | facts
    with path.with_suffix(".outcomes.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")


def tried(folder: Path, trial: str, subject: str, backend: str, **facts: Any) -> Path:
    """Append the record of a trial; return the file.

    Args:
        folder: of the results.
        trial: its kind.
        subject: what was saved.
        backend: how.
        facts: what differs from a trial of the machine ``desk`` that went well.
    """
    machine = facts.pop("machine", "desk")
    line = {
        "trial": trial,
        "subject": subject,
        "backend": backend,
        "outcome": "same",
        "reason": "",
        "date": "2026-01-01T00:00:00+00:00",
        "os": "Linux 6",
        "python": "3.11.2",
        "libraries": {"scikit-learn": "1.9.1"},
    }
    if trial == "exactness":
        line |= {"checks": dict.fromkeys(CHECKS, ""), "metrics": {}, "steps": []}
    path = folder / machine / "trials" / f"{trial}.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(line | facts) + "\n")
    return path
