"""Nobody else can put a file into the cache, and what is out of date is dropped."""

import shutil
import sys
import tempfile
from pathlib import Path

import pytest

from persistbench import cache
from persistbench.errors import UserError

posix_only = pytest.mark.skipif(sys.platform == "win32", reason="permissions are POSIX")


@posix_only
def test_folder_is_private() -> None:
    """Pickles are kept in a folder that only its owner can enter."""
    assert cache.folder().parent.stat().st_mode & 0o077 == 0


@posix_only
def test_folder_open_to_others_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder that others could have written to is not used."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    root = cache.folder().parent
    root.chmod(0o777)
    with pytest.raises(UserError, match="open to other users"):
        cache.folder()


@posix_only
def test_planted_link_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A symbolic link in place of the folder is not followed."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    root = cache.folder().parent
    (root.parent / "elsewhere").mkdir(mode=0o700)
    (root / cache.folder().name).rmdir()
    root.rmdir()
    root.symlink_to(root.parent / "elsewhere")
    with pytest.raises(UserError, match="belongs to somebody else"):
        cache.folder()


def test_stale_files_of_one_family_are_dropped(tmp_path: Path) -> None:
    """Files of another key go; files of a family whose name is longer stay."""
    for name in ("a.joblib.11", "a.joblib.22", "a.joblib-zlib-1.11", "a.joblib.22.rows"):
        (tmp_path / name).touch()
    cache.drop_others(tmp_path, "a.joblib", "22")
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {"a.joblib.22", "a.joblib-zlib-1.11", "a.joblib.22.rows"}


DECIDING = {"case.py", "outcomes.py", "backends/_base.py"}
DECIDING_ROOMS = {"integrity", "cases", "sandbox", "cells"}
"""What decides a verdict on every cell."""


def test_change_of_what_decides_verdicts_makes_them_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A change of any of these files changes the environment; a change elsewhere does not."""
    package = tmp_path / "persistbench"
    shutil.copytree(Path(cache.__file__).parent, package)
    (package / "sandbox" / "new.py").touch()
    monkeypatch.setattr(cache, "__file__", str(package / "cache.py"))
    monkeypatch.setattr(cache, "distributions", list)  # the libraries stay, and reading takes time
    before = cache.environment.__wrapped__()
    changing = set()
    for path in package.rglob("*.py"):
        source = path.read_bytes()
        path.write_bytes(source + b"# changed")
        if cache.environment.__wrapped__() != before:
            changing.add(path.relative_to(package).as_posix())
        path.write_bytes(source)
    rooms = {path for room in DECIDING_ROOMS for path in (package / room).glob("*.py")}
    assert changing == DECIDING | {path.relative_to(package).as_posix() for path in rooms}
    assert {"sandbox/child.py", "sandbox/new.py"} < changing
