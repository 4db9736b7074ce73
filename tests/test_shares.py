"""The interval of a share is Wilson's."""

import math

import pytest

from persistbench.statistics import shares


@pytest.mark.parametrize(("found", "tried"), [(0, 10), (3, 500), (250, 500), (500, 500)])
def test_interval_of_a_share_is_wilsons(found: int, tried: int) -> None:
    """Its ends are the shares that lie 2.576 of their own standard deviations away."""
    share = found / tried
    for end in shares.wilson(found, tried):
        away = 2.5758 * math.sqrt(end * (1 - end) / tried)
        assert end in (0.0, 1.0) or abs(end - share) == pytest.approx(away, rel=1e-3)
    low, high = shares.wilson(found, tried)
    assert 0.0 <= low <= share <= high <= 1.0
    assert (low, high) != (share, share)


@pytest.mark.parametrize(
    ("found", "tried", "low", "high"),
    [
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_interval_is_the_published_one(
    found: int, tried: int, low: float, high: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Newcombe prints these 95 % intervals (1998, Statistics in Medicine 17:857, method 3)."""
    monkeypatch.setattr(shares, "LEVEL", 0.95)
    assert shares.wilson(found, tried) == pytest.approx((low, high), abs=5e-5)
