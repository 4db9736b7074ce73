"""Nobody else can put a file into the cache, and what is out of date is dropped."""

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
