"""A straight line is recognised, and so is one that breaks."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from persistbench.statistics import lines

SIZES = [2.0**power for power in range(9)]
NOISE = [1.03, 0.97, 1.02, 0.99, 1.01, 0.98, 1.03, 0.97, 1.0]


@given(st.floats(1e-6, 1.0), st.floats(1e-6, 1.0))
def test_exact_line_is_found(fixed: float, slope: float) -> None:
    """Points on a line give its fixed cost and its slope, and leave nothing over."""
    result = lines.fit(SIZES, [fixed + slope * size for size in SIZES])
    assert result.fixed == pytest.approx(fixed, rel=1e-3, abs=1e-9)
    assert result.slope == pytest.approx(slope, rel=1e-3)
    assert result.residual < 1e-6


def test_nothing_costs_less_than_nothing() -> None:
    """A line that would start below 0 starts at 0."""
    result = lines.fit(SIZES, [max(1e-3, size - 0.9) for size in SIZES])
    assert result.fixed == 0
    assert result.slope > 0


def test_noise_breaks_no_line() -> None:
    """Deviations of 3 % are a residual of 2 %, and no break."""
    times = [0.5 + size * noise for size, noise in zip(SIZES, NOISE, strict=True)]
    assert 0.01 < lines.fit(SIZES, times).residual < 0.03
    assert lines.broken(SIZES, times) is None


def test_planted_break_is_found() -> None:
    """A slope that doubles after the sixth size is found there, with both slopes."""
    straight = [0.5 + size for size in SIZES]
    times = [
        time * noise if size <= 32 else (time + (size - 32) * 2 + 20) * noise
        for size, time, noise in zip(SIZES, straight, NOISE, strict=True)
    ]
    result = lines.broken(SIZES, times)
    assert result is not None
    assert result.after == 32
    assert result.lines[0].slope == pytest.approx(1, rel=0.1)
    assert result.lines[1].slope == pytest.approx(3, rel=0.1)


def test_few_points_do_not_break() -> None:
    """Five sizes cannot be two lines of three."""
    assert lines.broken(SIZES[:5], [1, 2, 30, 40, 50]) is None
