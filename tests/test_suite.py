"""asv runs the suite: what is dropped in is measured, what is wrong gets no number."""

import json
import math
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from persistbench.measure import paired
from persistbench.measure.fresh import STAGES
from persistbench.records import jsonl, pairs
from persistbench.suite.registration import describe

ROOT = Path(__file__).parents[1]
EXISTING = ("-E", f"existing:{sys.executable}", "--set-commit-hash", "HEAD")

PIPELINE = '''
"""A dummy: what a user drops in."""
from sklearn.dummy import DummyClassifier
from persistbench import Case

def build():
    X, y = [[0], [1]] * 50, [0, 1] * 50
    return Case(DummyClassifier(strategy="uniform", random_state=0).fit(X, y), X, y)
'''
BACKEND = '''
"""A backend that a user drops in: right, wrong and refusing."""
import copy, pickle
from dataclasses import dataclass
from persistbench.backends._base import Backend
from persistbench.errors import UnsupportedError

@dataclass(frozen=True)
class Extra(Backend):
    kind: str

    @property
    def id(self):
        return f"extra-{self.kind}"

    def dump(self, payload, path):
        if self.kind == "refusing":
            raise UnsupportedError("not on a Sunday")
        if self.kind == "flaky" and path.endswith("artifact"):  # not when it is examined
            raise OSError(28, "No space left on device")
        changed = copy.deepcopy(payload)
        if self.kind == "wrong":
            changed.classes_ = changed.classes_[::-1]
        with open(path, "wb") as file:
            pickle.dump(changed, file)

    def load(self, path, mmap_mode=None):
        if mmap_mode:
            raise UnsupportedError("no map")
        with open(path, "rb") as file:
            return pickle.load(file)

BACKENDS = (Extra("right"), Extra("wrong"), Extra("refusing"), Extra("flaky"))
'''


@pytest.fixture
def suite(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout with one new pipeline and one new backend file, on an unknown machine."""
    (checkout / "pipelines" / "extra.py").write_text(PIPELINE)
    (checkout / "persistbench" / "backends" / "extra.py").write_text(BACKEND)
    home = checkout.parent / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("PYTHONPATH", str(checkout))
    return checkout


def bench(suite: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `persistbench bench` with the tests' own Python as asv's environment."""
    return subprocess.run(
        [sys.executable, "-m", "persistbench", "bench", *EXISTING, *arguments],
        cwd=suite,
        capture_output=True,
        text=True,
        check=False,
    )


def plain_asv_run(suite: Path) -> subprocess.CompletedProcess[str]:
    """Register the machine and run the suite with asv alone."""
    subprocess.run([sys.executable, "-m", "asv", "machine", "--yes"], cwd=suite, check=True)
    return subprocess.run(
        [sys.executable, "-m", "asv", "run", *EXISTING, "--quick"],
        cwd=suite,
        capture_output=True,
        text=True,
        check=False,
    )


def figures(suite: Path, benchmark: str) -> dict[tuple[str, str], Any]:
    """Return the stored value of every cell of a benchmark, by pipeline and backend."""
    script = (
        "import sys, json, itertools; from asv.results import iter_results\n"
        "for r in iter_results('results'):\n"
        "    p = r.get_result_params(sys.argv[1])\n"
        "    v = r.get_result_value(sys.argv[1], p)\n"
        "    print(json.dumps(list(zip(itertools.product(*p), v))))"
    )
    run = subprocess.run(
        [sys.executable, "-c", script, benchmark],
        cwd=suite,
        capture_output=True,
        text=True,
        check=True,
    )
    return {
        (pipeline.strip("'"), backend.strip("'")): value
        for (pipeline, backend), value in json.loads(run.stdout)
    }


def outcomes(suite: Path) -> dict[tuple[str, str, str, str], dict[str, Any]]:
    """Return the newest record by pipeline, backend, access and question."""
    (path,) = suite.glob("results/*/*.outcomes.jsonl")
    result, broken = jsonl.read(path)
    assert not broken
    keys = ("pipeline", "backend", "access", "question")
    return {tuple(record[key] for key in keys): record for record in result}  # type: ignore[misc]


def test_dropped_in_files_are_measured_and_published(suite: Path) -> None:
    """An uncommitted pipeline and backend are in the grid, the results and the page."""
    done = bench(suite, "--pipeline", "extra", "--backend", "extra-right", "--backend", "pickle-5")
    assert done.returncode == 0, done.stdout + done.stderr
    for name in ("dump.Dump.time_dump", "load.Load.time_load", "size.Size.track_size"):
        values = figures(suite, name)
        assert values["extra", "extra-right"] > 0
        assert values["extra", "pickle-5"] > 0
    assert (
        figures(suite, "label_changes.LabelChanges.track_label_changes")["extra", "extra-right"]
        == 0
    )
    assert math.isnan(figures(suite, "mmap.Map.time_map")["extra", "extra-right"])
    refused = outcomes(suite)["extra", "extra-right", "map", ""]
    assert (refused["status"], refused["outcome"]) == ("n/a", "unsupported")
    assert "inside" in done.stdout
    assert describe()["machine"] in done.stdout
    assert (suite / "html" / "index.html").is_file()
    assert "extra-right" in (suite / "html" / "index.json").read_text()
    table = (suite / "html" / "figures.csv").read_text()
    assert ",map,extra,extra-right,,seconds,,,0,n/a,unsupported: " in table


def test_all_questions_are_asked(suite: Path) -> None:
    """With --all, a new pipeline and backend get every figure, and nothing else is edited."""
    done = bench(suite, "--all", "--pipeline", "extra", "--backend", "extra-right")
    assert done.returncode == 0, done.stdout + done.stderr
    table = (suite / "html" / "figures.csv").read_text().splitlines()
    own = [line for line in table if ",extra,extra-right," in line]
    status = {line.split(",")[2]: line.split(",")[10] for line in own}
    expected = {"load_cold", "peak_load", "peak_dump", "load_cpu", "load/pickle-5", "dump/raw"}
    expected |= {f"fresh_{stage}" for stage in (*STAGES, "total", "modules")}
    assert {question for question, result in status.items() if result == "ok"} > expected


def test_calls_in_turn_are_kept(suite: Path) -> None:
    """Each timed call has pairs with its references; a quick run adds to them."""
    bench(suite, "-b", r"time_load\('small', '(pickle-5|joblib)'")
    (path,) = suite.glob("results/*/*.pairs.jsonl")
    before, broken = pairs.read(path)
    assert not broken
    assert set(before) == {("load", "small", "pickle-5"), ("load", "small", "joblib")}
    result = before["load", "small", "joblib"]
    assert [set(result.ratios), len(result.cpu)] == [{"pickle-5", "raw"}, paired.PROCESSES]
    assert all(len(ratios) >= 3 for ratios in result.ratios["pickle-5"])
    bench(suite, "-b", r"time_load\('small', 'joblib'", "--quick")
    after, _ = pairs.read(path)
    assert after["load", "small", "pickle-5"] == before["load", "small", "pickle-5"]
    assert after["load", "small", "joblib"].cpu[: paired.PROCESSES] == result.cpu
    assert len(after["load", "small", "joblib"].cpu) == paired.PROCESSES + 1


def test_wrong_answer_gets_no_number_and_fails_the_run(suite: Path) -> None:
    """Asv exits with 2, the cell has no time, and the changed labels are counted."""
    done = bench(suite, "--pipeline", "extra", "--backend", "extra-wrong")
    assert done.returncode == 2, done.stdout + done.stderr
    assert figures(suite, "load.Load.time_load")["extra", "extra-wrong"] is None
    assert (
        figures(suite, "label_changes.LabelChanges.track_label_changes")["extra", "extra-wrong"] > 0
    )
    for _ in range(2):
        result = outcomes(suite)
        record = result["extra", "extra-wrong", "load", ""]
        assert (record["status"], record["outcome"]) == ("failed", "labels-differ")
        assert ("extra", "extra-wrong", "load", "load") not in result  # it did not crash
        bench(suite, "-b", r"time_load\('extra', 'extra-wrong'", "--quick")


def test_refusals_are_results(suite: Path) -> None:
    """What cannot be saved is n/a with a reason, and the run succeeds."""
    done = bench(suite, "-b", r"time_(dump|load)\('(extra|lambda_function)', '(extra-ref|pickle-5)")
    assert done.returncode == 0, done.stdout + done.stderr
    values = figures(suite, "load.Load.time_load")
    assert math.isnan(values["extra", "extra-refusing"])
    assert math.isnan(values["lambda_function", "pickle-5"])
    result = outcomes(suite)
    assert result["extra", "extra-refusing", "load", ""]["reason"] == "not on a Sunday"
    assert result["lambda_function", "pickle-5", "load", ""]["outcome"] == "error-at-dump"


def test_failure_of_the_timed_call_has_a_reason(suite: Path) -> None:
    """A disk that fills while a dump is timed fails that figure, says why, and spares others."""
    done = bench(suite, "-b", r"time_(dump|load)\('extra', 'extra-flaky'", "--quick")
    assert done.returncode == 2, done.stdout + done.stderr
    assert figures(suite, "dump.Dump.time_dump")["extra", "extra-flaky"] is None
    assert figures(suite, "load.Load.time_load")["extra", "extra-flaky"] > 0
    record = outcomes(suite)["extra", "extra-flaky", "load", "dump"]
    assert (record["status"], record["outcome"]) == ("failed", "error-at-dump")
    assert "No space left" in record["reason"]


def test_raising_build_fails_its_cells_and_nothing_else(suite: Path) -> None:
    """A pipeline whose build() raises has an outcome; the other cells have figures."""
    broken = "def build(): raise RuntimeError('<script>no data</script>')\n"
    (suite / "pipelines" / "extra.py").write_text(broken)
    done = bench(suite, "-b", r"time_load\('(extra|small)', 'pickle-5'", "--quick")
    assert done.returncode == 2, done.stdout + done.stderr
    values = figures(suite, "load.Load.time_load")
    assert values["extra", "pickle-5"] is None
    assert values["small", "pickle-5"] > 0
    record = outcomes(suite)["extra", "pickle-5", "load", ""]
    assert record["outcome"] == "error-at-build"
    assert "no data" in record["reason"]


def test_narrow_and_quick_runs_keep_what_was_measured(suite: Path) -> None:
    """A later narrow run leaves other cells alone, and a quick one adds to its own."""
    bench(suite, "-b", r"time_load\('small', 'pickle-(4|5)'")
    before = figures(suite, "load.Load.time_load")
    done = bench(suite, "-b", r"time_load\('small', 'pickle-5'", "--quick")
    assert done.returncode == 0, done.stdout + done.stderr
    after = figures(suite, "load.Load.time_load")
    assert after["small", "pickle-4"] == before["small", "pickle-4"]
    # One unwarmed call beside dozens: the median hardly moves.
    assert after["small", "pickle-5"] == pytest.approx(before["small", "pickle-5"], rel=0.5)


def test_plain_asv_says_which_file_is_broken(suite: Path) -> None:
    """`asv run` without our command also names a backend file that yields nothing."""
    (suite / "persistbench" / "backends" / "empty.py").touch()
    done = plain_asv_run(suite)
    assert done.returncode != 0
    said = done.stdout + done.stderr
    assert "persistbench: persistbench/backends/empty.py yields no backend" in said
    assert "Traceback" not in said


def test_plain_asv_says_that_results_cannot_be_written(suite: Path) -> None:
    """`asv run` names a results folder that it cannot write to, without a traceback."""
    (suite / "results").write_text("mine")
    done = plain_asv_run(suite)
    assert done.returncode == 1
    assert "cannot be written to" in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr


@pytest.mark.skipif(os.name == "nt", reason="SIGINT to a process group is POSIX")
def test_interrupted_run_keeps_finished_results(suite: Path) -> None:
    """Ctrl-C in the middle of `asv run` leaves every finished benchmark on disk."""
    subprocess.run([sys.executable, "-m", "asv", "machine", "--yes"], cwd=suite, check=True)
    running = subprocess.Popen(
        [sys.executable, "-m", "asv", "run", *EXISTING, "-b", r"\('small', 'pickle-"],
        cwd=suite,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        deadline = time.monotonic() + 120
        while not list(suite.glob("results/*/*-existing*.json")):
            assert time.monotonic() < deadline
            assert running.poll() is None
            time.sleep(0.05)
        os.killpg(running.pid, signal.SIGINT)
        assert running.wait(timeout=60) != 0
    finally:
        if running.poll() is None:
            os.killpg(running.pid, signal.SIGKILL)
            running.wait()
    assert figures(suite, "dump.Dump.time_dump")["small", "pickle-5"] > 0
    assert not list(suite.glob("results/.saving-*"))
