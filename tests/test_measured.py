"""Every section says when, and by which commit, what it shows was measured, and of whom."""

from dataclasses import replace
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, cast

import pytest
from rich.console import Console

from persistbench.records.collect import collect
from persistbench.records.figures import Figure, Origin, Platform, Table
from persistbench.report import measured, sections, tables
from tests._results import describe, figure
from tests._results import measured as measured_on

OWN, REFERENCE = Platform("cpu-1a2b3c", "e", ()), Platform("reference-cpu", "e", ())


def table(**more: Any) -> Table:
    """Return a table of the reader's own machine and of a reference."""
    origins = {
        ("cpu-1a2b3c", "e", "load"): Origin.of("2026-11-02", "abc"),
        ("cpu-1a2b3c", "e", "fresh_total"): Origin.of("2026-11-05", "def"),
        ("reference-cpu", "e", "load"): Origin.of("2026-10-01", "123"),
    }
    figures: list[Figure] = []
    return Table(figures, [OWN, REFERENCE], [], origins=origins, **more)


def section(**names: Any) -> ModuleType:
    """Return a section that shows these questions and trials."""
    return cast(ModuleType, SimpleNamespace(**names))


def test_section_says_what_it_shows_and_no_more() -> None:
    """A section of one question has that question's day and commit, on each platform apart."""
    assert measured.lines(section(SHOWS=("load",)), table()) == [
        (0, "Measured 2026-11-02, at commit abc."),
        (1, "Measured 2026-10-01, at commit 123."),
    ]
    assert measured.lines(section(SHOWS=("fresh_",)), table()) == [
        (0, "Measured 2026-11-05, at commit def.")
    ]


def test_section_of_all_questions_says_all() -> None:
    """The first and the last day, and every commit."""
    first, *_ = measured.lines(section(), table())
    assert first == (0, "Measured 2026-11-02 to 2026-11-05, at commit abc, def.")


@pytest.mark.parametrize(
    ("commit", "text"),
    [({}, "commit not recorded"), ({"commit": "fed"}, "at commit fed")],
)
def test_trials_have_their_days(commit: dict[str, str], text: str) -> None:
    """Records of trials say their days; where no record names a commit, that is said."""
    records = [{"date": f"2026-11-0{day}T10:00:00+00:00", **commit} for day in (3, 1)]
    trials = {"cpu-1a2b3c": {"survival": records}}
    shown = measured.lines(section(TRIALS=("survival",)), table(trials=trials))
    assert shown == [(0, f"Tried 2026-11-01 to 2026-11-03, {text}.")]


def test_reference_is_said_to_be_none_of_the_readers() -> None:
    """The page says of a reference, and of nothing else, that it is another machine's."""
    ((index, text),) = measured.notices(table())
    assert index == 1
    assert "reference-cpu" in text
    assert "make bench measures yours" in text


def test_every_section_names_what_it_shows() -> None:
    """Whoever shows trials alone says so, or it would claim days of figures that it lacks."""
    for one in sections.discover():
        shows = getattr(one, "SHOWS", measured.EVERYTHING)
        assert isinstance(shows, tuple)
        assert all(isinstance(name, str) for name in (*shows, *getattr(one, "TRIALS", ())))


def test_own_results_come_before_a_reference(tmp_path: Path) -> None:
    """The page opens with the reader's own machine, and each machine keeps its own origin."""
    folder = describe(tmp_path, machines=("reference-cpu", "some-cpu-1a2b3c"))
    values = [1.0] * 4
    measured_on(folder, values, machine="reference-cpu", commit="a" * 40)
    measured_on(folder, values, machine="some-cpu-1a2b3c", commit="b" * 40)
    result = collect(folder)
    assert [one.machine for one in result.platforms] == ["some-cpu-1a2b3c", "reference-cpu"]
    shown = measured.lines(section(SHOWS=("load",)), result)
    assert [text.partition("at ")[2] for _, text in shown] == [
        "commit bbbbbbbb.",
        "commit aaaaaaaa.",
    ]


def test_table_of_a_reference_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    """`persistbench show` says of a reference, and of nothing else, that it is not the reader's."""
    own = replace(figure("joblib", 1.0, 0.9, 1.1), machine="cpu-1a2b3c")
    for machine, said in (("cpu-1a2b3c", False), ("reference-cpu", True)):
        rows = [("1", replace(own, machine=machine))]
        tables.print_table(rows, Console(width=200))
        assert ("not of your machine" in capsys.readouterr().out) is said
