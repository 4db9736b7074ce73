"""JSON Lines: a line that is broken or foreign is named and left out."""

import json
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

import msgspec

T = TypeVar("T")


def read(path: Path) -> tuple[list[dict[str, Any]], list[str]]:
    """Return the records of a file, oldest first, and one sentence for each broken line.

    Args:
        path: of the file; it may be of any origin.

    Raises:
        OSError: there is no such file, or it may not be read.
    """
    records: list[dict[str, Any]] = []
    broken: list[str] = []
    for number, line in _lines(path):
        try:
            record = json.loads(line)
            if not isinstance(record, dict):
                raise ValueError("not an object")
        except ValueError as error:
            broken.append(f"{path}, line {number} is not a record and is left out ({error}).")
        else:
            records.append(record)
    return records, broken


def read_typed(path: Path, decode: Callable[[str], T]) -> tuple[list[T], list[str]]:
    """Return what the lines of a file hold, oldest first, and what is left out of it.

    Args:
        path: of the file; it may be of any origin.
        decode: makes one line a record, such as ``msgspec.json.Decoder(Record).decode``.

    Returns:
        The records, and sentences on what is left out. There is one for each line that is not
        JSON, and one for all lines that are JSON and do not fit the record.

    Raises:
        OSError: there is no such file, or it may not be read.
    """
    records: list[T] = []
    broken: list[str] = []
    foreign: list[str] = []
    for number, line in _lines(path):
        try:
            records.append(decode(line))
        except msgspec.ValidationError as error:
            foreign.append(f"line {number}: {error}")
        except msgspec.DecodeError as error:
            broken.append(f"{path}, line {number} is not a record and is left out ({error}).")
    if foreign:
        broken.append(
            f"{path} has {len(foreign)} foreign lines, which are left out; the first is "
            f"{foreign[0]}."
        )
    return records, broken


def append(path: Path, records: Iterable[Any]) -> None:
    """Append records, a line each, in one write: an interrupted writer leaves whole lines.

    Args:
        path: of the file; its folder is made where there is none.
        records: what msgspec encodes: structs and dicts.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = b"".join(map(line, records))
    with path.open("a+b") as file:
        if file.seek(0, os.SEEK_END):
            file.seek(-1, os.SEEK_END)
            lines = lines if file.read() == b"\n" else b"\n" + lines  # after one that is cut off
        file.write(lines)


def line(record: Any) -> bytes:
    """Return a record as a line of a file.

    Args:
        record: what msgspec encodes: a struct or a dict.
    """
    try:
        return msgspec.json.encode(record) + b"\n"
    except UnicodeEncodeError:  # half a character, such as a file's name may hold
        text = json.dumps(msgspec.to_builtins(record), ensure_ascii=False)
        return text.encode(errors="replace") + b"\n"


def _lines(path: Path) -> Iterable[tuple[int, str]]:
    """Return the lines that are not empty, each with its number."""
    # Not splitlines(), for which a text within a record may hold ends of lines.
    lines = path.read_bytes().decode(errors="replace").split("\n")
    return [(number, line) for number, line in enumerate(lines, start=1) if line.strip()]
