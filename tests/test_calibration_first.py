"""A calibration of first calls finds what is there, and nothing else."""

import random
from pathlib import Path

import pytest
from msgspec.structs import replace

from persistbench import backends
from persistbench.calibrate import first_calls
from persistbench.calibrate.first_calls import SAME
from persistbench.cases import catalogue
from persistbench.cells.cell import Cell
from persistbench.measure import look
from persistbench.measure.first_call import Call, Sample
from persistbench.measure.look import Group, Row
from persistbench.records import looks
from persistbench.records.calibration import Agreement, FirstCalls, Planted

GOOD = FirstCalls(
    50,
    20,
    1,
    30,
    (Planted(0.05, 50, 40), Planted(0.10, 50, 48)),
    (Agreement("load text joblib", 1.02, 0.9, 1.1),),
)


@pytest.mark.parametrize(
    "fault",
    [
        {"alarms": 2},
        {"equal": 24},
        {"planted": (Planted(0.05, 50, 39), Planted(0.10, 50, 50))},
        {"started": (Agreement("load text joblib", 1.3, 1.2, 1.4),)},
    ],
)
def test_bad_instrument_does_not_pass(fault: dict[str, object]) -> None:
    """False alarms, ties that are not seen, misses, and other ratios than started interpreters."""
    assert GOOD.passed
    assert not replace(GOOD, **fault).passed


def test_cell_that_does_not_agree_is_named() -> None:
    """A reader sees which, and by how much."""
    bad = replace(GOOD, started=(Agreement("load text joblib", 1.3, 1.2, 1.4),))
    assert "It does not for load text joblib: 1.30 times that (1.20 to 1.40)." in bad.sentences()


def groups(sd: float, found: float = 1.0) -> dict[first_calls.Own, Group]:
    """Return cells with this noise, in which slower calls are slower by this part of it."""
    noise = random.Random(1)
    result = {}
    for number in range(30):
        call = Call("joblib", "path")
        group = Group("p", dict.fromkeys((SAME, "0.05", "0.1"), call), call)
        for name, rows in group.rows.items():
            slower = 0.0 if name == SAME else found * float(name)
            for process in range(looks.PLAN[-1]):
                wall = (1 + slower) * noise.lognormvariate(0.0, sd)
                rows.append(Row(Sample(wall, wall, 9.0), 1.0, process))
        result[False, "p", f"backend-{number}"] = group
    return result


def test_quiet_machine_passes() -> None:
    """Everything planted is found, no backend differs from itself, and ties are seen."""
    result = first_calls.judged(groups(0.01), ())
    assert result.passed
    assert [part.found for part in result.planted] == [30, 30]
    assert (result.cells, result.processes) == (30, 20)


def test_noise_and_what_is_not_there_do_not_pass() -> None:
    """On a noisy machine ties are not seen; and what was not slowed down is not found."""
    assert first_calls.judged(groups(0.2), ()).equal == 0
    assert [part.found for part in first_calls.judged(groups(0.01, found=0.0), ()).planted] == [
        0,
        0,
    ]


@pytest.mark.parametrize("dumps", [False, True])
def test_slower_call_takes_longer(
    dumps: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is the same call with a wait inside the clock: twenty times as slow is slower."""
    monkeypatch.chdir(tmp_path)
    cell = Cell(catalogue.get("small"), backends.get("pickle-5"))
    assert cell.examine().same
    monkeypatch.setattr(first_calls, "REQUIRED", {0.05: 0.8, 20.0: 1.0})
    group = first_calls.against_itself(cell, dumps)
    look.measure([group], 1)
    (same,), (slower,) = group.rows[SAME], group.rows["20"]
    assert slower.sample.wall > 3 * same.sample.wall
    assert slower.sample.cpu > 3 * same.sample.cpu
    assert not list(tmp_path.iterdir())
