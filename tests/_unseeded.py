"""A pipeline that no two builds give alike, and of which no copy can be kept."""

import importlib
import pickle
from pathlib import Path
from typing import Any

import pytest

from persistbench.cases import catalogue
from persistbench.cases.catalogue import Pipeline
from tests._doubles import Double

SOURCE = """
import os
import numpy as np
from sklearn.linear_model import LogisticRegression
from persistbench import Case

class Unkept(LogisticRegression):
    loads = 0
    {unkept}

def build():
    X = np.random.default_rng(0).standard_normal((300, 4))
    y = (X[:, 0] > 0).astype(int)
    estimator = Unkept().fit(X, y)
    estimator.coef_ = np.frombuffer(os.urandom(4), np.int8).reshape(1, 4) + 0.5
    return Case(estimator, X, y)
"""

NOTES_LOADS = (
    "def __setstate__(self, state): self.__dict__.update(state); self.loads = self.loads + 1"
)
"""What pickle keeps has another state: no kept copy of it is used."""

REFUSES = "def __reduce_ex__(self, protocol): raise TypeError('no')"
"""Neither pickle nor cloudpickle keeps it."""


class Saver(Double):
    """Saves the attributes of what refuses a pickle."""

    def dump(self, payload: Any, path: str) -> None:
        kind = type(payload)
        Path(path).write_bytes(pickle.dumps((kind.__module__, kind.__name__, vars(payload))))

    def load(self, path: str, mmap_mode: str | None = None) -> Any:
        module, name, held = pickle.loads(Path(path).read_bytes())
        kind = getattr(importlib.import_module(module), name)
        loaded = kind.__new__(kind)
        loaded.__dict__.update(held)
        return loaded


def unseeded(folder: Path, monkeypatch: pytest.MonkeyPatch, unkept: str) -> Pipeline:
    """Return a pipeline of a package of its own, which is the whole catalogue during a test.

    Args:
        folder: empty.
        monkeypatch: of the test.
        unkept: :data:`NOTES_LOADS` or :data:`REFUSES`.
    """
    name = f"unseeded_{folder.name}".replace("-", "_")  # its own: fits are kept by their names
    package = folder / f"package_of_{name}"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / f"{name}.py").write_text(SOURCE.format(unkept=unkept))
    monkeypatch.syspath_prepend(str(folder))
    pipeline = Pipeline(name, package / f"{name}.py", package.name)
    monkeypatch.setattr(catalogue, "discover", lambda *_: {name: pipeline})
    return pipeline
