"""Ratios carry intervals, equal and undecided are two words, and nobody is better than a front."""

import math
from dataclasses import replace

import pytest

from persistbench.report.compare import Ratio, Word, best, dominating, ranked, ratio
from tests._results import figure


def test_ranks_show_who_is_undecided() -> None:
    """A backend whose interval meets that of the first is undecided against it."""
    rows = [
        figure("slow", 3.0, 2.9, 3.1),
        figure("first", 1.0, 0.9, 1.2),
        figure("close", 1.1, 1.0, 1.3),
        figure("none", None, None, None),
        figure("raw", 0.1, 0.1, 0.1),
    ]
    result = {row.backend: rank for rank, row in ranked(rows)}
    assert result == {"raw": "floor", "first": "1", "close": "?2", "slow": "3", "none": ""}


def test_machines_are_never_ranked_together() -> None:
    """Each machine and environment has a first of its own."""
    here = figure("a", 1.0, 0.9, 1.1)
    there = replace(here, machine="other", value=2.0)
    elsewhere = replace(here, environment="other", value=3.0)
    assert [rank for rank, _ in ranked([here, there, elsewhere])] == ["1", "1", "1"]


def test_ratio_has_an_interval_of_both() -> None:
    """The ends of a ratio lie as far from it as those of its figures, on a log scale together."""
    result = ratio(figure("a", 2.0, 2.0 / 1.1, 2.0 * 1.1), figure("b", 1.0, 1 / 1.1, 1.1))
    distance = math.exp(math.sqrt(2) * math.log(1.1))
    assert result.value == 2.0
    assert result.low == pytest.approx(2 / distance)
    assert result.high == pytest.approx(2 * distance)


@pytest.mark.parametrize(
    ("value", "undecided"), [(1.0, True), (1.1, True), (1.2, False), (0.85, False)]
)
def test_ratio_whose_interval_holds_1_is_undecided(value: float, undecided: bool) -> None:
    """With intervals of 10 % each way, ratios up to 14 % from 1 are undecided."""
    a = figure("a", value, value / 1.1, value * 1.1)
    word = ratio(a, figure("b", 1.0, 1 / 1.1, 1.1)).word
    assert (word is Word.UNDECIDED) is undecided


@pytest.mark.parametrize(
    ("low", "high", "word", "text"),
    [
        (0.99, 1.01, Word.EQUAL, "equal"),
        (1.005, 1.015, Word.EQUAL, "equal"),
        (0.97, 1.01, Word.UNDECIDED, "undecided (± 3 %)"),
        (0.99, 1.05, Word.UNDECIDED, "undecided (± 5 %)"),
        (0.5, 1.25, Word.UNDECIDED, "undecided (± 100 %)"),
        (0.8, 1.25, Word.UNDECIDED, "undecided (± 25 %)"),
        (0.0, 1.25, Word.UNDECIDED, "undecided"),
        (0.8, math.inf, Word.UNDECIDED, "undecided"),
        (1.01, 1.05, Word.SLOWER, "slower"),
        (0.9, 0.97, Word.FASTER, "faster"),
    ],
)
def test_words_are_four_facts(low: float, high: float, word: Word, text: str) -> None:
    """Equal is within 2 %, undecided holds 1 and more; all else is faster or slower."""
    middle = 1.0 if word is Word.UNDECIDED else math.sqrt(low * high)
    result = Ratio(middle, low, high)
    assert (result.word, result.text) == (word, text)
    assert result.decided == (word in (Word.FASTER, Word.SLOWER))
    assert result.mark == {Word.EQUAL: "=", Word.UNDECIDED: "?"}.get(word, "")


def test_exact_figures_are_never_undecided() -> None:
    """A size has no interval: it is equal within 2 %, or it is not."""
    one, other = figure("a", 100.0, None, None), figure("b", 103.0, None, None)
    assert ratio(one, other).decided
    assert ratio(one, figure("c", 101.0, None, None)).word is Word.EQUAL
    assert ratio(one, one).word is Word.EQUAL


def test_interval_that_reaches_0_knows_nothing() -> None:
    """Three samples may say that a time lies between 0 and anything: a ratio to it is undecided."""
    assert ratio(figure("a", 3.0, 0.0, 6.0), figure("b", 1.0, 1.0, 1.0)).low == 0
    assert ratio(figure("b", 1.0, 1.0, 1.0), figure("a", 3.0, 0.0, 6.0)).high == math.inf


@pytest.mark.parametrize(
    ("a", "b", "value"), [(0.0, 0.0, 1.0), (1.0, 0.0, math.inf), (0.0, 1.0, 0.0)]
)
def test_counts_of_0_have_ratios(a: float, b: float, value: float) -> None:
    """Two counts of 0 are equal."""
    assert ratio(figure("a", a, None, None), figure("b", b, None, None)).value == value


def test_floor_and_refusals_are_no_contenders() -> None:
    """`raw` is never the best, nor is what has no figure."""
    rows = [figure("raw", 0.1, 0.1, 0.1), figure("a", None, None, None), figure("b", 2.0, 2.0, 2.0)]
    assert best(rows) is rows[2]
    assert best(rows[:2]) is None


def test_dominated_is_who_is_nowhere_better_and_somewhere_worse() -> None:
    """An equal point does not dominate; one that is better on one axis and equal there does."""
    point = (figure("p", 2.0, None, None), figure("p", 2.0, None, None))
    others = {
        "equal": (2.0, 2.0),
        "smaller": (1.0, 2.0),
        "both": (1.0, 1.0),
        "trade": (1.0, 3.0),
    }
    rivals = [tuple(figure(name, v, None, None) for v in pair) for name, pair in others.items()]
    assert [rival[0].backend for rival in dominating(point, rivals)] == ["smaller", "both"]


def test_reach_of_what_is_hardly_known_has_no_digits() -> None:
    """33 times is no more to a reader than twice: nothing is known yet."""
    assert Ratio(0.4, 0.03, 1.5).reach == "± over 100 %"
    assert Ratio(0.9, 0.6, 1.2).reach == "± 67 %"
