"""Which cells of first calls another look could decide."""

import random

import pytest

from persistbench.records import looks
from persistbench.records.pairs import Key, Pairs

VERSION = "1"


def cell(
    question: str, backend: str, ratio: float, count: int, sd: float = 0.02, size: int = 100
) -> Pairs:
    """Return the first calls of a backend that needs so many times the reference's time."""
    noise = random.Random(f"{question} {backend}")
    ratios = [[ratio * noise.lognormvariate(0.0, sd)] for _ in range(count)]
    key: Key = (question, "p", backend)
    return Pairs(key, VERSION, {"pickle-5": ratios}, [[0.1]] * count, list(range(count)), size)


def cells(*several: Pairs) -> dict[Key, Pairs]:
    """Return cells by key, among others that show the usual noise."""
    others = [cell("map", f"other-{number}", 5.0, 3) for number in range(30)]
    return {one.key: one for one in (*several, *others)}


def is_open(one: Pairs, *others: Pairs) -> bool:
    """Return whether another look is wanted of a cell."""
    return one.key in looks.open_keys(cells(one, *others))


@pytest.mark.parametrize(
    ("now", "then"), [(0, 1), (1, 2), (2, 3), (3, 5), (4, 5), (13, 20), (20, 20)]
)
def test_each_look_has_more_processes(now: int, then: int) -> None:
    """After the first page come the looks of the plan; nothing comes after the last."""
    assert looks.following(now) == then


def test_clear_difference_is_decided_at_the_first_look() -> None:
    """Three times the time needs no third process."""
    assert not is_open(cell("load", "b", 3.0, 2))


def test_small_difference_goes_on_until_the_last_look() -> None:
    """What is near 1 and no tie is asked again, as long as there are looks."""
    assert is_open(cell("load", "b", 1.02, 2))
    assert not is_open(cell("load", "b", 1.02, 20))


def test_tie_is_decided_when_its_interval_is_narrow() -> None:
    """Equal within 2 per cent is a decision, too."""
    assert not is_open(cell("load", "b", 1.0, 13, sd=0.004))


def test_one_call_decides_nothing_unless_it_is_slow() -> None:
    """A hiccup of 50 ms is much beside a short call, and little beside one of seconds."""
    one = cell("load", "b", 3.0, 1)
    assert is_open(one)
    slow = cell("load", "b", 300.0, 1)
    slow.cpu = [[5.0]]
    assert not is_open(slow)


def test_contenders_are_compared_with_the_best() -> None:
    """Two that are clearly quicker than the reference are not yet told apart."""
    assert is_open(cell("load", "b", 0.51, 2), cell("load", "c", 0.5, 2))


def test_who_is_neither_near_the_best_nor_on_the_front_is_dropped() -> None:
    """What is much larger and slower than another is asked no more, undecided or not."""
    best = [cell(goal, "best", 0.2, 5, size=10) for goal in ("dump", "load")]
    poor = [cell(goal, "poor", 1.0, 5) for goal in ("dump", "load")]
    assert is_open(poor[0])
    assert not is_open(poor[0], poor[1], *best)


def test_reference_and_cells_without_one() -> None:
    """The reference is no contest; what has no ratio goes on until the last look."""
    reference = cell("load", "pickle-5", 1.0, 2)
    assert not is_open(reference)
    alone = cell("load", "b", 1.0, 5)
    alone.ratios = {}
    assert is_open(alone)


def test_noise_says_how_many_processes_would_do() -> None:
    """More for a noisy cell than for a quiet one, and none where nothing is open."""
    quiet, noisy = cell("load", "b", 1.0, 5), cell("load", "c", 1.0, 5, sd=0.2)
    known = cells(quiet, noisy)
    assert looks.needed(known, [noisy.key]) > looks.needed(known, [quiet.key]) > 5
    assert looks.needed(known, []) == 0
