"""The peak memory of one call. Linux only: read from /proc."""

import ctypes
import gc
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


def reserved() -> int:
    """Return the bytes of memory that count against RLIMIT_DATA."""
    return _field("VmData")


def _field(name: str) -> int:
    """Return a field of /proc/self/status in bytes."""
    for line in _STATUS.read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    raise ValueError(f"{_STATUS} has no {name}")
