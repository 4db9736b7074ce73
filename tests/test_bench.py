"""What `persistbench bench` hands to asv."""

import re
import sys
from pathlib import Path
from typing import Any

import pytest

from persistbench import backends
from persistbench.cases import catalogue
from persistbench.errors import UserError
from persistbench.records.collect import collect
from persistbench.suite import run, selection, versions
from persistbench.suite.selection import Selection
from tests._results import describe, measured, params

ROOT = Path(__file__).parents[1]


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """Figures of every pipeline but `text` and every backend but `cloudpickle`."""
    pipelines = [name for name in catalogue.discover() if name != "text"]
    backend_ids = [name for name in backends.discover() if name != "cloudpickle"]
    grid = params(pipelines, backend_ids)
    describe(tmp_path, ["load.Load.time_load"], grid=grid)
    values = [1.0] * len(pipelines) * len(backend_ids)
    measured(tmp_path, values, name="load.Load.time_load", grid=grid)
    return tmp_path


def test_only_the_new_is_measured(results: Path) -> None:
    """A pipeline and a backend without figures are asked, each with all others, and no more."""
    usual = [name for name, one in backends.discover().items() if not one.variant]
    assert selection.unmeasured(results, "desk", {"env"}) == [
        (["text"], usual),
        ([], ["cloudpickle"]),
    ]


@pytest.mark.parametrize(("machine", "environment"), [("desk", "other"), ("other", "env")])
def test_elsewhere_everything_is_new(results: Path, machine: str, environment: str) -> None:
    """Figures of another machine or environment are no reason to leave anything out."""
    (pipelines, _), (_, backend_ids) = selection.unmeasured(results, machine, {environment})
    assert "small" in pipelines
    assert "pickle-5" in backend_ids


def test_results_of_an_earlier_environment_are_still_shown(results: Path) -> None:
    """A pin that is added names another environment: the figures of both are there, apart."""
    grid = params(["small"], ["joblib"])
    measured(results, [2.0], environment="env-asv_runner0.3.2", grid=grid)
    table = collect(results)
    assert [place.environment for place in table.platforms] == ["env", "env-asv_runner0.3.2"]
    values = {
        figure.environment: figure.value
        for figure in table.figures
        if (figure.pipeline, figure.backend) == ("small", "joblib")
    }
    assert values == {"env": 1.0, "env-asv_runner0.3.2": 2.0}


def asked(*wished: str, **wish: Any) -> Selection:
    """Return what is selected by these arguments of asv and these wishes."""
    result = selection.select(selection.Wish(wished, **wish), Path("no results"), "desk")
    assert result is not None
    return result


def test_quick_questions_are_asked_of_the_usual_backends() -> None:
    """Unless more is wanted; every cell that is asked is examined in advance."""
    (option, expression), cells = asked()
    assert option == "--bench"
    assert re.search(expression, "load.Load.time_load('small', 'pickle-5')")
    assert not re.search(expression, "fresh.Total.time_fresh_total('small', 'pickle-5')")
    assert list(cells.pipelines) == list(catalogue.discover())
    variants = {name for name, backend in backends.discover().items() if backend.variant}
    assert set(cells.backends) == backends.discover().keys() - variants
    assert not any(re.search(expression, f"load.Load.time_load('small', '{v}')") for v in variants)
    assert set(asked(levels=True).in_advance.backends) == set(backends.discover())


def test_maps_are_asked_of_what_maps() -> None:
    """Beside the usual questions; of no backend that has no map."""
    (_, expression), _ = asked()
    assert re.search(expression, "mmap.Map.time_map('small', 'joblib')")
    assert re.search(expression, "mmap.Map.time_map('small', 'pickle-5')")  # which says why not
    use = "mmap.LoadFirst.time_load_first_predict"
    assert re.search(expression, f"{use}('small', 'joblib')")
    assert not re.search(expression, f"{use}('small', 'pickle-5')")
    assert not re.search(expression, "repeated.Load.time_load_repeated('small', 'joblib')")


def test_plain_run_asks_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """`asv run` without arguments asks what `persistbench bench` asks; a variable asks for more."""
    assert selection.usual([]) == (asked().arguments[1], asked().in_advance)
    everything, cells = selection.usual(["levels", "all"])
    assert re.search(everything, "fresh.Total.time_fresh_total('small', 'joblib')")
    assert set(cells.backends) == set(backends.discover())
    with pytest.raises(UserError, match="may be all, levels, or both, not 'most'"):
        selection.usual(["most"])


def test_all_questions_are_asked_if_wanted() -> None:
    """Of the cells that are named, and of no other."""
    wish = {"every": True, "pipelines": ["small"], "backends": ["joblib"]}
    (_, expression), cells = asked(**wish)
    assert re.search(expression, "fresh.Total.time_fresh_total('small', 'joblib')")
    assert not re.search(expression, "load.Load.time_load('small', 'joblib-zlib-3')")
    assert not re.search(expression, "load.Load.time_load('text', 'joblib')")
    assert cells == (["small"], ["joblib"])


def test_own_expression_is_left_as_it_is() -> None:
    """Nothing is added to asv's --bench, and no cell is examined in advance."""
    assert asked("-b", "time_load") == ((), ((), ()))


def test_environments_are_those_of_asv(monkeypatch: pytest.MonkeyPatch) -> None:
    """Their names are those that asv's own files bear, pinned versions and all."""
    monkeypatch.chdir(ROOT)
    (own,) = selection.environments(["--quick"])
    assert re.match(rf"[\w-]+-py3\.\d+-asv_runner{versions.KNOWN['asv_runner']}-blosc2[\d.]+-", own)
    (existing,) = selection.environments(["-E", f"existing:{sys.executable}"])
    assert existing.startswith("existing-py")


def test_new_finds_out_itself() -> None:
    """--new does not go with names."""
    with pytest.raises(UserError, match="leave --pipeline and --backend"):
        run.run([], ["small"], [], every=False, levels=False, new=True, minutes=1, say=print)


def test_new_does_not_go_with_an_expression(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is said before the machine is registered or anything else is written."""
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(run.registration, "register", None)
    with pytest.raises(UserError, match="--new do not go with asv's --bench"):
        run.run(
            ["-b", "time_load"], [], [], every=False, levels=False, new=True, minutes=1, say=print
        )


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--nosuch"], r"does not understand these arguments \(unrecognized arguments: --nosuch\)"),
        (
            ["--parallel", "many"],
            r"\(argument --parallel/-j: invalid int value: 'many'\)",
        ),
        (["--bench"], "argument --bench/-b: expected one argument"),
        (["-a", "rounds=x"], "'rounds': invalid literal"),
        (["-b", "("], r"--bench '\(' is no regular expression"),
        (["--bench", "load", "--bench=*"], r"--bench '\*' is no regular expression"),
        (["-E", "existing:/no/such/python"], "There is no interpreter '/no/such/python'"),
        (["--set-commit-hash", "nosuch"], "git knows no commit 'nosuch'"),
        (["nosuch..HEAD"], "git knows no commit 'nosuch..HEAD'"),
        (["HEAD^!nosuch"], r"git knows no commit 'HEAD\^!nosuch'"),
    ],
)
def test_arguments_that_asv_does_not_know_start_nothing(
    monkeypatch: pytest.MonkeyPatch, arguments: list[str], sentence: str
) -> None:
    """They are one sentence; asv's status for them is that of a run in which cells failed."""
    monkeypatch.setattr(run, "writable", lambda _: pytest.fail("it was begun"))
    with pytest.raises(UserError, match=sentence):
        run.run(arguments, [], [], False, False, False, 1, print)


@pytest.mark.parametrize(
    "arguments",
    [
        ["ALL"],
        ["NEW"],
        ["HASHFILE:-"],
        ["HEAD^!"],
        ["-E", "existing"],
        ["-E", "existing:same", "--set-commit-hash", "HEAD"],
        ["--python=same", "--quick"],
    ],
)
def test_arguments_that_asv_knows_are_left_to_it(
    monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    """Ranges and environments that asv understands are not refused."""

    class BegunError(Exception):
        """The arguments were accepted."""

    def begin(_: Path) -> None:
        raise BegunError

    monkeypatch.setattr(run, "writable", begin)
    with pytest.raises(BegunError):
        run.run(arguments, [], [], False, False, False, 1, print)


@pytest.mark.parametrize(("writes", "commands"), [(False, ["run"]), (True, ["run", "publish"])])
def test_nothing_is_published_where_nothing_was_kept(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, writes: bool, commands: list[str]
) -> None:
    """With --dry-run, asv leaves the results as they were, and the end says so."""
    results = describe(tmp_path / "results")
    measured(results, [1.0, 2.0, 3.0, 4.0])
    (tmp_path / "asv.conf.json").touch()
    ran: list[str] = []

    def asv(_: Path, command: str, *__: str, **___: str) -> int:
        ran.append(command)
        (results / "desk" / "machine.json").touch()  # which asv writes always
        if writes:
            measured(results, [1.0, 2.0, 3.0, 4.0], commit="d" * 40)
        return 0

    monkeypatch.setattr(run, "checkout", lambda: tmp_path)
    monkeypatch.setattr(run.registration, "register", lambda: "desk")
    monkeypatch.setattr(run, "call_asv", asv)
    said: list[str] = []
    run.run([], ["small"], ["joblib"], False, False, False, 1, said.append)
    assert ran == commands
    assert any("No figure was kept" in line for line in said) is not writes
    assert any("The page: " in line for line in said) is writes
