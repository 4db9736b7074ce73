"""What `persistbench try safety` tries: kinds, found by discovery, and a selection."""

from pathlib import Path

import pytest

from persistbench.errors import UserError
from persistbench.trials import accident, kinds, selection
from persistbench.trials.base import ATTACK, Kind


def test_every_kind_says_what_it_is() -> None:
    """Each module of a folder is a kind; attacks come first, and names are used once."""
    result = kinds.discover()
    groups = [kind.group for kind in result.values()]
    assert groups == sorted(groups, key=lambda group: group != ATTACK)
    assert {"code", "looking", "bombs", "scanners"} == {
        name for name, kind in result.items() if kind.group == ATTACK
    }
    assert {"truncation", "bit-flip", "failed-save", "false-success", "leaks"} < result.keys()


KIND = """
from persistbench.trials.base import OneByOne, Result
class Own(OneByOne):
    name = "own"
    version = 1
    subjects = ("one",)
    def result(self, trial, backend, folder):
        return Result()
"""


def discovered(
    source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> dict[str, type[Kind]]:
    """Return the kinds that are found with one more file among the accidents."""
    name = f"zz_{tmp_path.name}"
    (tmp_path / f"{name}.py").write_text(source)
    monkeypatch.setattr(accident, "__path__", [*accident.__path__, str(tmp_path)])
    kinds.discover.cache_clear()
    try:
        return kinds.discover()
    finally:
        kinds.discover.cache_clear()


def test_kind_is_one_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file with a class that says its subjects and its result is a kind of its folder."""
    kind = discovered(KIND, tmp_path, monkeypatch)["own"]
    assert kind.group == "accident"
    (task,) = kind(selection.usual([], ["pickle-5"])).tasks()
    (record,) = task()
    assert (record["trial"], record["subject"], record["backend"]) == ("own", "one", "pickle-5")
    assert (record["outcome"], record["reason"]) == ("crash", "no answer")


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        ("", "defines 0 kinds of trial: define one class"),
        (KIND + "class Other(Own): name = 'other'", "defines 2 kinds of trial"),
        (KIND.replace("def result", "def other"), r"does not define result\(\)"),
        (KIND.replace("version", "date"), "no version"),
        (KIND.replace('"own"', '"leaks"'), "both define the kind of trial 'leaks'"),
        ("1 / 0", "cannot be imported: ZeroDivisionError"),
    ],
    ids=["none", "two", "abstract", "no-version", "taken", "broken"],
)
def test_file_that_is_no_kind_is_named(
    source: str, sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that yields no kind, or one that cannot be told from others, is one sentence."""
    with pytest.raises(UserError, match=rf"trials/accident/zz_\w+\.py.*{sentence}"):
        discovered(source, tmp_path, monkeypatch)


def test_usual_backends_and_those_for_trials_are_tried() -> None:
    """Skops with blind trust is among them; further levels and raw bytes are not."""
    ids = {backend.id for backend in selection.usual().backends}
    assert {"pickle-5", "skops", "skops-blind", "onnx"} < ids
    assert not ids & {"raw", "skops-deflate", "joblib-zlib-2"}
    (one,) = selection.usual((), ["skops-deflate"]).backends
    assert one.id == "skops-deflate"


@pytest.mark.parametrize("kind", kinds.discover())
def test_trials_have_keys_of_their_own(kind: str) -> None:
    """No two trials share a key, and each belongs to its kind and to a selected backend."""
    selected = selection.usual(["small", "forest"], ["pickle-5", "joblib", "skops-blind"], 100)
    tasks = kinds.discover()[kind](selected).tasks()
    trials = [trial for task in tasks for trial in task.trials]
    assert trials
    assert len({trial.key for trial in trials}) == len(trials)
    assert {trial.kind for trial in trials} == {kind}
    assert {trial.backend for trial in trials} <= {backend.id for backend in selected.backends}


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"backend_ids": ["skop"]}, "did you mean skops"),
        ({"backend_ids": ["raw"]}, "raw saves bytes and no estimator"),
        ({"pipelines": ["smal"]}, "did you mean small"),
        ({"faults": 0}, "above 0"),
        ({"patience": 0.0}, "above 0"),
    ],
)
def test_bad_input_is_one_sentence(arguments: dict[str, object], sentence: str) -> None:
    """What cannot be tried is named."""
    with pytest.raises(UserError, match=sentence):
        selection.usual(**arguments)  # type: ignore[arg-type]


def test_kinds_of_a_group_come_together() -> None:
    """However kinds are named, attacks come first, so that each group is one campaign."""
    chosen = kinds.chosen(["leaks", "looking", "truncation", "leaks"])
    assert [kind.name for kind in chosen] == ["looking", "leaks", "truncation"]


def test_unknown_kind_is_named() -> None:
    """The sentence lists the kinds that there are."""
    with pytest.raises(UserError, match=r"no kind of trial 'bombe'.*bombs"):
        kinds.chosen(["bombe"])
