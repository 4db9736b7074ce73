"""The peak memory of one call. Linux only: read from /proc."""

import contextlib
import ctypes
import gc
import mmap
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from persistbench.errors import UnsupportedError

_STATUS = Path("/proc/self/status")
_CLEAR = Path("/proc/self/clear_refs")


def require() -> None:
    """Refuse a system on which :func:`peak` cannot work.

    Raises:
        UnsupportedError: the system has no high-water mark that can be reset.
    """
    if sys.platform != "linux" or not _CLEAR.exists():
        raise UnsupportedError(f"{sys.platform} has no high-water mark that can be reset")


def peak(call: Callable[[], Any], free: Callable[[], Any]) -> int:
    """Return the largest rise of the resident set during a call, in bytes.

    The result of the call counts: it is in memory at the end. Pages of the page cache do not
    count: they do not belong to the process. The kernel keeps its account in batches, so up to
    0.3 MB may be missing.

    Args:
        call: the call to measure. It was called before, so that its code and its lasting buffers
            are in memory.
        free: frees the result of the call.
    """
    free()
    before = mark()
    call()
    return risen(before)


def settled_peak(call: Callable[[], Any], free: Callable[[], Any]) -> int:
    """Return the peak of the second call, when code and lasting buffers are in memory.

    Of a slow call it is that of the first: a few MB more, beside a payload that takes seconds.

    Args:
        call: what is measured.
        free: drops what the call returned.
    """
    start = time.perf_counter()
    first = peak(call, free)
    return peak(call, free) if time.perf_counter() - start < _SLOW_SECONDS else first


_SLOW_SECONDS = 0.5


def mark() -> int:
    """Reset the kernel's high-water mark (5 into clear_refs, see proc(5)).

    Returns:
        the resident set of the process in bytes, for :func:`risen`.
    """
    gc.collect()
    # glibc keeps freed memory; the next call would use it, and the resident set would not rise.
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
    _CLEAR.write_text("5")
    return _field("VmRSS")


def risen(before: int) -> int:
    """Return the largest rise of the resident set since the mark, in bytes."""
    return max(0, _field("VmHWM") - before)


def own_pages(largest: int = 64 * 2**20) -> None:
    """Make the pages of memory that this process shares with its parent its own, on Linux.

    A fork copies a page when it writes to the page for the first time. A process that was started
    has nothing to copy. What is not shared any more is written as in a started process.

    Args:
        largest: mappings of more bytes stay as they are. They are arrays of one allocation, which
            are read.
    """
    maps, pagemap = Path("/proc/self/maps"), Path("/proc/self/pagemap")
    if sys.platform != "linux" or not pagemap.exists():
        return
    import numpy as np

    libc = ctypes.CDLL(None)
    ranges = []
    for line in maps.read_text().splitlines():
        place, rights, *_ = line.split()
        start, end = (int(part, 16) for part in place.split("-"))
        if rights.startswith("rw") and rights.endswith("p") and end - start <= largest:
            ranges.append((start, end))
    with pagemap.open("rb") as file:
        for start, end in ranges:
            file.seek(start // _PAGE * 8)
            entries = np.frombuffer(file.read((end - start) // _PAGE * 8), dtype=np.uint64)
            present = np.flatnonzero(entries >> np.uint64(63))  # see pagemap in the kernel's docs
            for run in np.split(present, np.flatnonzero(np.diff(present) > 1) + 1):
                if len(run):
                    address = ctypes.c_void_p(start + int(run[0]) * _PAGE)
                    length = ctypes.c_size_t(len(run) * _PAGE)
                    libc.madvise(address, length, _POPULATE_WRITE)


_PAGE = mmap.PAGESIZE
_POPULATE_WRITE = 23  # MADV_POPULATE_WRITE of madvise(2), since Linux 5.14


def touch_free_memory(size: int, most: int = 2**29) -> None:
    """Take so many bytes of memory, in huge pages where Linux has any, and give them back.

    A virtual machine may give memory that is free for seconds back to its host (free page
    reporting). Whoever takes it next waits for the host: 65 ms for an array of 32 MB, not 5. So of
    several calls the first one would pay for all.

    Args:
        size: in bytes.
        most: so many bytes at most.
    """
    if sys.platform != "linux" or size <= 0:
        return
    with (
        contextlib.suppress(OSError, ValueError),
        mmap.mmap(-1, min(size, most), flags=_OWN) as taken,
    ):
        taken.madvise(mmap.MADV_HUGEPAGE)
        taken.madvise(_POPULATE_WRITE)


_OWN = getattr(mmap, "MAP_PRIVATE", 0) | getattr(mmap, "MAP_ANONYMOUS", 0)
"""Flags of memory that is this process's own; shared memory has no huge pages."""


def reserved() -> int:
    """Return the bytes of memory that count against RLIMIT_DATA."""
    return _field("VmData")


def _field(name: str) -> int:
    """Return a field of /proc/self/status in bytes."""
    for line in _STATUS.read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    raise ValueError(f"{_STATUS} has no {name}")
