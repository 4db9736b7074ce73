"""Questions whose times were taken in other processes or passes, several at once."""

from benchmarks._grid import Grid


class Elsewhere(Grid):
    """Base of such questions: asv reads a clock that only a sample moves.

    A subclass fills ``samples``, in seconds, and sets ``repeat`` to their number; asv calls
    nothing else, because there is no warm-up.
    """

    rounds = 1
    number = 1
    warmup_time = 0
    clock = 0.0
    samples = ()

    def timer(self):
        """Return the clock."""
        return self.clock

    def take(self, cell):
        super().take(cell)
        self.left = list(self.samples)

    def spend(self):
        """Move the clock by the next sample."""
        self.clock += self.left.pop(0)
