"""The samples of paired calls lie beside asv's results, and are never half written."""

from pathlib import Path

import pytest

from persistbench.records import pairs
from persistbench.records.pairs import Pairs
from tests.conftest import file_size_limit

KEY = ("load", "small", "joblib")


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
