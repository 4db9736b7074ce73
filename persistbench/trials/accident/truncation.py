"""An artifact that ends too early: what a full disk, a broken copy or an early reader leaves."""

import random

from persistbench.trials.accident._damage import Fault
from persistbench.trials.accident._faults import Faults


class Truncation(Faults):
    """Lengths of the artifact: none at all, all but one byte, and others at random."""

    name = "truncation"
    version = 2
    count = 200

    def plan(self, seed: str, size: int) -> list[Fault]:
        rng = random.Random(seed)
        some = (Fault(rng.randrange(size)) for _ in range(self.count - 2))
        return [Fault(0), Fault(size - 1), *some]
