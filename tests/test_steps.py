"""Where the bytes of a pipeline go."""

from pathlib import Path

import numpy as np
import pytest
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from persistbench import Case, backends
from persistbench.errors import UserError
from persistbench.measure import steps
from persistbench.records.steps import advice

PICKLE = backends.get("pickle-5")


@pytest.fixture
def artifact(case: Case, tmp_path: Path) -> Path:
    """A pipeline of two steps, saved by pickle-5."""
    PICKLE.dump(case.estimator, str(tmp_path / "artifact"))
    return tmp_path / "artifact"


def test_each_step_is_saved_alone() -> None:
    """The neighbours hold the bytes; the advice names them and their array."""
    X = np.random.default_rng(0).standard_normal((2_000, 10))
    model = make_pipeline(StandardScaler(), KNeighborsClassifier(algorithm="brute"))
    scaler, neighbours = steps.costs(model.fit(X, X[:, 0] > 0), PICKLE)
    assert (scaler.step, scaler.kind) == ("standardscaler", "StandardScaler")
    assert neighbours.largest == "_fit_X"
    assert neighbours.bytes is not None
    assert neighbours.bytes > X.nbytes
    assert neighbours.bytes - X.nbytes < 25_000
    sentence = advice([scaler, neighbours])
    assert sentence.startswith("kneighborsclassifier (KNeighborsClassifier) holds 100% of")
    assert "most of it in _fit_X" in sentence


def test_step_that_cannot_be_saved_has_no_size(case: Case) -> None:
    """The other steps have a size all the same."""
    case.estimator[0].function_ = lambda: None
    first, second = steps.costs(case.estimator, PICKLE)
    assert first.bytes is None
    assert second.bytes


def test_pickle_is_opened_only_if_it_is_trusted(artifact: Path) -> None:
    """A file that may run code needs a word of the reader."""
    with pytest.raises(UserError, match="--trusted"):
        steps.of_artifact(artifact, PICKLE, (), trusted=False)
    size, result = steps.of_artifact(artifact, PICKLE, (), trusted=True)
    assert size == artifact.stat().st_size
    assert [step.step for step in result] == ["standardscaler", "logisticregression"]


def test_file_that_cannot_be_loaded_is_one_sentence(tmp_path: Path) -> None:
    """The exception is in it."""
    (tmp_path / "nonsense").write_bytes(b"nonsense")
    with pytest.raises(UserError, match="cannot be loaded with pickle-5: UnpicklingError"):
        steps.of_artifact(tmp_path / "nonsense", PICKLE, (), trusted=True)
