"""Calls in turn are gathered from processes, kept beside asv's results, and never half written."""

import itertools
from collections import Counter
from pathlib import Path

import pytest

from persistbench.measure import paired
from persistbench.measure.paired import Recorder
from persistbench.records import pairs, run
from persistbench.records.pairs import Pairs
from tests.conftest import file_size_limit

KEY = ("load", "small", "joblib")


@pytest.fixture
def rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a run."""
    folder = run.begin(tmp_path / "outcomes.jsonl", "0.6.6")
    monkeypatch.setenv(run.VARIABLE, str(folder))
    return folder


def test_rows_of_processes_become_ratios(rows: Path) -> None:
    """Each process is kept apart; its first row is a warm-up; files are gone afterwards."""
    for factor in (2.0, 3.0):
        recorder = Recorder(KEY, ["pickle-5", "raw"])
        recorder.add(4.0, 1.0, [1.0, 1.0])
        recorder.add(factor, 0.5, [1.0, 0.5])
        recorder.add(factor, 0.6, [2.0, 0.5])
    (result,) = pairs.gather(rows, "7")
    assert result.key == KEY
    assert result.version == "7"
    assert sorted(result.ratios["pickle-5"]) == [[2.0, 1.0], [3.0, 1.5]]
    assert sorted(result.ratios["raw"]) == [[4.0, 4.0], [6.0, 6.0]]
    assert result.cpu == [[0.5, 0.6], [0.5, 0.6]]
    assert not list(rows.glob("*.jsonl"))


def test_single_row_is_not_thrown_away(rows: Path) -> None:
    """A call that is too slow for a second one is all there is."""
    Recorder(KEY, ["raw"]).add(3.0, 3.0, [1.0])
    (result,) = pairs.gather(rows, "1")
    assert result.ratios == {"raw": [[3.0]]}


def test_process_without_a_row_leaves_nothing(rows: Path) -> None:
    """It was refused, failed or died before its first call."""
    Recorder(KEY, ["raw"])
    assert pairs.gather(rows, "1") == []


def test_nothing_is_written_without_a_folder(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A run that saves nothing records nothing."""
    monkeypatch.delenv(run.VARIABLE, raising=False)
    monkeypatch.chdir(tmp_path)
    Recorder(KEY, ["raw"]).add(1.0, 1.0, [1.0])
    assert not list(tmp_path.iterdir())


def test_written_pairs_are_read_again(tmp_path: Path) -> None:
    """And a line that was cut off is named, the rest kept."""
    path = tmp_path / "a.pairs.jsonl"
    result = Pairs(KEY, "1", {"raw": [[1.0], [2.0]]}, [[0.1], [0.2]])
    pairs.write(path, [result])
    assert pairs.read(path) == ({KEY: result}, [])
    path.write_text(path.read_text() + '{"key": ["load", "sm')
    read, (sentence,) = pairs.read(path)
    assert read == {KEY: result}
    assert "line 2" in sentence


def test_missing_file_holds_no_pairs(tmp_path: Path) -> None:
    """Results of before had none."""
    assert pairs.read(tmp_path / "none") == ({}, [])


def test_full_disk_keeps_the_pairs_of_before(tmp_path: Path) -> None:
    """A file is replaced whole or not at all."""
    path = tmp_path / "a.pairs.jsonl"
    pairs.write(path, [Pairs(KEY, "1", {"raw": [[1.0]]}, [[0.1]])])
    before = path.read_bytes()
    many = [Pairs(KEY, "1", {"raw": [[1.0] * 1000]}, [[0.1] * 1000])]
    with pytest.raises(OSError, match="large"), file_size_limit(500):
        pairs.write(path, many)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_processes_of_one_version_are_added_up() -> None:
    """Those of an older version are dropped."""
    old = Pairs(KEY, "1", {"raw": [[1.0]]}, [[0.1]])
    new = Pairs(KEY, "1", {"raw": [[2.0]]}, [[0.2]])
    assert pairs.merged(old, new) == Pairs(KEY, "1", {"raw": [[1.0], [2.0]]}, [[0.1], [0.2]])
    newer = Pairs(KEY, "2", {"raw": [[3.0]]}, [[0.3]])
    assert pairs.merged(old, newer) == newer


def test_slow_cell_sits_out(rows: Path) -> None:
    """The slower a call, the sooner later rounds of the same run leave it out."""
    for processes, seconds in ((3, 0.1), (2, 0.5), (1, 3.0)):
        key = ("load", str(seconds), "backend")
        for _ in range(processes):
            assert not paired.sits_out(key)
            Recorder(key, []).add(seconds, seconds, [])
        assert paired.sits_out(key)
        assert key in paired.done(rows)
    assert not paired.sits_out(KEY)


@pytest.mark.parametrize(("seconds", "calls"), [(0.05, 10), (0.1, 3), (0.5, 0), (9.0, 0)])
def test_slower_calls_are_made_less_often(seconds: float, calls: int) -> None:
    """A call under 60 ms is made ten times at least after the first, one of over 0.3 s never."""
    assert paired.pace(seconds).calls == calls


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_every_call_is_as_often_at_every_place(count: int) -> None:
    """What the place in a row costs is paid by all that are called in turn."""
    rows = [paired.order(row, count) for row in range(2 * count)]
    assert all(sorted(row) == list(range(count)) for row in rows)
    assert all(sorted(places) == sorted([*range(count)] * 2) for places in zip(*rows, strict=True))


def test_of_three_each_follows_each_other_as_often() -> None:
    """And none follows itself: a call is quicker after one of its own kind."""
    calls = [call for row in range(7) for call in paired.order(row, 3)][:19]
    followed = Counter(itertools.pairwise(calls))
    assert followed == {(one, other): 3 for one in range(3) for other in range(3) if one != other}
