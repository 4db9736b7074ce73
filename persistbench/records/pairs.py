"""Paired calls as they are kept: a line for each cell and question."""

import json
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec

from persistbench import files
from persistbench.records import jsonl

Key = tuple[str, str, str]
"""Question, pipeline, backend."""


class Pairs(msgspec.Struct):
    """What was measured of a cell, one entry for each process.

    Attributes:
        key: question, pipeline, backend.
        version: of the benchmark.
        ratios: by reference, for each process, wall time over that of the reference.
        cpu: for each process, the CPU seconds of each call.
        mothers: of first calls, for each process, from which mother it is; processes of one mother
            have the same number.
        bytes: of first calls, the size of the artifact.
    """

    key: Key
    version: str
    ratios: dict[str, list[list[float]]]
    cpu: list[list[float]]
    mothers: list[int] = []
    bytes: int = 0

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
    for path in sorted(folder.glob(f"*{_WHOLE}")):
        own, _ = read(path)
        path.unlink()
        result |= own
    for path in sorted(folder.glob("*.jsonl")):
        rows = [json.loads(line) for line in path.read_text().splitlines()]
        path.unlink()
        if len(rows) > 1:
            key: Key = tuple(rows[0]["key"])
            result.setdefault(key, Pairs(key, version, {}, [])).add(rows[0]["references"], rows[1:])
    return list(result.values())


def leave(folder: Path, own: Pairs) -> None:
    """Leave what a process has measured in a folder, for :func:`gather`."""
    write(folder / f"{files.digest(repr(own.key))}{_WHOLE}", [own])


_WHOLE = ".pairs.jsonl"


def read(path: Path) -> tuple[dict[Key, Pairs], list[str]]:
    """Return what a file holds, by key, and what was left out of it.

    Args:
        path: of the file; where there is none, there are no pairs.
    """
    records, broken = jsonl.read_typed(path, _DECODER.decode) if path.is_file() else ([], [])
    return {pairs.key: pairs for pairs in records}, broken


_DECODER = msgspec.json.Decoder(Pairs)


def write(path: Path, cells: Iterable[Pairs]) -> None:
    """Write a file of pairs to a temporary name and move it into place."""
    lines = b"".join(msgspec.json.encode(pairs) + b"\n" for pairs in cells)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".saving-") as folder:
        temporary = Path(folder, path.name)
        temporary.write_bytes(lines)
        temporary.replace(path)


def merged(old: Pairs | None, new: Pairs) -> Pairs:
    """Return the processes of both, if they ran the same version of the benchmark."""
    if old is None or old.version != new.version:
        return new
    ratios = {name: [*old.ratios.get(name, []), *result] for name, result in new.ratios.items()}
    known = max(old.mothers, default=-1) + 1
    mothers = [*old.mothers, *(known + one for one in new.mothers)]
    return Pairs(new.key, new.version, ratios, [*old.cpu, *new.cpu], mothers, new.bytes)


def _short(value: float) -> float:
    return float(f"{value:.4g}")
