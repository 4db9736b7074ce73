"""Trials of exactness: an interpreter that has never seen the pipeline opens the artifact."""

import dataclasses
from typing import Any

import numpy as np
import pytest

from persistbench import Case, backends
from persistbench.backends.pickle import Pickle
from persistbench.outcomes import Outcome
from persistbench.trials import exactness_child, selection
from persistbench.trials.exactness import Exactness


def _tried(pipeline: str, *backend_ids: str) -> dict[str, Any]:
    (task,) = Exactness(selection.everything([pipeline], backend_ids)).tasks()
    return {record["backend"]: record for record in task()}


@pytest.mark.parametrize("pipeline", ["small", "mixed_columns"])
def test_pickle_is_exact_in_every_check(pipeline: str) -> None:
    """Nothing differs, and before and after are the same on the balanced and on the rare set."""
    record = _tried(pipeline, "pickle-5")["pickle-5"]
    assert record["outcome"] == Outcome.SAME
    assert record["checks"] == dict.fromkeys(
        (
            "predictions",
            "attributes",
            "parameters",
            "clone",
            "refit",
            "deterministic",
            "second dump",
        ),
        "",
    )
    assert set(record["metrics"]) == {"balanced", "rare"}
    for sides in record["metrics"].values():
        assert sides["before"] == sides["after"]
    assert sum(step["bytes"] for step in record["steps"]) > 0


def test_what_does_not_come_back_says_why() -> None:
    """A lambda: refused by pickle, saved in vain by skops, no operator of ONNX, right elsewhere."""
    result = _tried("lambda_function", "pickle-5", "skops", "cloudpickle", "onnx")
    outcomes = {name: record["outcome"] for name, record in result.items()}
    assert outcomes == {
        "pickle-5": Outcome.ERROR_AT_DUMP,
        "skops": Outcome.ERROR_AT_LOAD,
        "cloudpickle": Outcome.SAME,
        "onnx": Outcome.ERROR_AT_DUMP,
    }
    assert all(record["reason"] for name, record in result.items() if name != "cloudpickle")


def test_a_predictor_is_asked_what_it_can_answer() -> None:
    """ONNX has a largest difference within its tolerance, and no parameters."""
    record = _tried("small", "onnx")["onnx"]
    assert record["outcome"] == Outcome.SAME
    assert 0 < record["largest_difference"] < backends.get("onnx").claims.tolerance
    assert record["checks"]["parameters"].startswith("n/a")


def test_a_file_with_a_time_in_it_is_not_deterministic() -> None:
    """A second dump two seconds later is other bytes, and it is said so."""
    checks = _tried("small", "skops")["skops"]["checks"]
    assert checks["deterministic"]
    assert checks["second dump"].startswith("n/a")


def test_rare_set_has_one_positive_in_a_hundred(case: Case) -> None:
    """And the balanced one as many of each class."""
    result = exactness_child.metrics(case.estimator, case.X, case.y)
    totals = {name: np.sum(one["confusion matrix"], axis=1) for name, one in result.items()}
    assert totals["rare"].tolist() == [990, 10]
    assert totals["balanced"].tolist() == [500, 500]


def test_changed_attribute_is_a_changed_state(
    case: Case, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Predictions are equal, an attribute is not: `state-differs`, and it is named."""

    @dataclasses.dataclass(frozen=True)
    class Careless(Pickle):
        def load(self, path: str, mmap_mode: str | None = None) -> Any:
            loaded = super().load(path)
            loaded[0].n_samples_seen_ += 1
            return loaded

    monkeypatch.setattr(exactness_child, "bound", lambda *_: Careless(5))
    exactness_child.save("small", str(tmp_path), "pickle-5")
    record = exactness_child.load("small", str(tmp_path), "pickle-5")
    assert record["outcome"] == Outcome.STATE_DIFFERS
    assert "n_samples_seen_" in record["reason"]
