"""A recognisable secret, where users leave one in an estimator, and the bytes that it becomes."""

import os
import random
import string
from collections.abc import Callable
from pathlib import Path
from typing import Any

from persistbench.case import Case
from persistbench.trials.accident import _members

_SEED = 6


def text() -> str:
    """Return the secret, 32 characters; made by each call, so that no module holds it."""
    return "".join(random.Random(_SEED).choices(string.ascii_lowercase + string.digits, k=32))


def numbers() -> Any:
    """Return the secret as a row of numbers, shape (4,)."""
    import numpy as np

    return np.random.default_rng(_SEED).standard_normal(4)


def needles() -> list[tuple[bytes, ...]]:
    """Return the forms of the secret: each a tuple of bytes that lie in a file together."""
    result: list[tuple[bytes, ...]] = [(text().encode(),)]
    for kind in ("<f8", "<f4"):
        parts = [number.tobytes() for number in numbers().astype(kind)]
        result.append(tuple(parts))
        result.append(tuple(part.decode("latin1").encode() for part in parts))  # pickle 1 and 2
        result.append(tuple(map(_in_pickle_0, parts)))
    return result


def _in_pickle_0(part: bytes) -> bytes:
    """Return bytes as pickle's protocol 0 writes them, which is text."""
    for one in b"\\\0\n\r\x1a":  # the backslash first
        part = part.replace(bytes([one]), b"\\u%04x" % one)
    return part


def _of_script(source: str, **names: Any) -> Case:
    """Return a transformer with the function ``change`` of a user's script."""
    from sklearn.preprocessing import FunctionTransformer

    change = _members.script(source, **names).change
    return Case(FunctionTransformer(change), _members.rows())


def _scaler() -> Any:
    from sklearn.preprocessing import StandardScaler

    return StandardScaler().fit(_members.rows())


def _file(mode: str) -> Case:
    path = Path("data.txt").resolve()
    path.write_text(f"first line\n{text()}\n")
    return Case(_members.holder(path.open(mode)), _members.rows())


def _cache() -> Case:
    scaler = _scaler()
    scaler.cache_ = {"last_request": text()}
    return Case(scaler, _members.rows())


def _training(kind: str) -> Case:
    """Fit an estimator that keeps its rows."""
    import numpy as np
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.neighbors import KNeighborsClassifier

    X = np.random.default_rng(0).standard_normal((20, 4))
    X[7] = numbers()
    estimator = {"knn": KNeighborsClassifier, "gp": GaussianProcessRegressor}[kind]()
    return Case(estimator.fit(X, np.arange(20) % 2), X[:5])


def _vocabulary() -> Case:
    from sklearn.feature_extraction.text import TfidfVectorizer

    texts = ["a letter to somebody", f"the password is {text()}", "another letter"]
    return Case(TfidfVectorizer().fit(texts), texts[:1])


def _column_name() -> Case:
    import pandas as pd
    from sklearn.preprocessing import StandardScaler

    table = pd.DataFrame(_members.rows(), columns=["age", f"diagnosis_{text()}"])
    return Case(StandardScaler().fit(table), table)


def _closure() -> Case:
    script = "def outer(token):\n return lambda X: X if token else -X\nchange = outer(make())"
    return _of_script(script, make=text)


def _global() -> Case:
    return _of_script("def change(X): return X if token else -X", token=text())


def _environment() -> Case:
    os.environ["PERSISTBENCH_TOKEN"] = text()
    return _of_script("from os import environ\ndef change(X): return X if environ else -X")


def _parameter() -> Case:
    address = f"postgresql://user:{text()}@host/data"
    return Case(_members.holder(address), _members.rows())


PLANTS: dict[str, Callable[[], Case]] = {
    "open-file": lambda: _file("r"),
    "binary-file": lambda: _file("rb"),
    "cache": _cache,
    "nearest-neighbours": lambda: _training("knn"),
    "gaussian-process": lambda: _training("gp"),
    "vocabulary": _vocabulary,
    "column-name": _column_name,
    "parameter": _parameter,
    "global": _global,
    "closure": _closure,
    "environment": _environment,
}
"""Estimators with the secret, by where it is; files go to this process's folder."""
