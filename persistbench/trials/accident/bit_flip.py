"""One flipped bit, anywhere in the artifact: what a bad disk, cable or memory does.

Every bit of the artifact is as likely as any other.
"""

import random

from persistbench.trials.accident._damage import Fault
from persistbench.trials.accident._faults import Faults


class BitFlip(Faults):
    """As many flipped bits as the user selects."""

    name = "bit-flip"
    version = 2

    @property
    def count(self) -> int:
        return self.selection.faults

    def plan(self, seed: str, size: int) -> list[Fault]:
        rng = random.Random(seed)
        return [Fault(rng.randrange(size), rng.randrange(8)) for _ in range(self.count)]
