"""Writes to a temporary name and moves it into place: the one copy of that."""

import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary name beside ``path``; move it into place if the block succeeds.

    Whatever was at ``path`` stays until then, and a failed block leaves nothing behind.
    """
    with draft(path) as temporary:
        yield temporary
        temporary.replace(path)


def publish(path: Path, content: str | bytes) -> None:
    """Write a file that everybody may read, such as a page, whole or not at all."""
    data = content.encode() if isinstance(content, str) else content
    with replacing(path) as temporary:
        temporary.write_bytes(data)
        temporary.chmod(0o644)


@contextmanager
def draft(path: Path) -> Iterator[Path]:
    """Give a temporary name beside ``path``; what is still there afterwards is removed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".new-")
    os.close(handle)
    try:
        yield Path(name)
    finally:
        Path(name).unlink(missing_ok=True)


def digest(*parts: str | bytes) -> str:
    """Return 16 hexadecimal digits that change when any of the parts changes."""
    total = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        total.update(str(len(data)).encode() + b":" + data)
    return total.hexdigest()[:16]
