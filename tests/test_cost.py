"""What a run cost is told apart, and what it left open is said."""

from persistbench.suite import cost


def test_calls_processes_and_all_else_add_up() -> None:
    """A reader sees what is measured, and what measuring costs."""
    text = " ".join(cost.lines(timed=25.0, processes=60.0, wall=100.0))
    assert "took 100 s: 25 s (25%) inside first calls" in text
    assert "35 s (35%) for starting their processes" in text
    assert "40 s for all else" in text


def test_budget_below_the_first_round_is_said() -> None:
    """The first round is finished whatever it takes; how long it took is told."""
    assert "took 4.5 min" in cost.late(first=270.0, minutes=1.0)[0]
    assert cost.late(first=270.0, minutes=12.0) == []


def test_what_is_undecided_is_said_with_what_would_decide_it() -> None:
    """The number of processes is that of this machine's noise."""
    text = " ".join(cost.undecided(left=12, measured=400, needed=55))
    assert "12 of 400 ratios" in text
    assert "55 processes" in text
    assert cost.undecided(0, 400, 0) == ["All 400 ratios of first calls are decided."]
    assert cost.undecided(0, 0, 0) == []
