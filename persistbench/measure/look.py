"""Looks at backends: first calls of all of them, side by side.

The machine drifts: the same call takes 20 % more a minute later. So calls of the reference stand
before and after every three calls, and what all of them pay cancels in the ratio. The order changes
from round to round: each backend comes in turn right after and right before the reference.

What the processes of one mother share, such as the layout of their memory, no number of them shows.
So mothers change after a few rounds.
"""

import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import NamedTuple

from persistbench.measure.first_call import FIRST, Call, FailedError, Mother, Sample
from persistbench.measure.paired import order

BESIDE = 3
"""So many calls stand between two calls of the reference."""


ROUNDS_OF_A_MOTHER = 3
"""So many processes of a backend have the same mother: to start one takes as long as 30 calls."""


class Row(NamedTuple):
    """One process of a backend.

    Attributes:
        sample: of its call.
        reference: wall time of the reference in seconds, the geometric mean of the calls before
            and after; None without a reference.
        mother: which one it is from, counted from 0 in a look.
    """

    sample: Sample
    reference: float | None
    mother: int


class Group:
    """Calls that are compared with each other: those of all backends on one pipeline.

    Attributes:
        name: of the pipeline.
        rows: by backend, one for each process.
        failures: by backend, what ended its calls. It is called no more.
        before: how many rounds there were in earlier looks; the order goes on from there.
    """

    def __init__(
        self,
        name: str,
        calls: Mapping[str, Call],
        reference: Call | None,
        around: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> None:
        """Take what is called.

        Args:
            name: of the pipeline.
            calls: by backend. If the reference is among them, its rows have no ratio, and its calls
                are those that stand beside the others.
            reference: what each call is paired with; None where the reference cannot save this.
            around: makes what the calls of a round need, and puts it away.
        """
        self.name, self._calls, self._reference = name, calls, reference
        self._around = around
        self.before = 0
        self.rows: dict[str, list[Row]] = {backend: [] for backend in calls}
        self.failures: dict[str, FailedError] = {}

    def round(
        self, mother: Mother, number: int, say: Callable[[str], None] = lambda _: None
    ) -> float:
        """Call each backend in a new process; return the seconds inside all timed calls.

        Args:
            mother: of the processes.
            number: of the round, counted from 0; it decides the order.
            say: is called with the pipeline and the backend that is called next.
        """
        with self._around():
            return self._round(mother, number, say)

    def _round(self, mother: Mother, number: int, say: Callable[[str], None]) -> float:
        ready = [
            backend
            for backend, call in self._calls.items()
            if backend not in self.failures and call != self._reference
        ]
        places = order(self.before + number, len(ready)) if ready else []
        turn = [ready[index] for index in places]
        *_, beside = self._samples(mother, [])
        before = self._reference_wall(beside, number)
        timed = before or 0.0
        for index in range(0, len(turn), BESIDE):
            block = turn[index : index + BESIDE]
            say(f"{self.name}, {block[0]}")
            *samples, beside = self._samples(mother, [self._calls[backend] for backend in block])
            after = self._reference_wall(beside, number)
            typical = math.sqrt(before * after) if before and after else None
            for backend, sample in zip(block, samples, strict=True):
                if isinstance(sample, Sample):
                    self.rows[backend].append(Row(sample, typical, number // ROUNDS_OF_A_MOTHER))
                elif sample is not None:
                    self.failures[backend] = sample
            timed += sum(one.wall for one in (*samples, beside) if isinstance(one, Sample))
            before = after
        return timed

    def _samples(self, mother: Mother, calls: list[Call]) -> list[Sample | FailedError | None]:
        """Make these calls, and last that of the reference; None in its place without one."""
        if self._reference is None:
            return [*(mother.samples(calls) if calls else []), None]
        return [*mother.samples([*calls, self._reference])]

    def _reference_wall(self, sample: Sample | FailedError | None, number: int) -> float | None:
        """Return the wall time of a call of the reference in seconds; keep its row if wanted."""
        if not isinstance(sample, Sample) or self._reference is None:
            return None
        if self._calls.get(self._reference.backend) == self._reference:
            self.rows[self._reference.backend].append(
                Row(sample, None, number // ROUNDS_OF_A_MOTHER)
            )
        return sample.wall


class Spent(NamedTuple):
    """What a look has cost, in seconds.

    Attributes:
        timed: inside timed calls, those of the reference included.
        processes: from the start of each mother to its end.
        modules: what the mothers have imported, for those of the next look.
    """

    timed: float
    processes: float
    modules: list[str]


def measure(
    groups: Sequence[Group],
    count: int,
    modules: Iterable[str] = FIRST,
    over: Callable[[], bool] = lambda: False,
    say: Callable[[str], None] = lambda _: None,
    start: Callable[[Iterable[str]], Mother] = Mother,
) -> Spent:
    """Call each backend of each group in so many new processes.

    Args:
        groups: which are filled.
        count: of processes of each backend.
        modules: what mothers have to import, as far as it is known.
        over: whether to stop; is asked before each group.
        say: is called with the pipeline and the backend that is called next.
        start: starts a mother that has imported these modules.
    """
    timed, begun = 0.0, time.perf_counter()
    known = list(modules)
    for first in range(0, count, ROUNDS_OF_A_MOTHER):
        with start(known) as mother:
            for number in range(first, min(first + ROUNDS_OF_A_MOTHER, count)):
                for group in groups:
                    if not over():
                        timed += group.round(mother, number, say)
            known = mother.modules
    return Spent(timed, time.perf_counter() - begun, known)
