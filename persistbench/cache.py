"""Where fitted pipelines and artifacts are kept between processes and runs; all may be lost.

One private folder in TMPDIR holds them all: the folder decides the file system, and a
fair comparison needs the same one for every backend. Fitted pipelines are pickles, so
nobody else may be able to put a file there.
"""

import os
import stat
import sys
import tempfile
from functools import cache
from importlib.metadata import distributions
from pathlib import Path

from persistbench.errors import UserError
from persistbench.files import digest

BASE = "PERSISTBENCH_BASE"
"""Environment variable: where the private folder is, in processes whose TMPDIR is their own."""


def folder() -> Path:
    """Return this Python environment's part of the private folder, made if it is not there.

    Environments have parts of their own, so that none removes what another still needs.

    Raises:
        UserError: it cannot be made, or it is open to other users.
    """
    owner = os.getuid() if hasattr(os, "getuid") else "user"
    path = Path(os.environ.get(BASE) or tempfile.gettempdir()) / f"persistbench-{owner}"
    try:
        path.mkdir(mode=0o700, exist_ok=True)
        result = path.lstat()
    except OSError as error:
        raise UserError(
            f"The folder {path} cannot be used ({error.strerror}): "
            "set TMPDIR to a folder that you can write to."
        ) from error
    if hasattr(os, "getuid"):
        foreign = result.st_uid != os.getuid() or result.st_mode & 0o077
        if foreign or not stat.S_ISDIR(result.st_mode):
            raise UserError(
                f"{path} belongs to somebody else or is open to other users, and pickles in it "
                "would be executed: remove it or set TMPDIR to another folder."
            )
    part = path / digest(sys.prefix)
    part.mkdir(exist_ok=True)
    return part


def drop_others(folder: Path, family: str, key: str) -> None:
    """Remove the files of a family, named ``family.KEY``, whose key is another.

    They were made by other code or other libraries and would only fill the disk.
    """
    for other in folder.glob(f"{family}.*"):
        if not other.name.removeprefix(f"{family}.").startswith(key):
            other.unlink(missing_ok=True)


_CORE = (
    "case.py",
    "outcomes.py",
    "backends/_base.py",
    "integrity/*.py",
    "cases/*.py",
    "sandbox/*.py",
    "cells/*.py",
)
"""What decides which files are kept and what is in them: rooms, so that a new file counts."""


@cache
def environment() -> str:
    """Return a digest of Python, of every installed library and of this package's core.

    Backends and pipelines are left out: a change of theirs concerns their cells only.
    """
    libraries = sorted(
        f"{distribution.name} {distribution.version}"
        for distribution in distributions()
        if distribution.name != "persistbench"
    )
    here = Path(__file__).parent
    core = sorted(file for pattern in _CORE for file in here.glob(pattern))
    return digest(sys.version, *libraries, *(file.read_bytes() for file in core))
