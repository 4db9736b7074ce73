"""JSON Lines: a broken line is named and left out."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    pass  # which imports NumPy, and readers need none


def read(path: Path) -> tuple[list[dict[str, Any]], list[str]]:
    """Return the records of a file, oldest first, and one sentence for each broken line."""
    records: list[dict[str, Any]] = []
    broken: list[str] = []
    for number, line in enumerate(path.read_text("utf-8", errors="replace").splitlines(), start=1):
        if not line:
            continue
        try:
            record = json.loads(line)
            if not isinstance(record, dict):
                raise ValueError("not an object")
        except ValueError as error:
            broken.append(f"{path}, line {number} is not a record and is left out ({error}).")
        else:
            records.append(record)
    return records, broken
