"""Questions whose times were taken in other processes or passes, several at once."""

from benchmarks._grid import Grid


class Elsewhere(Grid):
    """Base of such questions: asv reads a clock that only a sample moves.

    A subclass fills ``samples``, in seconds, and sets ``repeat`` to their number; asv calls
    nothing else, because there is no warm-up.
    """

    rounds = 1
    warmup_time = 0
    samples = ()
    left = None

    def spend(self):
        """Move the clock by the next sample."""
        self.left = list(self.samples) if self.left is None else self.left
        self.clock += self.left.pop(0)
