"""What scanners say is counted, and a scanner that has not read a file has not called it clean."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from persistbench import backends
from persistbench.trials import selection
from persistbench.trials.attack import payloads, scanners

Program = Callable[[str, str], Path]

pytestmark = pytest.mark.skipif(os.name != "posix", reason="the scanners here are shell scripts")


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Program:
    """Put a program on a PATH on which nothing else of ours is."""
    monkeypatch.setattr(scanners.sys, "executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setattr(scanners, "version", lambda name: "1")

    def write(name: str, script: str) -> Path:
        path = tmp_path / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        return path

    return write


def said(name: str, folder: Path) -> str:
    """Return what a scanner says of some file."""
    file = folder / "artifact.pkl"
    file.write_bytes(b"N.")
    return scanners.scanned(scanners.SCANNERS[name], file)


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("echo 'Scanned files: 1'; exit 1", "flagged"),
        ("echo 'Scanned files: 1'", "clean"),
        ("echo 'Scanned files: 0'", "error"),
        ("echo 'Scanned files: 1'; echo 'WARNING: could not parse it as pickle' >&2", "error"),
        ("echo 'Scanned files: 1'; exit 2", "error"),
        ("echo 'Traceback (most recent call last):' >&2; exit 1", "error"),
        ("kill -9 $$", "error"),
    ],
)
def test_picklescan_is_understood(
    script: str, expected: str, program: Program, tmp_path: Path
) -> None:
    """It counts files that it could not parse as scanned; that is an error, as no file is."""
    program("picklescan", script)
    assert said("picklescan", tmp_path) == expected


def modelscan_report(issues: int, read: int, errors: list[str]) -> str:
    """Return the script of a modelscan that writes this report to its sixth argument."""
    report = {
        "summary": {"total_issues": issues, "scanned": {"total_scanned": read}},
        "errors": errors,
    }
    return f"echo '{json.dumps(report)}' > $6; "


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        (modelscan_report(1, 1, []) + "exit 1", "flagged"),
        (modelscan_report(0, 1, []), "clean"),
        (modelscan_report(0, 1, ["no"]), "error"),
        (modelscan_report(0, 0, []), "error"),
        (modelscan_report(0, 0, []) + "exit 3", "error"),
        ("exit 1", "error"),
        ("exit 0", "error"),
    ],
)
def test_modelscan_is_understood(
    script: str, expected: str, program: Program, tmp_path: Path
) -> None:
    """A file that it skips, for want of a known extension, is an error."""
    program("modelscan", script)
    assert said("modelscan", tmp_path) == expected


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("""echo '{"severity": "OVERTLY_MALICIOUS"}' > $3; exit 1""", "flagged"),
        ("""echo '{"severity": "LIKELY_SAFE"}' > $3""", "clean"),
        ("echo 'ModuleNotFoundError' >&2; exit 1", "error"),
        ("exit 2", "error"),
    ],
)
def test_fickling_is_understood(
    script: str, expected: str, program: Program, tmp_path: Path
) -> None:
    """It ends with 1 when it has found something and when it breaks down: the report tells."""
    program("fickling", script)
    assert said("fickling", tmp_path) == expected


def records(backend_id: str, pipelines: tuple[str, ...] = ("small",)) -> dict[tuple[str, str], Any]:
    """Return the records of a backend by scanner and kind of files."""
    selected = selection.Selection(pipelines, (backends.for_trials()[backend_id],))
    (task,) = scanners.Scanners(selected).tasks()
    return {(record["subject"], record["place"]): record for record in task()}


def test_records_hold_counts_only(program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a shape nor a pipeline can be told from what is kept; all of them are counted."""
    shapes = {name: payloads.discover()[name] for name in ("setstate", "reduce-exec")}
    monkeypatch.setattr(payloads, "discover", lambda: shapes)
    program("picklescan", "echo 'Scanned files: 1'; grep -q exec $2 && exit 1; exit 0")
    result = records("pickle-5")
    marked, clean = result["picklescan", "marker"], result["picklescan", "clean"]
    assert marked["counts"] == {"flagged": 1, "error": 0, "clean": 1}
    assert clean["counts"] == {"flagged": 0, "error": 0, "clean": 1}
    for record in (marked, clean):
        assert record["outcome"] == "same"
        assert not any(name in json.dumps({**record, "key": ""}) for name in (*shapes, "small"))


def test_missing_scanner_says_how_to_install_it(program: Program) -> None:
    """It is not installed, with the command; others are asked all the same."""
    program("picklescan", "echo 'Scanned files: 1'")
    result = records("pickle-5")
    assert result["picklescan", "clean"]["outcome"] == "same"
    for condition in ("marker", "clean"):
        record = result["modelscan", condition]
        assert record["outcome"] == "not-installed"
        assert 'pip install "persistbench[scanners]"' in record["reason"]
        assert not any(record["counts"].values())


def test_scanner_is_asked_for_its_version_by_its_own_python(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The scanner may be of another environment than ours."""
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\necho 7.7\n")
    python.chmod(0o755)
    script = tmp_path / "picklescan"
    script.write_text(f"#!{python}\n")
    script.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    scanners.version.cache_clear()
    assert scanners.version("picklescan") == "7.7"
    scanners.version.cache_clear()


def test_graph_is_marked_only_by_what_a_graph_can_hold(tmp_path: Path) -> None:
    """ONNX keeps nothing of what is hidden in an estimator: such a file is no marker."""
    onnx = backends.for_trials()["onnx"]
    if onnx.missing:
        pytest.skip(onnx.unavailable)
    scanners.mark(onnx, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["onnx-operator.onnx"]
