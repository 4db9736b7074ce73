"""A first call that was made before asv_runner began counts as asv_runner's own would."""

import pytest
from asv_runner.benchmarks.time import TimeBenchmark

from persistbench.suite.loop import A_MOMENT, Loop

LOOP = Loop(0.02, (1, 30, 0.15))


@pytest.mark.parametrize(
    ("seconds", "warmup_time", "left"),
    [
        (0.005, 0.015, 0.15),  # quick: the warm-up goes on
        (0.02, A_MOMENT, 0.15),
        (0.1, A_MOMENT, 0.07),
        (5.0, A_MOMENT, 0.0),  # slow: nothing is left
    ],
)
def test_what_the_first_call_took_is_over(seconds: float, warmup_time: float, left: float) -> None:
    """Warm-up and samples end when they would have ended with the first call inside."""
    loop = LOOP.after(seconds)
    assert loop.warmup_time == pytest.approx(warmup_time)
    assert loop.repeat == (1, 30, pytest.approx(left))


class Question:
    """A benchmark that has made its first call in setup, and answers with a clock of its own."""

    number = 1
    rounds = 2
    clock = 0.0
    calls = 0

    def __init__(self, seconds: float, least: int = 1) -> None:
        """Take how long the first call took, and how many calls are wanted at least."""
        self.seconds, self.min_run_count = seconds, least
        self.warmup_time, self.repeat = LOOP

    def setup(self) -> None:
        if not self.calls:
            self.warmup_time, self.repeat = LOOP.after(self.seconds)

    def timer(self) -> float:
        return self.clock

    def time_it(self) -> None:
        self.calls += 1
        self.clock += self.seconds


@pytest.mark.parametrize(("seconds", "least", "expected"), [(5.0, 1, 1), (5.0, 4, 4)])
def test_slow_call_is_made_as_often_as_is_wanted(seconds: float, least: int, expected: int) -> None:
    """One that takes longer than the loop is its own warm-up and its only sample."""
    question = Question(seconds, least)
    benchmark = TimeBenchmark("time_it", question.time_it, [question])
    benchmark.do_setup()
    samples = benchmark.do_run()["samples"]
    assert question.calls == expected
    assert samples == [pytest.approx(seconds)] * max(1, expected - 1)
