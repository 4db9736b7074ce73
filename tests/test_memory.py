"""The peak of a call is that call's, not the process's."""

import sys

import numpy as np
import pytest

from persistbench.system import memory

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="/proc")

SIZE = 40_000_000


class Holder:
    """Allocates and keeps, or drops."""

    kept = None

    def keep(self, copies: int = 1) -> None:
        """Hold one array, after so many at once."""
        arrays = [np.ones(SIZE // 8) for _ in range(copies)]
        self.kept = arrays[0]

    def free(self) -> None:
        """Drop it."""
        self.kept = None


@pytest.mark.parametrize("copies", [1, 2])
def test_peak_is_what_the_call_held_at_once(copies: int) -> None:
    """To within 2 %, whatever the process has had before."""
    holder = Holder()
    holder.keep(5)
    for _ in range(2):
        result = memory.peak(lambda: holder.keep(copies), holder.free)
        assert result == pytest.approx(copies * SIZE, rel=0.02)


def test_call_that_allocates_nothing_has_no_peak() -> None:
    """What lay in memory before does not count."""
    holder = Holder()
    holder.keep()
    assert memory.peak(lambda: None, lambda: None) < 0.02 * SIZE
