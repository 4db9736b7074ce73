"""What the rounds of a run add up to: plain data, which knows nothing of asv.

A run asks its questions in rounds. In each, asv calls the cells of one benchmark after the other,
and tells what they brought. A list of values has one entry for each cell, in asv's order: NaN for
n/a, None for a failure.
"""

import math
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from persistbench.records import pairs, questions
from persistbench.records.outcome import Record

Names = tuple[str, str]
"""The pipeline and the backend of a cell."""


@dataclass(frozen=True)
class Benchmark:
    """What the rounds know of a benchmark.

    Attributes:
        name: asv's name of it.
        version: of the benchmark.
        rounds: how many rounds it takes part in.
        cells: in asv's order.
    """

    name: str
    version: str
    rounds: int
    cells: Sequence[Names]

    @property
    def question(self) -> str:
        """The question that it answers."""
        return questions.question(self.name)

    @property
    def first_calls(self) -> bool:
        """Whether its samples are first calls."""
        return self.question in questions.FIRST_CALLS

    def key(self, index: int) -> pairs.Key:
        """Return the key of a cell in the file of pairs."""
        return (self.question, *self.cells[index])


@dataclass
class Progress:
    """How far a run is, and what it still asks.

    Attributes:
        stored: the pairs on disk, by key.
        known: by benchmark the indices of the cells that have a figure since before this run.
        open_keys: returns the cells of first calls that another look could decide.
        over: returns whether the budget is spent.
        waiting: returns the keys of the cells that are measured in a later round.
        resumes: whether what has a figure is not asked again.
        called: how often each benchmark was called.
        settled: by benchmark the indices of the cells that are asked no more in this run.
        failed: by benchmark the indices of the cells that have failed in this run.
        new: what this run has measured.
    """

    stored: dict[pairs.Key, pairs.Pairs]
    known: Mapping[str, Collection[int]] = field(default_factory=dict)
    open_keys: Callable[[Mapping[pairs.Key, pairs.Pairs]], set[pairs.Key]] = set
    over: Callable[[], bool] = lambda: False
    waiting: Callable[[], Collection[tuple[str, ...]]] = tuple
    resumes: bool = True
    called: dict[str, int] = field(default_factory=dict)
    settled: dict[str, set[int]] = field(default_factory=dict)
    failed: dict[str, set[int]] = field(default_factory=dict)
    new: set[pairs.Key] = field(default_factory=set)
    _wanted: tuple[int, set[pairs.Key]] = field(default_factory=lambda: (0, set()))

    @property
    def round(self) -> int:
        """The number of the round, counted from 1; 0 before the first."""
        return max(self.called.values(), default=0)

    def ask(self, benchmark: Benchmark, chosen: Collection[int]) -> set[int]:
        """Begin a round of a benchmark; return the indices of the cells that are asked in it.

        Args:
            benchmark: whose round it is.
            chosen: the indices of the cells that the reader wants.
        """
        self.called[benchmark.name] = number = self.called.get(benchmark.name, 0) + 1
        left = set(chosen) - self.settled.get(benchmark.name, set())
        if number > 1 and self.over():
            return set()
        if benchmark.first_calls:
            return self._first_calls(benchmark, left, number)
        return {index for index in left if self._is_due(benchmark, index, number)}

    def wanted(self, number: int) -> set[pairs.Key]:
        """Return the first calls that are open when a round begins; found out once in a round.

        Args:
            number: of the round.
        """
        if self._wanted[0] != number:
            own = self.stored_first_calls()
            self._wanted = (number, self.open_keys(own) if own else set())
        return self._wanted[1]

    def stored_first_calls(self, version: str | None = None) -> dict[pairs.Key, pairs.Pairs]:
        """Return what is stored of first calls, by this version of the benchmark, or by any."""
        return {
            key: one
            for key, one in self.stored.items()
            if key[0] in questions.FIRST_CALLS and version in (None, one.version)
        }

    def _first_calls(self, benchmark: Benchmark, left: set[int], number: int) -> set[int]:
        own = self.stored_first_calls(benchmark.version)
        wanted = self.wanted(number) & own.keys()
        return {
            index
            for index in left
            if benchmark.key(index) in wanted
            or benchmark.key(index) not in own
            or (number == 1 and not self.resumes)
        }

    def _is_due(self, benchmark: Benchmark, index: int, number: int) -> bool:
        if self.resumes:
            paired = self.stored.get(benchmark.key(index))
            if paired and paired.version == benchmark.version:
                return len(paired.cpu) < benchmark.rounds
            if index in self.known.get(benchmark.name, ()):
                return False
        return number <= benchmark.rounds

    def add(
        self, benchmark: Benchmark, asked: Collection[int], values: Sequence[float | None]
    ) -> tuple[set[int], set[int]]:
        """End a round; return the indices of the cells that have failed, and that sat out.

        A cell that failed, or is n/a, is asked no more in this run. A cell that sits out keeps
        what it has.

        Args:
            benchmark: whose round it is.
            asked: as :meth:`ask` has returned it.
            values: of this round.
        """
        failed = {index for index in asked if values[index] is None}
        silent = {index for index in asked if _is_na(values[index])}
        out = {index for index in silent if benchmark.key(index) in self.stored}
        waiting = self.waiting()
        silent -= {index for index in silent if benchmark.key(index) in waiting}
        self.settled.setdefault(benchmark.name, set()).update(failed | silent)
        self.failed.setdefault(benchmark.name, set()).update(failed)
        for index in failed:
            self.stored.pop(benchmark.key(index), None)
        return failed, out

    def keep(self, benchmark: Benchmark, gathered: Iterable[pairs.Pairs], append: bool) -> None:
        """Add the pairs of a round to those that are stored.

        Args:
            benchmark: whose round it is.
            gathered: one entry for each cell.
            append: whether what was measured before this run is added to.
        """
        for one in gathered:
            earlier = one.key in self.new or append or self.resumes or benchmark.first_calls
            self.stored[one.key] = pairs.merged(self.stored.get(one.key) if earlier else None, one)
            self.new.add(one.key)


def _is_na(value: float | None) -> bool:
    return value is not None and math.isnan(value)


def unexplained(
    cells: Iterable[Names], records: Iterable[Record], question: str, run: str
) -> list[Names]:
    """Return the failed cells whose processes left no word in this run.

    Args:
        cells: that have failed.
        records: outcome records.
        question: that the cells were asked.
        run: the name of this run in records.
    """
    explained = {
        (record.pipeline, record.backend)
        for record in records
        if record.question in ("", question)
        and record.access == questions.access(question)
        and record.status == "failed"
        and record.run == run
    }
    return [names for names in cells if names not in explained]
