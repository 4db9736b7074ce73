"""asv runs the suite: what is dropped in is measured, what is wrong gets no number.

A run of asv takes its time, so the tests share three: one that asks everything and succeeds, one
with failures, and a quick one after that.
"""

import math
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from asv.results import iter_results

from persistbench.records import jsonl, looks, pairs
from persistbench.records.questions import STAGES
from persistbench.suite import versions
from tests._waiting import ENOUGH, wait_for
from tests.conftest import copy_checkout

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
"""A backend that a user drops in: right, wrong, refusing, and slow."""
import copy, pickle, time
from dataclasses import dataclass
from pathlib import Path
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
        if self.kind == "slow":
            time.sleep(1.1)
            with (Path(__file__).parents[2] / "slow.txt").open("a") as file:
                print(path, file=file)
        with open(path, "rb") as file:
            return pickle.load(file)

BACKENDS = tuple(map(Extra, ("right", "wrong", "refusing", "flaky", "slow")))
'''


BROKEN = "def build(): raise RuntimeError('<script>no data</script>')\n"


def prepared(folder: Path) -> Path:
    """Return a checkout with new pipelines and a new backend file, on an unknown machine."""
    checkout = copy_checkout(folder)
    (checkout / "pipelines" / "extra.py").write_text(PIPELINE)
    (checkout / "pipelines" / "broken.py").write_text(BROKEN)
    (checkout / "persistbench" / "backends" / "extra.py").write_text(BACKEND)
    for name in ("home", "tmp"):
        (folder / name).mkdir()
    return checkout


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    """Such a checkout for one test."""
    return prepared(tmp_path)


def python(suite: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a module of the tests' own Python in a checkout, with these environment variables."""
    return subprocess.run(
        [sys.executable, "-m", *arguments],
        cwd=suite,
        env=environment(suite) | variables,
        capture_output=True,
        text=True,
        check=False,
    )


def environment(suite: Path) -> dict[str, str]:
    """Return the environment variables by which the checkout, its user and TMPDIR are found."""
    home, temporary = (str(suite.parent / name) for name in ("home", "tmp"))
    return {**os.environ, "HOME": home, "TMPDIR": temporary, "PYTHONPATH": str(suite)}


def bench(suite: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `persistbench bench` with the tests' own Python as asv's environment."""
    return python(suite, "persistbench", "bench", *EXISTING, *arguments)


def measured(suite: Path, *arguments: str) -> "Ran":
    """Return what such a run has left, if it has measured."""
    done = bench(suite, *arguments)
    assert "Run and publish" in done.stdout, done.stdout + done.stderr
    return ran(suite, done)


def plain_asv_run(suite: Path) -> subprocess.CompletedProcess[str]:
    """Register the machine and run the suite with asv alone."""
    assert python(suite, "asv", "machine", "--yes").returncode == 0
    return python(suite, "asv", "run", *EXISTING, "--quick")


class Ran(NamedTuple):
    """What a run has left."""

    suite: Path
    done: subprocess.CompletedProcess[str]
    figures: dict[str, dict[tuple[str, str], Any]]
    samples: dict[str, dict[tuple[str, str], Any]]
    outcomes: dict[tuple[str, str, str, str], dict[str, Any]]
    pairs: dict[pairs.Key, pairs.Pairs]


def ran(suite: Path, done: subprocess.CompletedProcess[str]) -> Ran:
    """Read the results of a run."""
    figures, samples = {}, {}
    (result,) = iter_results(str(suite / "results"))
    for name in result.get_all_result_keys():
        grid = result.get_result_params(name)
        cells = [(p.strip("'"), b.strip("'")) for p in grid[0] for b in grid[1]]
        figures[name] = dict(zip(cells, result.get_result_value(name, grid), strict=True))
        samples[name] = dict(zip(cells, result.get_result_samples(name, grid), strict=True))
    (path,) = suite.glob("results/*/*.outcomes.jsonl")
    records, broken = jsonl.read(path)
    assert not broken
    keys = ("pipeline", "backend", "access", "question")
    newest = {tuple(record[key] for key in keys): record for record in records}
    (machine,) = (path.parent for path in suite.glob("results/*/machine.json"))
    paired_calls, broken = pairs.read(next(machine.glob("*.pairs.jsonl"), machine / "none"))
    assert not broken
    return Ran(suite, done, figures, samples, newest, paired_calls)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """A run of all questions, asked of what has right answers or refuses."""
    suite = prepared(tmp_path_factory.mktemp("whole"))
    pipelines = ("extra", "lambda_function")
    backends = ("extra-right", "extra-refusing", "pickle-5")
    chosen = [text for name in pipelines for text in ("--pipeline", name)]
    chosen += [text for name in backends for text in ("--backend", name)]
    return measured(suite, "--all", "--minutes", "0", *chosen)


FAILING = (
    r"time_load\('small', '(pickle-4|pickle-5|joblib)'",
    r"time_(dump|load)\('extra', 'extra-flaky'",
    r"time_load\('extra', 'extra-(wrong|slow)'",
    r"label_changes\('extra', 'extra-wrong'",
    r"time_load\('broken', 'pickle-5'",
)
QUICK = (r"time_load\('small', '(pickle-5|joblib)'", r"time_load\('extra', 'extra-wrong'")


@pytest.fixture(scope="module")
def with_failures(tmp_path_factory: pytest.TempPathFactory) -> tuple[Ran, Ran]:
    """A run with failures, and a narrower and quick one after it."""
    suite = prepared(tmp_path_factory.mktemp("failing"))
    first = measured(suite, *(text for one in FAILING for text in ("-b", one)))
    return first, measured(suite, *(text for one in QUICK for text in ("-b", one)), "--quick")


LOAD, DUMP = "load.Load.time_load", "dump.Dump.time_dump"
LABELS = "label_changes.LabelChanges.track_label_changes"


def test_dropped_in_files_are_measured_and_published(whole: Ran) -> None:
    """An uncommitted pipeline and backend are in the grid, the results and the page."""
    assert whole.done.returncode == 0, whole.done.stdout + whole.done.stderr
    for name in (DUMP, LOAD, "size.Size.track_size"):
        assert whole.figures[name]["extra", "extra-right"] > 0
        assert whole.figures[name]["extra", "pickle-5"] > 0
    assert whole.figures[LABELS]["extra", "extra-right"] == 0
    html = whole.suite / "html"
    assert (html / "index.html").is_file()
    assert "extra-right" in (html / "index.json").read_text()


def test_command_says_where_it_measured_and_what_it_cost(whole: Ran) -> None:
    """The machine that is named has a folder of results; the share of timed calls is told."""
    said = re.search(r"^Machine: (\S+)\.", whole.done.stdout, re.MULTILINE)
    assert said is not None
    assert (whole.suite / "results" / said[1] / "machine.json").is_file()
    assert re.search(r"The rounds took \d+ s: \d+ s \(\d+%\) inside first calls", whole.done.stdout)


def test_all_questions_are_asked(whole: Ran) -> None:
    """With --all, a new pipeline and backend get every figure, and nothing else is edited."""
    table = (whole.suite / "html" / "figures.csv").read_text().splitlines()
    own = [line for line in table if ",extra,extra-right," in line]
    status = {line.split(",")[2]: line.split(",")[10] for line in own}
    expected = {
        "load_cold",
        "peak_load",
        "peak_dump",
        "load_cpu",
        "load/pickle-5",
        "dump_repeated/raw",
    }
    expected |= {f"fresh_{stage}" for stage in (*STAGES, "total", "modules")}
    assert {question for question, result in status.items() if result == "ok"} > expected


def test_refusals_are_results(whole: Ran) -> None:
    """What cannot be saved or mapped is n/a with a reason, and the run succeeds."""
    assert math.isnan(whole.figures[LOAD]["extra", "extra-refusing"])
    assert math.isnan(whole.figures[LOAD]["lambda_function", "pickle-5"])
    assert math.isnan(whole.figures["mmap.Map.time_map"]["extra", "extra-right"])
    refused = whole.outcomes["extra", "extra-right", "map", ""]
    assert (refused["status"], refused["outcome"]) == ("n/a", "unsupported")
    assert whole.outcomes["extra", "extra-refusing", "load", ""]["reason"] == "not on a Sunday"
    assert whole.outcomes["lambda_function", "pickle-5", "load", ""]["outcome"] == "error-at-dump"
    table = (whole.suite / "html" / "figures.csv").read_text()
    assert ",map,extra,extra-right,,seconds,,,0,n/a,unsupported: " in table


def test_records_name_what_measured(whole: Ran) -> None:
    """Every record of a benchmark's process has the versions of asv and asv_runner."""
    for record in whole.outcomes.values():
        assert versions.KNOWN.items() <= record["libraries"].items()


def test_nothing_of_the_run_is_left(whole: Ran) -> None:
    """The folder that the processes shared is gone, and no file was half written."""
    left = {path.name for path in (whole.suite.parent / "tmp").iterdir()}
    assert len(left) == 1, left  # the folder of fitted pipelines and artifacts, which is kept
    assert not list(whole.suite.glob("results/**/.saving-*"))


def test_failures_fail_the_run_and_spare_the_rest(with_failures: tuple[Ran, Ran]) -> None:
    """Asv exits with 2, the page is published, and cells beside the failed ones have figures."""
    for run in with_failures:
        assert run.done.returncode == 2, run.done.stdout + run.done.stderr
        assert "Some cells failed" in run.done.stdout
        assert run.figures[LOAD]["small", "pickle-5"] > 0
    assert (with_failures[0].suite / "html" / "index.html").is_file()


def test_wrong_answer_gets_no_number(with_failures: tuple[Ran, Ran]) -> None:
    """The cell has no time in any run, and the changed labels are counted."""
    assert with_failures[0].figures[LABELS]["extra", "extra-wrong"] > 0
    for run in with_failures:
        assert run.figures[LOAD]["extra", "extra-wrong"] is None
        record = run.outcomes["extra", "extra-wrong", "load", ""]
        assert (record["status"], record["outcome"]) == ("failed", "labels-differ")
        assert ("extra", "extra-wrong", "load", "load") not in run.outcomes  # it did not crash


def test_failure_of_the_timed_call_has_a_reason(with_failures: tuple[Ran, Ran]) -> None:
    """A disk that fills while a dump is timed fails that figure, says why, and spares others."""
    run, _ = with_failures
    assert run.figures[DUMP]["extra", "extra-flaky"] is None
    assert run.figures[LOAD]["extra", "extra-flaky"] > 0
    record = run.outcomes["extra", "extra-flaky", "load", "dump"]
    assert (record["status"], record["outcome"]) == ("failed", "error-at-dump")
    assert "No space left" in record["reason"]


def test_raising_build_fails_its_cells_and_nothing_else(with_failures: tuple[Ran, Ran]) -> None:
    """A pipeline whose build() raises has an outcome; the other cells have figures."""
    run, _ = with_failures
    assert run.figures[LOAD]["broken", "pickle-5"] is None
    record = run.outcomes["broken", "pickle-5", "load", ""]
    assert record["outcome"] == "error-at-build"
    assert "no data" in record["reason"]


def test_paired_calls_are_kept(with_failures: tuple[Ran, Ran]) -> None:
    """Each first call has a ratio to its reference; a quick run adds processes."""
    first, quick = (run.pairs for run in with_failures)
    names = {key[1:] for key in first if key[0] == "load"}
    small = {("small", name) for name in ("pickle-4", "pickle-5", "joblib")}
    assert names == {*small, ("extra", "extra-flaky"), ("extra", "extra-slow")}
    own = first["load", "small", "joblib"]
    assert set(own.ratios) == {"pickle-5"}
    assert own.bytes > 0
    assert len(own.cpu) == len(own.mothers) == len(own.ratios["pickle-5"])
    assert first["load", "small", "pickle-5"].ratios == {}
    later = quick["load", "small", "joblib"].cpu
    assert later[: len(own.cpu)] == own.cpu
    assert len(later) > len(own.cpu)


def test_first_look_is_enough_for_what_differs_clearly(with_failures: tuple[Ran, Ran]) -> None:
    """A load that sleeps for a second is measured in two processes, and no more."""
    run, _ = with_failures
    assert len(run.samples[LOAD]["extra", "extra-slow"]) == looks.PLAN[0]


def test_narrow_and_quick_runs_keep_what_was_measured(with_failures: tuple[Ran, Ran]) -> None:
    """A later narrow run leaves other cells alone, and a quick one adds a call to its own."""
    first, quick = with_failures
    for kept in ("figures", "samples"):
        before, after = getattr(first, kept), getattr(quick, kept)
        assert after[LOAD]["small", "pickle-4"] == before[LOAD]["small", "pickle-4"]
        assert after[LOAD]["extra", "extra-flaky"] == before[LOAD]["extra", "extra-flaky"]
    key = ("load", "small", "pickle-4")
    assert quick.pairs[key] == first.pairs[key]
    before = first.samples[LOAD]["small", "pickle-5"]
    after = quick.samples[LOAD]["small", "pickle-5"]
    assert after[: len(before)] == before


def test_plain_asv_says_which_file_is_broken(suite: Path) -> None:
    """`asv run` without our command also names a backend file that yields nothing."""
    (suite / "persistbench" / "backends" / "empty.py").touch()
    done = plain_asv_run(suite)
    assert done.returncode != 0
    said = done.stdout + done.stderr
    assert "persistbench: persistbench/backends/empty.py yields no backend" in said
    assert "Traceback" not in said


def test_other_loop_measures_nothing(suite: Path) -> None:
    """An environment with another asv_runner gets a sentence, no figure, and status 2."""
    file = suite / "persistbench" / "suite" / "versions.py"
    known = f'"asv_runner": "{versions.KNOWN["asv_runner"]}"'
    assert known in file.read_text()
    file.write_text(file.read_text().replace(known, '"asv_runner": "0.2.5"'))
    done = bench(suite)
    assert done.returncode == 2
    said = done.stdout + done.stderr
    assert "persistbench: The suite relies on asv_runner 0.2.5, and " in said
    assert "asv ended with status 1 before it was done; the lines above say why." in said
    assert "Traceback" not in said
    assert not list(suite.glob("results/*/*-existing*.json"))


def test_first_run_without_a_network_ends_in_a_sentence(suite: Path) -> None:
    """It says that libraries are fetched, and how to do without an environment of asv's own."""
    nowhere = {"PIP_INDEX_URL": "http://127.0.0.1:9/simple", "PIP_RETRIES": "0"}
    nowhere |= {
        "PIP_NO_CACHE_DIR": "1",
        "UV_OFFLINE": "1",
        "UV_CACHE_DIR": str(suite.parent / "uv"),
    }
    done = python(suite, "persistbench", "bench", **nowhere)
    assert done.returncode == 2
    said = " ".join((done.stdout + done.stderr).split())
    assert "are fetched from the network" in said
    assert f"add `-E existing:{sys.executable} --set-commit-hash HEAD`" in said
    assert "Traceback" not in said


def test_other_asv_does_not_start(suite: Path) -> None:
    """Both the command and plain asv say so in a sentence."""
    file = suite / "persistbench" / "suite" / "versions.py"
    known = f'"asv": "{versions.KNOWN["asv"]}"'
    assert known in file.read_text()
    file.write_text(file.read_text().replace(known, '"asv": "0.5.0"'))
    for done, status in ((bench(suite), 2), (python(suite, "asv", "publish"), 1)):
        assert done.returncode == status
        said = done.stdout + done.stderr
        assert "The suite relies on asv 0.5.0, and " in " ".join(said.split())
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
    """Ctrl-C in the middle of `asv run` leaves what every finished round has brought on disk."""
    assert python(suite, "asv", "machine", "--yes").returncode == 0
    running = subprocess.Popen(
        [sys.executable, "-m", "asv", "run", *EXISTING, "-b", r"dump.*\('small', 'pickle-"],
        cwd=suite,
        env=environment(suite),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        stored = lambda: list(suite.glob("results/*/*-existing*.json"))  # noqa: E731
        wait_for(lambda: stored() or running.poll() is not None)
        assert running.poll() is None
        os.killpg(running.pid, signal.SIGINT)
        done = subprocess.CompletedProcess([], running.wait(timeout=ENOUGH), "", "")
        assert done.returncode != 0
    finally:
        if running.poll() is None:
            os.killpg(running.pid, signal.SIGKILL)
            running.wait()
    assert ran(suite, done).figures[DUMP]["small", "pickle-5"] > 0
    assert not list(suite.glob("results/.saving-*"))
