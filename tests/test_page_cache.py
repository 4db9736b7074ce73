"""A file is out of memory before a cold load, or the cell says why not."""

import sys
from pathlib import Path

import pytest

from persistbench.errors import UnsupportedError
from persistbench.system import page_cache

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the page cache of Linux")


def test_evicted_file_has_no_page_in_memory(tmp_path: Path) -> None:
    """Just written, all its pages are there; evicted, none."""
    path = tmp_path / "file"
    path.write_bytes(bytes(10**6))
    assert page_cache.resident(str(path)) == -(-(10**6) // 4096)
    page_cache.evict(str(path))
    assert page_cache.resident(str(path)) == 0
    assert path.read_bytes() == bytes(10**6)


def test_empty_file_is_nowhere(tmp_path: Path) -> None:
    """It has no pages."""
    (tmp_path / "file").touch()
    assert page_cache.resident(str(tmp_path / "file")) == 0


def test_file_system_that_keeps_pages_is_refused() -> None:
    """A file that lives in memory cannot be evicted from it."""
    memory = Path("/dev/shm")  # noqa: S108 (a file system in memory, wanted here)
    if not memory.is_dir():
        pytest.fail("no file system in memory to try it on")
    path = memory / "persistbench-test"
    path.write_bytes(bytes(10**5))
    try:
        with pytest.raises(UnsupportedError, match="pages"):
            page_cache.evict(str(path))
    finally:
        path.unlink()
