"""What the suite relies on in asv 0.6.6 and asv_runner 0.3.2, and where it reaches into them.

A new release of either is met here: name it in `persistbench.suite.versions`, asv.conf.json and
pyproject.toml, run this file, and mend what fails. Elsewhere the project uses no private name of
the two.
"""

import inspect
import json
import math
import sys
import tomllib
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import asv.commands.publish
import asv.commands.run
import asv.environment
import asv.machine
import asv.publishing
import asv.runner
import asv.util
import pytest
from asv.config import Config
from asv.environment import Environment
from asv.machine import Machine
from asv.plugin_manager import PluginManager
from asv.results import Results, get_filename, iter_results_paths
from asv.runner import BenchmarkResult
from asv_runner.benchmarks.mark import SkipNotImplemented
from asv_runner.benchmarks.time import TimeBenchmark

from persistbench.errors import UserError
from persistbench.suite import endings, run_plugin, versions
from persistbench.suite import environment as own_environment
from persistbench.suite.publish_plugin import ComparisonPage

ROOT = Path(__file__).parents[1]
GRID = [["'small'", "'text'"], ["'joblib'"]]

PRIVATE = {"_requirements", "_base_requirements", "_path", "_python", "_uv_path"}
"""Attributes of asv's environments that `persistbench.suite.environment` reads."""


# The releases


@pytest.mark.parametrize("library", versions.KNOWN)
def test_tests_run_with_the_known_release(library: str) -> None:
    """The facts below are those of the releases that the suite names."""
    assert version(library) == versions.KNOWN[library]


def test_every_pin_is_the_known_release() -> None:
    """pyproject.toml and asv.conf.json pin what the suite knows, by both names of asv_runner."""
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    pins = extras["optional-dependencies"]["bench"]
    assert {f"{name}=={known}" for name, known in versions.KNOWN.items()} <= set(pins)
    required = Config.load(str(ROOT / "asv.conf.json")).matrix["req"]
    runner = [versions.KNOWN["asv_runner"]]
    assert (required["asv_runner"], required["pip+asv_runner"]) == (runner, runner)


def test_pin_holds_in_environments_and_stands_in_results(monkeypatch: pytest.MonkeyPatch) -> None:
    """What asv upgrades last is named "pip+asv_runner": that pin says to which release."""
    monkeypatch.chdir(ROOT)
    (own,) = asv.environment.get_environments(Config.load("asv.conf.json"), [], verbose=False)
    known = versions.KNOWN["asv_runner"]
    assert own._base_requirements["pip+asv_runner"] == known
    assert own.requirements["asv_runner"] == known  # which asv writes into result files
    assert f"asv_runner{known}" in own.name  # another version is another environment


def test_environments_have_the_attributes_that_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """An environment is made by its `_setup`, from what its class has found out."""
    monkeypatch.chdir(ROOT)
    (own,) = asv.environment.get_environments(Config.load("asv.conf.json"), [], verbose=False)
    assert isinstance(own, own_environment.PinnedUv)
    assert vars(own).keys() >= PRIVATE
    assert own._path == str(ROOT / "env" / Path(own._path).name)
    assert "_setup" in Environment.create.__code__.co_names


def test_other_release_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """One sentence names the library, both versions and what to do; asv shows it as its own."""
    monkeypatch.setattr(versions, "KNOWN", {"asv": "9.9", "asv_runner": "9.9"})
    with pytest.raises(UserError, match=r"relies on asv_runner 9\.9.*install \"asv_runner==9\.9"):
        versions.require("asv_runner")
    with pytest.raises(asv.util.UserError, match=r"relies on asv 9\.9"):
        run_plugin.setup()


def test_missing_library_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is named as any other release would be."""
    monkeypatch.setattr(versions, "KNOWN", {"no-such-library": "1.0"})
    with pytest.raises(UserError, match="has no-such-library not installed"):
        versions.require("no-such-library")


# asv_runner: the loop that makes the timed calls


class Question:
    """A benchmark that writes down what asv_runner calls."""

    number = 1
    rounds = 2
    repeat: Any = (1, 5, 60.0)
    warmup_time = 0.0
    min_run_count = 1

    def __init__(self) -> None:
        self.calls: list[str] = []

    def setup(self) -> None:
        self.calls.append("setup")

    def teardown(self) -> None:
        self.calls.append("teardown")

    def time_it(self) -> None:
        self.calls.append("call")


def samples(question: Question) -> list[float]:
    """Let asv_runner measure as it does in a process, and return the samples."""
    benchmark = TimeBenchmark("time_it", question.time_it, [question])
    assert not benchmark.do_setup()
    try:
        result = benchmark.do_run()
    finally:
        benchmark.do_teardown()
    assert result["number"] == 1
    return list(result["samples"])


@pytest.mark.parametrize("warmup_time", [0.0, 0.01])
def test_setup_runs_before_every_call(warmup_time: float) -> None:
    """Warm-up calls and timed calls alike come after a setup and before a teardown of their own."""
    question = Question()
    question.warmup_time = warmup_time
    samples(question)
    calls = question.calls.count("call")
    assert calls >= 5 + (warmup_time > 0)
    assert question.calls == ["setup", "call", "teardown"] * calls


def test_number_is_one_call_a_sample() -> None:
    """With number = 1 nothing is batched: there are as many samples as calls."""
    question = Question()
    assert len(samples(question)) == question.calls.count("call") == 5


@pytest.mark.parametrize(
    ("repeat", "expected"), [((1, 7, 60.0), 7), ((1, 7, 0.0), 1), ((3, 7, 0.0), 3), (4, 4)]
)
def test_repeat_is_least_most_and_seconds(repeat: Any, expected: int) -> None:
    """A process samples until the most, or until the seconds are over and the least is reached."""
    question = Question()
    question.repeat = repeat
    assert len(samples(question)) == expected


def test_setup_decides_once_how_many_calls_there_are() -> None:
    """asv_runner reads repeat and min_run_count after the first setup, and not again."""

    class Deciding(Question):
        repeat = (1, 30, 0.0)

        def setup(self) -> None:
            super().setup()
            self.min_run_count = 6 if self.calls.count("setup") == 1 else 20
            self.repeat = (1, 30, 0.0) if self.calls.count("setup") == 1 else (25, 30, 0.0)

    assert len(samples(Deciding())) == 6


def test_samples_are_differences_of_the_clock_of_the_question() -> None:
    """asv_runner asks the timer of a benchmark before and after each call, and nothing else."""

    class Clock(Question):
        clock = 0.0

        def timer(self) -> float:
            return self.clock

        def time_it(self) -> None:
            super().time_it()
            self.clock += self.calls.count("call")

    assert samples(Clock()) == [1.0, 2.0, 3.0, 4.0, 5.0]


def test_refusal_in_the_first_setup_skips_the_question() -> None:
    """NotImplementedError, and no other exception, makes a cell n/a."""

    class Refusing(Question):
        error: type[Exception] = NotImplementedError

        def setup(self) -> None:
            raise self.error

    assert TimeBenchmark("time_it", Refusing().time_it, [Refusing()]).do_setup()
    assert issubclass(SkipNotImplemented, NotImplementedError)
    Refusing.error = ValueError
    with pytest.raises(ValueError):  # noqa: PT011 (the benchmark's own)
        TimeBenchmark("time_it", Refusing().time_it, [Refusing()]).do_setup()


# asv: how it runs the rounds


class Benchmarks(dict[str, Any]):
    """What asv has discovered."""

    benchmark_dir = ""
    benchmark_selection: dict[str, set[int]] = {}


class Spawner:
    """Stands for the processes of the environment."""

    def __init__(self) -> None:
        self.environments: list[str | None] = []

    def preimport(self) -> tuple[bool, str]:
        return True, ""

    def run(self, *, result_file_name: str, **_: Any) -> tuple[str, int]:
        Path(result_file_name).write_text(json.dumps({"samples": [1.0], "number": 1}))
        return "", 0

    def close(self) -> None:
        pass


def test_results_are_told_of_every_round(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rounds of all benchmarks are interleaved; each but the first of a benchmark is appended."""
    told: list[tuple[str, dict[str, Any]]] = []

    class Telling(Results):
        def add_result(self, benchmark: Any, result: Any, **kwargs: Any) -> None:
            told.append((benchmark["name"], kwargs))
            super().add_result(benchmark, result, **kwargs)

    def described(name: str, rounds: int) -> dict[str, Any]:
        facts = {"name": name, "rounds": rounds, "params": GRID, "param_names": ["p", "b"]}
        return {**facts, "timeout": 1, "version": "1", "type": "time", "unit": "seconds"}

    monkeypatch.setattr(asv.runner, "get_spawner", lambda *_, **__: Spawner())
    found = Benchmarks(a=described("a", 2), b=described("b", 1))
    environment = SimpleNamespace(name="env", _default_benchmark_timeout=1)
    results = Telling({"machine": "desk"}, {}, "c" * 40, 0, "3.11", "env", {})
    asv.runner.run_benchmarks(found, environment, results=results)
    assert [name for name, _ in told] == ["a", "a", "b"]
    assert [kwargs["append_samples"] for _, kwargs in told] == [False, True, False]
    assert [kwargs["selected_idx"] for _, kwargs in told] == [None] * 3
    assert results.get_result_samples("a", GRID) is not None


def test_what_was_not_selected_is_nan_for_a_round(monkeypatch: pytest.MonkeyPatch) -> None:
    """A round has a value for every cell, in the order of the parameters' product."""
    benchmark = {"name": "a", "params": GRID, "timeout": 1}
    result = asv.runner.run_benchmark(benchmark, Spawner(), False, selected_idx={1})
    assert math.isnan(result.result[0])
    assert result.result[1:] == [True]
    assert (result.samples, result.number) == ([None, [1.0]], [None, 1])


def test_process_has_the_name_of_its_benchmark_and_the_index_of_its_cell() -> None:
    """Of its status asv keeps only the last of a benchmark that is not 0."""
    names: list[str] = []

    class Ending(Spawner):
        def run(self, *, name: str, **_: Any) -> tuple[str, int]:
            names.append(name)
            return "", -9 if name.endswith("0") else -11

    benchmark = {"name": "a", "params": GRID, "timeout": 1}
    result = asv.runner.run_benchmark(benchmark, Ending(), False)
    assert names == ["a-0", "a-1"]
    assert (result.result, result.errcode) == ([None, None], -11)


def test_timeout_has_a_status_of_its_own() -> None:
    """It is none of a signal."""
    assert asv.util.TIMEOUT_RETCODE < -64


# asv: Results, which run_plugin replaces


def results() -> Results:
    """Return results with a failure and a figure."""
    own = Results({"machine": "desk"}, {}, "c" * 40, 0, "3.11", "env", {})
    benchmark = {"name": "a", "version": "1", "params": GRID}
    round_ = BenchmarkResult([None, True], [None, [2.0]], [None, 1], 1, "", None)
    own.add_result(benchmark, round_, record_samples=True)
    return own


def test_results_know_their_file_by_public_names(tmp_path: Path) -> None:
    """A result file lies where asv's own function says; a file that is loaded knows its names."""
    results().save(str(tmp_path))
    path = tmp_path / get_filename("desk", "c" * 40, "env")
    assert path.is_file()
    loaded = Results.load(str(path), machine_name="desk")
    assert (loaded.commit_hash, loaded.env_name) == ("c" * 40, "env")
    assert loaded.params["machine"] == "desk"
    assert loaded.get_result_value("a", GRID) == [None, 2.0]


def test_result_file_has_a_row_of_columns_for_each_benchmark(tmp_path: Path) -> None:
    """A save between two rounds puts whole rows in place of others."""
    results().save(str(tmp_path))
    content = json.loads((tmp_path / get_filename("desk", "c" * 40, "env")).read_text())
    (row,) = content["results"].values()
    assert len(row) <= len(content["result_columns"])
    assert dict(zip(content["result_columns"], row, strict=False))["result"] == [None, 2.0]


def test_results_are_loaded_before_processes_start() -> None:
    """run_plugin sets the variable of a run in load_data: processes must inherit it after that."""
    source = inspect.getsource(asv.commands.run.Run.run.__func__)
    assert source.count("result.load_data(conf.results_dir)") == 1
    assert source.index("result.load_data(") < source.index("run_benchmarks(")
    assert "env_vars = dict(os.environ)" in inspect.getsource(asv.runner.ForkServer)


def test_own_attributes_are_none_of_asvs() -> None:
    """What SafeResults keeps of its own has no name that Results uses."""
    theirs = set(vars(results())) | set(dir(Results))
    ours = {"_folder", "_now", "_pairs_path", "begin", "ask", "measuring", "progress"}
    ours |= {name for name in vars(run_plugin.SafeResults) if name.startswith("_")}
    own = {name for name in ours if not name.startswith("__")} | {"asked", "loaded"}
    assert not own & theirs
    assert {"load_data", "add_result", "save"} <= theirs


def test_rounds_of_a_benchmark_are_read_when_they_are_run() -> None:
    """So they can be changed before: the benchmark with most rounds would begin alone."""
    source = inspect.getsource(asv.runner.run_benchmarks)
    assert "int(benchmark.get('rounds', 1))" in source
    assert "for run_round in run_rounds[::-1]:" in source
    assert "bench=args.bench" in inspect.getsource(asv.commands.run.Run.run_from_conf_args)


@pytest.fixture
def unpatched(monkeypatch: pytest.MonkeyPatch) -> None:
    """What run_plugin.setup replaces is as it was afterwards."""
    monkeypatch.setattr(asv.commands.run, "Results", asv.commands.run.Results)
    monkeypatch.setattr(asv.commands.run, "run_benchmarks", asv.commands.run.run_benchmarks)
    usual = asv.commands.run.Run.run_from_conf_args
    monkeypatch.setattr(asv.commands.run.Run, "run_from_conf_args", usual)
    for name in ("format_benchmark_result", "get_spawner", "run_benchmark"):
        monkeypatch.setattr(asv.runner, name, getattr(asv.runner, name))
    monkeypatch.setattr(Machine, "save", Machine.save)
    monkeypatch.setattr(Environment, "create", Environment.create)


@pytest.mark.usefixtures("unpatched")
def test_replaced_names_are_those_that_asv_looks_up() -> None:
    """`asv run` and `asv publish` find these by their module's name, when they are called."""
    looked_up = {
        asv.commands.run.Run.run: {"Results", "Machine", "run_benchmarks"},
        asv.commands.publish.Publish.run: {"iter_results", "iter_machine_files"},
    }
    looked_up = {method.__func__: names for method, names in looked_up.items()}
    looked_up[asv.runner.log_benchmark_result] = {"format_benchmark_result"}
    looked_up[asv.runner.run_benchmarks] = {"get_spawner", "run_benchmark"}
    for function, names in looked_up.items():
        assert names <= set(function.__code__.co_names)
        assert names <= set(function.__globals__)
    own = {
        kind.tool_name for kind in asv.util.iter_subclasses(Environment) if "create" in vars(kind)
    }
    assert own == {"existing"}  # which makes nothing
    run_plugin.setup()
    assert asv.commands.run.Run.run.__func__.__globals__["Results"] is run_plugin.SafeResults
    assert asv.runner.get_spawner is endings.get_spawner


def test_publish_builds_into_the_folder_of_the_configuration() -> None:
    """publish_plugin hands it another one: asv asks conf.html_dir, and removes what is there."""
    source = inspect.getsource(asv.commands.publish.Publish.run.__func__)
    removed = source.index("rmtree(conf.html_dir)")
    published = source.index("cls.publish(conf, repo, benchmarks, graphs, revisions)")
    assert removed < published
    expected = ["conf", "repo", "benchmarks", "graphs", "revisions"]
    assert list(inspect.signature(ComparisonPage.publish).parameters) == expected
    assert issubclass(ComparisonPage, asv.publishing.OutputPublisher)


# asv: files, machines, plugins


def test_machine_is_written_into_its_folder(tmp_path: Path) -> None:
    """`asv run` writes machine.json first; a folder with one holds result files."""
    machine = Machine.load(machine_name="desk", _path=str(_machines(tmp_path)))
    machine.save(str(tmp_path))
    assert json.loads((tmp_path / "desk" / "machine.json").read_text())["machine"] == "desk"
    results().save(str(tmp_path))
    (path,) = iter_results_paths(str(tmp_path))
    name = Path(get_filename("desk", "c" * 40, "env")).name
    assert path == (str(tmp_path / "desk"), name, "desk")


def _machines(folder: Path) -> Path:
    """Return a file of registered machines, which knows `desk`."""
    path = folder / "machines"
    fields = {**asv.machine.Machine.get_defaults(), "machine": "desk"}
    path.write_text(json.dumps({"desk": fields, "version": 1}))
    return path


def test_plugin_with_a_dot_is_imported_by_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is imported from the working directory, and its setup is called."""
    (tmp_path / "a_plugin.py").write_text("called = []\ndef setup(): called.append(1)\n")
    monkeypatch.chdir(tmp_path)
    manager = PluginManager()
    manager.import_plugin(".a_plugin")
    assert sys.modules.pop("a_plugin").called == [1]


def test_plugins_of_the_suite_are_named_with_a_dot() -> None:
    """Without it asv would look among its own plugins, and say nothing when it finds none."""
    for name in Config.load(str(ROOT / "asv.conf.json")).plugins:
        assert name.startswith(".persistbench.suite.")


# asv_runner: the server that forks


def test_fork_server_imports_the_suite_before_it_forks() -> None:
    """The suite imports once what every process needs; a process is forked from that."""
    import asv_runner.server

    source = inspect.getsource(asv_runner.server._run_server)
    assert source.index("disc_benchmarks(benchmark_dir") < source.index("os.fork()")
    assert source.index("os.chdir(cwd)") < source.index("_run(run_args)")
