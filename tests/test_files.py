"""A failed write loses nothing, and a digest tells its parts apart."""

from pathlib import Path

import pytest

from persistbench import files


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


def test_digest_tells_where_a_part_ends() -> None:
    """Parts are not just joined: "ab", "c" is not "a", "bc"."""
    assert files.digest("ab", "c") != files.digest("a", "bc")
