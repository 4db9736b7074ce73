"""What the rounds of a benchmark add up to: plain data, which knows nothing of asv.

asv calls every cell of a benchmark in several rounds, and tells after each round what it brought.
A list of values has one entry for each cell, in asv's order: NaN for n/a, None for a failure.
"""

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from persistbench.records import pairs, questions
from persistbench.records.outcome import Record

Names = tuple[str, str]
"""The pipeline and the backend of a cell."""


@dataclass
class Progress:
    """How far the benchmarks of a run are.

    Attributes:
        left: how many rounds each benchmark still has, by name.
        failed: the indices of the cells that failed in any round, by name.
    """

    left: dict[str, int] = field(default_factory=dict)
    failed: dict[str, set[int]] = field(default_factory=dict)

    def finish_round(self, name: str, rounds: int, values: Sequence[float | None]) -> set[int]:
        """Count a round, and return the indices of the cells that failed in it or before.

        Args:
            name: of the benchmark.
            rounds: how many rounds it has.
            values: of this round.
        """
        self.left[name] = self.left.get(name, rounds) - 1
        failed = self.failed.setdefault(name, set())
        failed |= {index for index, value in enumerate(values) if value is None}
        return failed

    @property
    def unfinished(self) -> set[str]:
        """The names of the benchmarks that have rounds left."""
        return {name for name, left in self.left.items() if left > 0}


def sat_out(
    question: str,
    cells: Sequence[Names],
    values: Sequence[float | None],
    done: Collection[pairs.Key],
) -> set[int]:
    """Return the indices of the cells that were too slow for another round.

    Args:
        question: that the benchmark answers.
        cells: of the benchmark.
        values: of this round; what sat out is n/a for asv.
        done: the cells that are called no more in this run.
    """
    return {
        index
        for index, (names, value) in enumerate(zip(cells, values, strict=True))
        if value is not None and math.isnan(value) and (question, *names) in done
    }


def whole(
    new: Mapping[str, Any], old: Mapping[str, Any], unfinished: Iterable[str]
) -> dict[str, Any]:
    """Return the content of a result file that shows no half-finished benchmark.

    Args:
        new: the content as it is now.
        old: the content before this run; empty if there was none.
        unfinished: names of benchmarks: each keeps what it had before this run, if anything.
    """
    results = dict(new["results"])
    for name in set(unfinished) & set(old.get("results", ())):
        known = dict(zip(old["result_columns"], old["results"][name], strict=False))
        results[name] = [known.get(column) for column in new["result_columns"]]
    return {**new, "results": results}


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


@dataclass
class GatheredPairs:
    """Paired calls of a run, until all rounds of their benchmark are there.

    Attributes:
        stored: what the file holds.
        new: what this run has measured and the file does not hold yet, by benchmark.
    """

    stored: dict[pairs.Key, pairs.Pairs]
    new: dict[str, dict[pairs.Key, pairs.Pairs]] = field(default_factory=dict)

    def add(self, name: str, results: Iterable[pairs.Pairs], append: bool) -> None:
        """Add those of a round.

        Args:
            name: of the benchmark.
            results: one entry for each cell.
            append: whether asv appends the round. asv appends every round but the first; if asv
                appends the first, too, the reader has asked for it.
        """
        first = name not in self.new
        own = self.new.setdefault(name, {})
        for result in results:
            kept = self.stored.get(result.key) if first and append else None
            own[result.key] = pairs.merged(own.get(result.key) or kept, result)

    def finished(self, unfinished: Collection[str]) -> dict[pairs.Key, pairs.Pairs]:
        """Return what the file should hold now; what it holds already if nothing is finished."""
        ready = [own for name, own in self.new.items() if name not in unfinished]
        return self.stored | {key: result for own in ready for key, result in own.items()}

    def written(self, unfinished: Collection[str]) -> None:
        """Note that the file holds what is finished."""
        self.stored = self.finished(unfinished)
        self.new = {name: own for name, own in self.new.items() if name in unfinished}
