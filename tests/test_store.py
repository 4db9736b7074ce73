"""Nobody else can put a file into the store, and a failed write loses nothing."""

import sys
import tempfile
from pathlib import Path

import pytest

from persistbench import cache, files
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


def test_failed_write_keeps_the_old_file(tmp_path: Path) -> None:
    """What was at a path stays there when its replacement fails, and nothing else is left."""
    path = tmp_path / "kept"
    path.write_text("old")

    def fail() -> None:
        with files.replacing(path) as temporary:
            temporary.write_text("ne")
            raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        fail()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_stale_files_of_one_family_are_dropped(tmp_path: Path) -> None:
    """Files of another key go; files of a family whose name is longer stay."""
    for name in ("a.joblib.11", "a.joblib.22", "a.joblib-zlib-1.11", "a.joblib.22.rows"):
        (tmp_path / name).touch()
    cache.drop_others(tmp_path, "a.joblib", "22")
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {"a.joblib.22", "a.joblib-zlib-1.11", "a.joblib.22.rows"}


def test_digest_tells_where_a_part_ends() -> None:
    """Parts are not just joined: "ab", "c" is not "a", "bc"."""
    assert files.digest("ab", "c") != files.digest("a", "bc")
