"""What a process does before anything in it is timed."""

import contextlib
import ctypes
import gc

from sklearn.utils import all_estimators

from persistbench import backends, cache


def import_everything() -> None:
    """Import what all cells need, in the process that all measuring processes are forked from."""
    all_estimators()  # which imports all of scikit-learn, and no pipeline's file
    cache.environment()
    for backend in backends.discover().values():
        with contextlib.suppress(Exception):  # its cells say "not-installed"
            backend.import_modules(shared=True)
    # A full collection in a forked process copies every page of what was imported before the
    # fork: 80 ms at one call in ten, which no user pays. So the collector leaves these objects
    # alone; whatever a call or a pipeline allocates is collected as in any process. (A user's
    # collection walks through imported modules, too: about 40 ms now and then, not charged here.)
    gc.collect()
    gc.freeze()


def keep_heap() -> None:
    """Let the allocator of this process keep what is freed: timed calls find touched memory.

    glibc gives freed memory back or not, depending on what was freed before. Of two paired
    calls one may find its pages there and the other ask the kernel for 10,000 new ones: the
    same load of 20 MB took 10 ms or 25, by what else the process had done.
    """
    with contextlib.suppress(OSError, AttributeError):  # another C library
        mallopt = ctypes.CDLL("libc.so.6").mallopt
        mallopt(_M_TRIM_THRESHOLD, -1)
        mallopt(_M_MMAP_MAX, 0)


_M_TRIM_THRESHOLD, _M_MMAP_MAX = -1, -4  # malloc.h
