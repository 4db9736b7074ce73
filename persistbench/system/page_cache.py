"""Takes a file out of the page cache, and checks that it is out. Linux only."""

import ctypes
import mmap
import os
import sys
from pathlib import Path

from persistbench.errors import UnsupportedError

_ATTEMPTS = 5


def evict(path: str) -> None:
    """Write a file's pages to the disk and drop them from memory.

    Args:
        path: of the file.

    Raises:
        UnsupportedError: this system cannot drop pages, or the file system keeps some of them.
    """
    if not hasattr(os, "posix_fadvise") or sys.platform != "linux":
        raise UnsupportedError(f"{sys.platform} offers no way to evict a file from the page cache")
    file = os.open(path, os.O_RDONLY)
    try:
        for _ in range(_ATTEMPTS):  # a page in use is dropped at the next attempt
            os.fsync(file)
            os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
            left = resident(path)
            if not left:
                return
    finally:
        os.close(file)
    raise UnsupportedError(f"the file system keeps {left} pages of the file in memory")


def resident(path: str) -> int:
    """Return the number of pages of a file that are in memory, by mincore(2).

    Raises:
        OSError: the file cannot be read or mapped.
    """
    import numpy as np

    size = Path(path).stat().st_size
    if not size:
        return 0
    pages = -(-size // mmap.PAGESIZE)
    flags = (ctypes.c_ubyte * pages)()
    libc = ctypes.CDLL(None, use_errno=True)
    with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        view = np.frombuffer(mapped, dtype=np.uint8)
        failed = libc.mincore(ctypes.c_void_p(view.ctypes.data), ctypes.c_size_t(size), flags)
        error = ctypes.get_errno()
        del view  # or the map could not be closed
    if failed:
        raise OSError(error, os.strerror(error), path)
    return sum(flag & 1 for flag in flags)
