"""Trials of exactness: an interpreter that has never seen the pipeline opens the artifact."""

import dataclasses
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from persistbench import Case, backends, sandbox
from persistbench.backends.pickle import Pickle
from persistbench.cases import catalogue
from persistbench.integrity.answers import reference
from persistbench.outcomes import Blame, Outcome, Verdict
from persistbench.trials import exactness, exactness_child, selection
from persistbench.trials.exactness import Exactness


@pytest.fixture(autouse=True)
def no_pause(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nobody wait for another time on the clock but the test of files with a time in them."""
    if "time_in_it" not in request.node.name:
        monkeypatch.setattr(exactness, "CLOCK_SECONDS", 0.0)


def _tried(pipeline: str, *backend_ids: str) -> dict[str, Any]:
    (task,) = Exactness(selection.everything([pipeline], backend_ids)).tasks()
    return {record["backend"]: record for record in task()}


@pytest.mark.parametrize("pipeline", ["small", "mixed_columns"])
def test_pickle_is_exact_in_every_check(pipeline: str) -> None:
    """Nothing differs, and before and after are the same on the balanced and on the rare set."""
    record = _tried(pipeline, "pickle-5")["pickle-5"]
    assert record["outcome"] == Outcome.SAME
    checks = ("predictions", "attributes", "parameters", "clone", "refit", "deterministic")
    assert record["checks"] | {"second dump": ""} == dict.fromkeys((*checks, "second dump"), "")
    first = pickle.dumps(catalogue.get(pipeline).build().estimator, protocol=5)
    same = pickle.dumps(pickle.loads(first), protocol=5) == first
    assert (record["checks"]["second dump"] == "") is same
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


@dataclasses.dataclass(frozen=True)
class Careless(Pickle):
    """Pickle that changes an attribute when it loads."""

    def load(self, path: str, mmap_mode: str | None = None) -> Any:
        loaded = super().load(path)
        loaded[0].n_samples_seen_ += 1
        return loaded


def _request(case: Case, folder: Path) -> exactness_child.Request:
    """Return what an interpreter is to open: a dump of a case, and what the case has told."""
    path, original = folder / "artifact", folder / "original"
    assert exactness.dumped(case, Careless(5), str(path), 0.0).verdict.same
    original.write_bytes(pickle.dumps(reference(case)))
    facts = {}
    for name in exactness_child.FACTS:
        reason = exactness.told(case, name, str(folder / name)).reason
        facts[name] = exactness_child.Fact(str(folder / name), str(original), reason)
    return exactness_child.Request("pickle-5", (), str(path), str(original), facts)


def test_changed_attribute_is_a_changed_state(case: Case, tmp_path: Path) -> None:
    """Predictions are equal, an attribute is not: `state-differs`, and it is named."""
    verdict = exactness_child.examined(Careless(5), _request(case, tmp_path))["verdict"]
    assert verdict["outcome"] == Outcome.STATE_DIFFERS
    assert "n_samples_seen_" in verdict["reason"]


@pytest.mark.parametrize("name", ["metrics", "costs", "differences"])
def test_failing_check_of_ours_is_said_and_blames_nobody(
    case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Where a side check of our own raises, a text says so, and the outcome stays."""

    def fail(*arguments: Any) -> Any:
        raise TypeError("not so")

    request = _request(case, tmp_path)
    monkeypatch.setattr(exactness_child, name, fail)
    result = exactness_child.examined(Pickle(5), request)
    assert result["verdict"]["outcome"] == Outcome.SAME
    said = {text for text in result["checks"].values() if text.startswith("n/a")}
    assert said == {"n/a: our check fails, TypeError: not so"}


FITTED = """
import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from persistbench import Case

X = np.random.default_rng(0).standard_normal((300, 4))
y = (X[:, 0] > 0).astype(int)

def case(estimator):
    return Case(estimator.fit(X, y), X, y)
"""

PIPELINES = {
    "forgets": """
class Forgetful(LogisticRegression):
    def fit(self, X, y):
        self.note_ = "seen"
        return super().fit(X, y)
    def __setstate__(self, state):
        state.pop("note_")
        self.__dict__.update(state)

def build():
    return case(Forgetful())
""",
    "rounds_inside": """
class Scaler(StandardScaler):
    def __setstate__(self, state):
        super().__setstate__(state)
        self.var_ = self.var_.astype("float32")

def build():
    return case(make_pipeline(Scaler(), LogisticRegression()))
""",
    "notes_loads": """
class Counting(LogisticRegression):
    loads = 0
    def __setstate__(self, state):
        self.__dict__.update(state)
        self.loads = self.loads + 1

def build():
    return case(Counting())
""",
    "mapped_cache": """
from tempfile import mkdtemp
from joblib import Memory

def build():
    memory = Memory(mkdtemp(), mmap_mode="r", verbose=0)
    return case(make_pipeline(StandardScaler(), LogisticRegression(), memory=memory))
""",
    "passthrough": """
def build():
    return case(make_pipeline("passthrough", StandardScaler(), LogisticRegression()))
""",
    "nothing": """
def build():
    return case(make_pipeline(None, StandardScaler(), LogisticRegression()))
""",
    "bare": """
class Bare:
    classes_ = np.array([0, 1])
    def predict(self, X):
        return (np.asarray(X)[:, 0] > 0).astype(int)

def build():
    return Case(Bare(), X, y)
""",
    "slots": """
class Slotted:
    __slots__ = ("classes_",)
    def predict(self, X):
        return (np.asarray(X)[:, 0] > 0).astype(int)

def build():
    slotted = Slotted()
    slotted.classes_ = np.array([0, 1])
    return Case(slotted, X, y)
""",
    "uncloneable": """
class Changing(LogisticRegression):
    def __init__(self, note="a"):
        super().__init__()
        self.note = note + "!"
    def get_params(self, deep=True):
        return {"note": self.note}

def build():
    return case(Changing())
""",
    "unseeded": """
class Unseeded(LogisticRegression):
    def fit(self, X, y):
        import os
        super().fit(X, y)
        self.intercept_ = self.intercept_ + int.from_bytes(os.urandom(2), "big") / 1e5
        self.hook_ = lambda: 0
        return self

def build():
    return case(make_pipeline(StandardScaler(), Unseeded()))
""",
    "takes_memory": """
import sys
class Hungry(LogisticRegression):
    def __setstate__(self, state):
        self.__dict__.update(state)
        self.more_ = bytearray(10**12)

def build():
    return case(Hungry())
""",
}


@pytest.fixture
def written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A package of these pipelines, which is the catalogue, also of what is started."""
    folder = tmp_path / f"exact_{tmp_path.name}".replace("-", "_")
    folder.mkdir()
    (folder / "__init__.py").touch()
    for name, source in PIPELINES.items():
        (folder / f"{name}.py").write_text(FITTED + source)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}:{Path(__file__).parents[1]}")
    known = catalogue.discover(folder.name)
    monkeypatch.setattr(catalogue, "discover", lambda *_: known)
    return folder.name


@pytest.mark.parametrize(
    ("pipeline", "what"),
    [("forgets", "note_"), ("rounds_inside", "var_"), ("notes_loads", "loads")],
)
def test_what_a_load_loses_is_seen_for_every_backend(
    written: str, pipeline: str, what: str
) -> None:
    """An attribute that `__setstate__` drops or changes shows, whoever saves by pickle."""
    result = _tried(pipeline, "pickle-5", "joblib", "cloudpickle", "dill")
    for record in result.values():
        assert record["outcome"] == Outcome.STATE_DIFFERS, record
        assert what in record["reason"]
        assert what in record["checks"]["attributes"]


def test_what_dill_cannot_save_is_refused_by_dill(written: str) -> None:
    """A cache with a memory map: plain dill cannot save the fresh pipeline, and says so here."""
    result = _tried("mapped_cache", "dill", "pickle-5")
    assert result["dill"]["outcome"] == Outcome.ERROR_AT_DUMP, result["dill"]
    assert result["pickle-5"]["outcome"] == Outcome.SAME


@pytest.mark.parametrize("pipeline", ["passthrough", "nothing", "bare", "slots", "uncloneable"])
def test_side_checks_are_no_outcome(written: str, pipeline: str) -> None:
    """What has no parameters, attributes or clone is the same, and checks that fail are n/a."""
    record = _tried(pipeline, "pickle-5")["pickle-5"]
    assert record["outcome"] == Outcome.SAME, record
    for name in ("parameters", "clone", "refit"):
        text = record["checks"][name]
        assert not text or text.startswith("n/a: our check"), record["checks"]
    assert not record["checks"]["attributes"]
    assert set(record["metrics"]) == {"balanced", "rare"}


def test_pipeline_without_a_seed_blames_no_backend(written: str) -> None:
    """Each fit is another and pickle cannot keep it: cloudpickle is compared with its own fit."""
    result = _tried("unseeded", "cloudpickle", "pickle-5")
    assert result["pickle-5"]["outcome"] == Outcome.ERROR_AT_DUMP
    assert result["cloudpickle"]["outcome"] == Outcome.SAME, result["cloudpickle"]
    assert not any(result["cloudpickle"]["checks"][name] for name in ("attributes", "parameters"))


def test_interpreter_that_loads_has_a_memory_limit(
    written: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A load that asks for a terabyte is an error that names the limit."""
    record = _tried("takes_memory", "pickle-5")["pickle-5"]
    assert record["outcome"] == Outcome.ERROR_AT_LOAD
    assert record["reason"].startswith("MemoryError (limit: ")


def test_interpreter_that_loads_has_a_time_limit(
    written: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A load that takes longer than it may is a timeout, and its interpreter is killed."""
    monkeypatch.setattr(exactness.building, "limits", lambda *_: sandbox.Limits(0.01))
    result = exactness.Result.from_child(exactness.opened, "{}", limits=exactness.building.limits())
    assert result.verdict.outcome is Outcome.TIMEOUT


def test_record_says_what_was_not_compared_and_whose_fault_it_is() -> None:
    """What a verdict says beside its outcome stands in the record, and no empty words do."""
    (task,) = Exactness(selection.everything(["small"], ["pickle-5"])).tasks()
    (trial,) = task.trials
    verdict = Verdict(Outcome.UNSUPPORTED, "no", fault=Blame.CHECK, uncompared=("scores: why",))
    record = trial.record(verdict)
    assert (record["blame"], record["uncompared"]) == ("check", ["scores: why"])
    assert not {"blame", "uncompared"} & trial.record(Verdict(Outcome.SAME)).keys()
