"""How often asv_runner calls, when the first call was made before asv_runner looks at the clock."""

from typing import NamedTuple

A_MOMENT = 1e-9
"""Seconds of warm-up in which asv_runner makes one call: with 0 it would make none."""


class Loop(NamedTuple):
    """The attributes of a benchmark that decide when asv_runner stops.

    Attributes:
        warmup_time: seconds.
        repeat: least and most samples, and seconds; these begin after the warm-up.
    """

    warmup_time: float
    repeat: tuple[int, int, float]

    def after(self, seconds: float) -> "Loop":
        """Return the loop that ends when this one would have ended, begun so many seconds later.

        The first call is asv_runner's first warm-up call, and costs nothing any more. So a call
        that takes longer than the whole loop is made once, and is the only sample.
        """
        late = seconds - self.warmup_time
        least, most, left = self.repeat
        return Loop(max(A_MOMENT, -late), (least, most, max(0.0, left - max(0.0, late))))
