"""What all kinds of trial share: a child that dies, lies or ends early costs only what it must."""

import ast
import functools
import importlib
import inspect
import itertools
import os
import pkgutil
import signal
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from sklearn.decomposition import PCA

from persistbench import backends, cache
from persistbench.cases import catalogue
from persistbench.errors import UserError
from persistbench.outcomes import Outcome, Verdict
from persistbench.records import libraries
from persistbench.trials import (
    accident,
    attack,
    base,
    custom_code,
    exactness_child,
    kinds,
    survival,
)
from persistbench.trials.accident import _members, _secrets
from persistbench.trials.accident._faults import BATCH, Faults, Result
from persistbench.trials.accident.truncation import Truncation
from persistbench.trials.attack import _bombs, _onnx_bombs, payloads, scanners
from persistbench.trials.base import NO_ANSWER, in_child
from persistbench.trials.custom_code import CustomCode
from persistbench.trials.exactness import Exactness
from persistbench.trials.selection import Selection, usual
from persistbench.trials.survival import Survival
from persistbench.trials.trial import Trial
from tests._doubles import Missing, known

SAME = Verdict(Outcome.SAME)


@dataclass(frozen=True)
class Counted(base.Result):
    """A result that tells how far the child came."""

    steps: int = 0


@in_child
def counts(steps: int, end: str) -> Iterator[Any]:
    """Count, then end in one way."""
    for step in range(1, steps + 1):
        yield Counted(SAME, step)
    if end == "lies":
        yield Result()
    if end == "dies":
        os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.parametrize(
    ("steps", "end", "outcome", "reason"),
    [
        (2, "well", Outcome.SAME, ""),
        (2, "dies", Outcome.CRASH, "ended by signal SIGKILL"),
        (2, "lies", Outcome.CRASH, "the process has sent what is no answer"),
        (0, "well", Outcome.CRASH, "no answer"),
    ],
)
def test_last_result_of_a_child_is_kept(
    steps: int, end: str, outcome: Outcome, reason: str
) -> None:
    """However a child ends, what it told before stands, with the verdict on its end."""
    result = Counted.from_child(counts, steps, end)
    assert result.verdict.outcome is outcome
    assert result.verdict.reason.startswith(reason)
    assert result.steps == steps
    assert result.facts == {"steps": steps}


def test_work_of_a_child_is_refused_elsewhere() -> None:
    """A function for a child does nothing in a process without limits."""
    with pytest.raises(UserError, match="runs in the sandbox only"):
        counts(1, "well")


def sent_to_children(module: ModuleType) -> Iterator[Callable[..., Any]]:
    """Yield the functions that a module lets children run, as its source names them."""
    tree = ast.parse(inspect.getsource(module))
    assigned = {
        ast.unparse(node.targets[0]): node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign)
    }
    for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
        sender = ast.unparse(call.func)
        if sender in ("sandbox.run", "sandbox.answers", "each") or sender.endswith(".from_child"):
            for part in ast.walk(assigned.get(ast.unparse(call.args[0]), call.args[0])):
                path = ast.unparse(part).split(".")
                found = functools.reduce(lambda o, name: getattr(o, name, None), path, module)
                if inspect.isfunction(found):
                    yield found


def test_whatever_a_hostile_kind_lets_a_child_run_is_refused_elsewhere() -> None:
    """In a process without limits nothing is crafted, opened, damaged, saved or scanned."""
    modules = [
        importlib.import_module(found.name)
        for room in (attack, accident)
        for found in pkgutil.iter_modules(room.__path__, f"{room.__name__}.")
        if not found.ispkg
    ]
    functions = {function for module in modules for function in sent_to_children(module)}
    assert len(functions) >= 20
    for function in functions:
        with pytest.raises(UserError, match="runs in the sandbox only"):
            function(*(None for _ in inspect.signature(function).parameters))


@in_child
def tries(items: Sequence[str], prepared: str) -> Iterator[Verdict]:
    """Prepare, then do to each item what its name says."""
    if prepared == "dies":
        os.kill(os.getpid(), signal.SIGKILL)
    if prepared == "silent":
        return
    yield SAME if prepared == "same" else Verdict(Outcome.UNSUPPORTED, prepared)
    for item in items if prepared == "same" else ():
        if item == "dies":
            os.kill(os.getpid(), signal.SIGKILL)
        yield Verdict(Outcome.SAME, item)
        if item == "ends":
            return


def test_item_that_kills_costs_no_other() -> None:
    """After an item that kills or ends the child, another child does the rest, in order."""
    verdicts = list(base.each(tries, ["one", "dies", "two", "ends", "dies"], "same"))
    assert [one.outcome for one in verdicts] == ["same", "crash", "same", "same", "crash"]
    assert [one.reason for one in verdicts if one.same] == ["one", "two", "ends"]


@pytest.mark.parametrize(
    ("prepared", "outcome", "reason"),
    [
        ("not so", Outcome.UNSUPPORTED, "not so"),
        ("dies", Outcome.ERROR_AT_BUILD, "the fit: ended by signal SIGKILL"),
        ("silent", NO_ANSWER.outcome, NO_ANSWER.reason),
    ],
)
def test_preparation_that_fails_is_the_verdict_on_all(
    prepared: str, outcome: Outcome, reason: str
) -> None:
    """Where the child cannot begin, each item has the reason, and no further child is started."""
    verdicts = list(base.each(tries, ["one", "two"], prepared))
    assert [one.outcome for one in verdicts] == [outcome, outcome]
    assert all(one.reason.startswith(reason) for one in verdicts)


class Shared(base.OneByOne):
    """A kind whose preparation fails for one subject."""

    name = "shared"
    version = 1
    shared = ("subject", "backend")
    subjects = ("fails", "goes on")
    result_type = Counted

    def facts(self, trial: Trial) -> dict[str, str]:
        return {"about": trial.subject}

    def prepare(self, trial: Trial, backend: object, folder: Path) -> Verdict:
        (folder / "prepared").touch()
        return NO_ANSWER if trial.subject == "fails" else SAME

    def result(self, trial: Trial, backend: object, folder: Path) -> Counted:
        return Counted(SAME, len(list(folder.iterdir())))


def test_kind_says_only_what_is_special() -> None:
    """Tasks, folders and records come from the base; what preparation refuses is not tried."""
    tasks = Shared(usual([], ["pickle-5", "joblib"])).tasks()
    records = {(one["subject"], one["backend"]): one for task in tasks for one in task()}
    assert len(tasks) == len(records) == 4
    for (subject, _), record in records.items():
        assert record["about"] == subject
        outcome = ("crash", 0) if subject == "fails" else ("same", 1)
        assert (record["outcome"], record["steps"]) == outcome


def test_missing_library_is_not_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    """A backend that is not there gets not-installed with the facts of nothing."""
    backend = Missing()
    with known(monkeypatch, backend):
        for task in Shared(Selection((), (backend,))).tasks():
            (record,) = task()
            assert (record["outcome"], record["steps"]) == ("not-installed", 0)
            assert "pip install no-such-library" in record["reason"]


def test_damage_without_a_bit_can_be_recorded() -> None:
    """A truncation that goes unnoticed has no bit, and its record is one all the same."""
    kind: Faults = Truncation(usual(["small"], ["pickle-5"]))
    trial = kind.tasks()[0].trials[0]
    silent = [[0, None, Outcome.VALUES_DIFFER, "predict"]]
    result = Result(Verdict(Outcome.VALUES_DIFFER), 9, {"values-differ": 1}, {}, silent, 1)
    record = trial.record(result.verdict, **kind.facts(trial), **result.facts)
    assert record["silent"] == silent
    assert record["wanted"] == Truncation.count > BATCH


SAVE_NO_PIPELINE = {
    "code",
    "looking",
    "bombs",
    "failed-save",
    "false-success",
    "leaks",
    "read-only-map",
    "survival",
    "custom-code",
}
"""The kinds that save something else; of scanners, what is marked is no pipeline, either."""

KINDS = [*kinds.discover().values(), Exactness, Survival, CustomCode]


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a catalogue with one pipeline, which imports pandas, and a helper."""
    (tmp_path / "mine.py").write_text("import pandas as pd\n")
    (tmp_path / "_helper.py").touch()
    mine = catalogue.Pipeline("mine", tmp_path / "mine.py", "package")
    monkeypatch.setattr(catalogue, "discover", lambda *_: {"mine": mine})
    monkeypatch.setattr(survival, "instances", lambda: {"PCA": (PCA, 0)})
    return tmp_path


def keys(kind: type[base.Kind]) -> set[str]:
    """Return the keys of all trials about the pipeline; of a kind without pipelines, all."""
    selected = Selection(("mine",), (backends.get("joblib"), backends.get("skops")))
    trials = [one for task in kind(selected).tasks() for one in task.trials]
    return {one.key for one in trials if one.condition != scanners.MARKER}


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_keys_change_with_the_pipeline_and_with_nothing_else(
    kind: type[base.Kind], own: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its file, its helpers and its libraries count; other libraries and other kinds do not."""
    seen = [keys(kind)]
    assert seen[0]
    (own / "mine.py").write_text("import pandas\n# changed")
    seen.append(keys(kind))
    (own / "_helper.py").write_text("# changed")
    seen.append(keys(kind))
    version = libraries.version
    monkeypatch.setattr(libraries, "version", lambda n: "99" if n == "pandas" else version(n))
    seen.append(keys(kind))
    for before, after in itertools.pairwise(seen):
        assert (before == after) if kind.name in SAVE_NO_PIPELINE else not before & after
    monkeypatch.setattr(cache, "environment", lambda: "another library is installed")
    assert keys(kind) == seen[-1]


@pytest.mark.parametrize(
    ("kind", "module", "attribute"),
    [
        (Exactness, exactness_child, "__file__"),
        (CustomCode, custom_code, "PROGRAM"),
        (kinds.discover()["bombs"], _bombs, "__file__"),
        (kinds.discover()["bombs"], _onnx_bombs, "__file__"),
        (kinds.discover()["leaks"], _secrets, "__file__"),
        (kinds.discover()["leaks"], _members, "__file__"),
        (kinds.discover()["false-success"], _members, "__file__"),
        (kinds.discover()["failed-save"], _members, "__file__"),
    ],
    ids=lambda one: getattr(one, "__name__", str(one)),
)
def test_keys_change_with_a_program_and_with_what_is_saved(
    kind: type[base.Kind],
    module: ModuleType,
    attribute: str,
    own: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What another process runs, and the files that say what is saved, are in the key."""
    before = keys(kind)
    path = Path(getattr(module, attribute))
    changed = own / "changed"
    changed.write_bytes(path.read_bytes() + b"# changed")
    monkeypatch.setattr(module, attribute, changed)
    assert not before & keys(kind)


@pytest.mark.parametrize("name", ["code", "looking"])
def test_keys_change_with_the_payload(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The key of a trial with a payload changes with the payload's file."""
    kind = kinds.discover()[name]
    selected = usual(["small"], ["skops"])
    before = {one.key for task in kind(selected).tasks() for one in task.trials}
    shapes = {name: replace(one, key="new") for name, one in payloads.discover().items()}
    monkeypatch.setattr(payloads, "discover", lambda: shapes)
    after = {one.key for task in kind(selected).tasks() for one in task.trials}
    assert before
    assert not before & after
