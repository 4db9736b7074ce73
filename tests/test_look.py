"""A look: first calls of all backends of a pipeline, beside those of the reference."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest

from persistbench.measure import look
from persistbench.measure.first_call import Call, FailedError, Sample
from persistbench.measure.look import Group
from persistbench.outcomes import Outcome, Verdict

CALLS = {name: Call(name, f"/{name}") for name in "abcde"}
SECONDS = {name: float(number) for number, name in enumerate("abcde", start=1)}


class Mothers:
    """In place of started interpreters: tells what it was asked."""

    def __init__(self, failing: str = "") -> None:
        self.failing = failing
        self.asked: list[list[list[str]]] = []
        self.modules: list[Iterable[str]] = []

    def __call__(self, modules: Iterable[str]) -> Any:
        self.asked.append([])
        self.modules.append(list(modules))
        return _Mother(self)


class _Mother:
    def __init__(self, mothers: Mothers) -> None:
        self.mothers = mothers
        self.modules = ["joblib", f"of mother {len(mothers.asked)}"]

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def samples(self, calls: Sequence[Call]) -> list[Any]:
        self.mothers.asked[-1].append([call.backend for call in calls])
        return [
            FailedError(Verdict(Outcome.CRASH, "no"))
            if call.backend in self.mothers.failing
            else Sample(SECONDS[call.backend], 0.1, 9.0)
            for call in calls
        ]


def made(count: int, reference: str | None = "a", failing: str = "") -> tuple[Group, Mothers]:
    """Return calls with so many processes of each backend, and what was asked for them."""
    mothers = Mothers(failing)
    group = Group("p", CALLS, CALLS[reference] if reference else None)
    look.measure([group], count, start=mothers)
    return group, mothers


def test_reference_stands_before_and_after_every_three() -> None:
    """Each block of calls ends with the reference, which ends the block before, too."""
    _, mothers = made(1)
    assert mothers.asked == [[["a"], ["b", "c", "d", "a"], ["e", "a"]]]


def test_row_has_the_mean_of_the_references_beside_it() -> None:
    """Of each backend there is a row for each process, with its reference."""
    group, _ = made(2)
    assert [len(rows) for rows in group.rows.values()] == [6, 2, 2, 2, 2]
    assert group.rows["c"][0] == look.Row(Sample(3.0, 0.1, 9.0), pytest.approx(1.0), 0)
    assert all(row.reference is None for row in group.rows["a"])


def test_order_changes_from_round_to_round() -> None:
    """No backend stands always right after the reference."""
    _, mothers = made(8)
    first = [block[0] for blocks in mothers.asked for block in blocks if len(block) > 1]
    assert len(Counter(first)) == 4


def test_order_goes_on_from_look_to_look() -> None:
    """Looks of one round each do not all begin with the same backend."""
    first = set()
    for before in range(4):
        group, mothers = Group("p", CALLS, CALLS["a"]), Mothers()
        group.before = before
        look.measure([group], 1, start=mothers)
        first.add(mothers.asked[0][1][0])
    assert len(first) == 4


def test_mothers_change() -> None:
    """Three processes of a backend have the same mother; the next one knows what it imported."""
    group, mothers = made(7)
    assert [row.mother for row in group.rows["b"]] == [0, 0, 0, 1, 1, 1, 2]
    assert len(mothers.asked) == 3
    assert mothers.modules[1] == ["joblib", "of mother 1"]


def test_failed_backend_is_called_no_more() -> None:
    """Its error is kept, and the others go on."""
    group, mothers = made(3, failing="c")
    called = Counter(name for blocks in mothers.asked for block in blocks for name in block)
    assert called["c"] == 1
    assert called["b"] == 3
    assert str(group.failures["c"]) == "no"
    assert group.rows["c"] == []


def test_without_a_reference_there_are_no_ratios() -> None:
    """What the reference cannot save is measured all the same; and where it fails, too."""
    for reference, failing in ((None, ""), ("a", "a")):
        group, _ = made(2, reference, failing)
        assert [row.reference for row in group.rows["b"]] == [None, None]
    assert made(1, None)[1].asked == [[["a", "b", "c"], ["d", "e"]]]


def test_what_calls_and_mothers_cost_is_told_apart() -> None:
    """Timed seconds are those of all calls, the reference's among them."""
    spent = look.measure([Group("p", CALLS, CALLS["a"])], 1, start=Mothers())
    assert spent.timed == 3 * SECONDS["a"] + sum(SECONDS[name] for name in "bcde")
    assert spent.processes > 0


def test_spent_budget_leaves_groups_out() -> None:
    """What was not begun has no rows, and what was begun is whole."""
    groups = [Group(name, CALLS, CALLS["a"]) for name in ("p", "q")]
    asked = iter([False, True])
    look.measure(groups, 1, over=lambda: next(asked), start=Mothers())
    assert len(groups[0].rows["b"]) == 1
    assert groups[1].rows["b"] == []


def test_what_calls_need_is_there_around_a_round() -> None:
    """Copies of artifacts are made before the calls of a group, and put away after them."""
    seen: list[str] = []

    @contextmanager
    def around() -> Iterator[None]:
        seen.append("made")
        yield
        seen.append("put away")

    look.measure([Group("p", CALLS, None, around)], 1, say=seen.append, start=Mothers())
    assert seen == ["made", "p, a", "p, d", "put away"]
