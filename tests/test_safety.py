"""What is asked of `persistbench try safety`, and who answers."""

import pytest

from persistbench.errors import UserError
from persistbench.trials import kinds
from persistbench.trials.campaign import Task


def test_every_kind_says_what_it_is() -> None:
    """Each module of the folder is a kind; attacks come first, and names are used once."""
    result = kinds.discover()
    groups = [kind.GROUP for kind in result.values()]
    assert groups == sorted(groups, key=lambda group: group != kinds.ATTACK)
    assert {"code", "looking", "bombs", "scanners"} == {
        name for name, kind in result.items() if kind.GROUP == kinds.ATTACK
    }
    assert {"truncation", "bit-flip", "failed-save", "false-success", "leaks"} < result.keys()


def test_usual_backends_and_those_for_trials_are_tried() -> None:
    """Skops with blind trust is among them; further levels and raw bytes are not."""
    ids = {backend.id for backend in kinds.selection().backends}
    assert {"pickle-5", "skops", "skops-blind", "onnx"} < ids
    assert not ids & {"raw", "skops-deflate", "joblib-zlib-2"}
    (one,) = kinds.selection((), ["skops-deflate"]).backends
    assert one.id == "skops-deflate"


@pytest.mark.parametrize("kind", kinds.discover())
def test_trials_have_keys_of_their_own(kind: str) -> None:
    """No two trials share a key, and each belongs to its kind and to a backend that was asked."""
    selection = kinds.selection(["small", "forest"], ["pickle-5", "joblib", "skops-blind"], 100)
    tasks: list[Task] = kinds.discover()[kind].tasks(selection)
    trials = [trial for task in tasks for trial in task.trials]
    assert trials
    assert len({trial.key for trial in trials}) == len(trials)
    assert {trial.kind for trial in trials} == {kind}
    assert {trial.backend for trial in trials} <= {backend.id for backend in selection.backends}


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        ({"backend_ids": ["skop"]}, "did you mean skops"),
        ({"backend_ids": ["raw"]}, "raw saves bytes and no estimator"),
        ({"pipelines": ["smal"]}, "did you mean small"),
        ({"faults": 0}, "above 0"),
        ({"patience": 0.0}, "above 0"),
    ],
)
def test_bad_input_is_one_sentence(asked: dict[str, object], sentence: str) -> None:
    """What cannot be tried is named."""
    with pytest.raises(UserError, match=sentence):
        kinds.selection(**asked)  # type: ignore[arg-type]


def test_unknown_kind_is_named() -> None:
    """The sentence lists the kinds that there are."""
    with pytest.raises(UserError, match=r"no kind of trial 'bombe'.*bombs"):
        kinds.chosen(["bombe"])
