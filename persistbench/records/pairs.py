"""Paired calls as they are kept: a line for each cell and question."""

import json
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

Key = tuple[str, str, str]
"""Question, pipeline, backend."""


@dataclass
class Pairs:
    """What was measured of a cell, one entry for each process.

    Attributes:
        key: question, pipeline, backend.
        version: of the benchmark.
        ratios: by reference, for each process, wall time over that of the reference.
        cpu: for each process, the CPU seconds of each call.
    """

    key: Key
    version: str
    ratios: dict[str, list[list[float]]] = field(default_factory=dict)
    cpu: list[list[float]] = field(default_factory=list)

    def add(self, references: Sequence[str], rows: Sequence[Sequence[float]]) -> None:
        """Add a process; its first row is its warm-up, unless it has no other."""
        kept = rows[1:] or rows
        self.cpu.append([_short(row[1]) for row in kept])
        for index, name in enumerate(references, start=2):
            result = [_short(row[0] / row[index]) for row in kept]
            self.ratios.setdefault(name, []).append(result)


def gather(folder: Path, version: str) -> list[Pairs]:
    """Return what the processes left in a folder, and remove their files.

    A process that died left whole rows; one without any is left out.
    """
    result: dict[Key, Pairs] = {}
    for path in sorted(folder.glob("*.jsonl")):
        rows = [json.loads(line) for line in path.read_text().splitlines()]
        path.unlink()
        if len(rows) > 1:
            key: Key = tuple(rows[0]["key"])
            result.setdefault(key, Pairs(key, version)).add(rows[0]["references"], rows[1:])
    return list(result.values())


def read(path: Path) -> tuple[dict[Key, Pairs], list[str]]:
    """Return what a file holds, and one sentence for each broken line."""
    result: dict[Key, Pairs] = {}
    broken = []
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    for number, line in enumerate(lines, start=1):
        try:
            content = json.loads(line)
            key: Key = tuple(content["key"])
            result[key] = Pairs(key, content["version"], content["ratios"], content["cpu"])
        except (ValueError, KeyError, TypeError) as error:
            broken.append(f"{path}, line {number} holds no pairs and is left out ({error!r}).")
    return result, broken


def write(path: Path, found: Iterable[Pairs]) -> None:
    """Write a file of pairs to a temporary name and move it into place."""
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".saving-") as folder:
        temporary = Path(folder, path.name)
        lines = (json.dumps(vars(pairs)) + "\n" for pairs in found)
        temporary.write_text("".join(lines), encoding="utf-8")
        temporary.replace(path)


def merged(old: Pairs | None, new: Pairs) -> Pairs:
    """Return the processes of both, if they ran the same version of the benchmark."""
    if old is None or old.version != new.version:
        return new
    ratios = {name: [*old.ratios.get(name, []), *result] for name, result in new.ratios.items()}
    return Pairs(new.key, new.version, ratios, [*old.cpu, *new.cpu])


def _short(value: float) -> float:
    return float(f"{value:.4g}")
