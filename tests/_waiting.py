"""How long tests wait: for what must come, so long that no machine is too slow."""

import time
from collections.abc import Callable
from typing import Any

ENOUGH = 600.0
"""Seconds in which whatever does not hang is done, on a machine that is slow and busy, too."""

HANG = 5.0
"""Seconds after which what never ends is given up; what else runs under this limit takes
milliseconds."""


def wait_for(condition: Callable[[], Any], seconds: float = ENOUGH) -> None:
    """Return as soon as something is the case."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it has not come"
        time.sleep(0.02)
