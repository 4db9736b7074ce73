"""Every private name of another library that the project uses, and what is relied on.

asv and asv_runner have a file of their own: tests/test_asv_facts.py.
"""

import ast
import multiprocessing
import multiprocessing.process
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from persistbench.sandbox import orphans
from tests.test_asv_facts import PRIVATE

ROOT = Path(__file__).parents[1]

CPYTHON = "CPython 3.11 to 3.13"
SKLEARN = "scikit-learn 1.9.1"
KNOWN = {
    "_config": CPYTHON,
    "_forkserver": CPYTHON,
    "_forkserver_pid": CPYTHON,
    "joblib._dask": "joblib 1.6.0",
    "sklearn.utils._test_common": SKLEARN,
    "sklearn.utils._test_common.instance_generator": SKLEARN,
    "sklearn.utils._test_common.instance_generator._construct_instances": SKLEARN,
    "sklearn.utils.estimator_checks._enforce_estimator_tags_X": SKLEARN,
    "sklearn.utils.estimator_checks._enforce_estimator_tags_y": SKLEARN,
}
"""The library for which each was seen to hold."""

PUBLIC = {"_asdict", "_exit", "_replace"}
"""Documented, in spite of their first letter: of `os` and of named tuples."""


def private(name: str) -> bool:
    """Return whether a name is private by its first letter."""
    return name.startswith("_") and not name.startswith("__") and name not in PUBLIC


def own_names(tree: ast.Module) -> Iterator[str]:
    """Yield the names that a file defines: they are the project's own."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield from [node.attr] if ast.unparse(node.value) in ("self", "cls") else []


def used_names(tree: ast.Module, roots: tuple[str, ...]) -> Iterator[str]:
    """Yield the private attributes that a file reads, and private names that it imports."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and private(node.attr):
            yield node.attr
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] not in roots:
            module = node.module or ""
            yield from [module] if any(map(private, module.split("."))) else []
            yield from (f"{module}.{name.name}" for name in node.names if private(name.name))


def test_every_private_name_of_a_library_is_known() -> None:
    """No file reaches into another library without a line in this file."""
    roots = ("persistbench", "benchmarks", "pipelines")
    files = [path for root in roots for path in (ROOT / root).rglob("*.py")]
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in files]
    own = {name for tree in trees for name in own_names(tree)} | {path.stem for path in files}
    used = {name for tree in trees for name in used_names(tree, roots)}
    assert used - own - PRIVATE == set(KNOWN)


def replaced_names(tree: ast.Module) -> Iterator[str]:
    """Yield the private names that a test gives to `monkeypatch.setattr` as texts."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith(".setattr"):
            texts = [part.value for part in node.args[:2] if isinstance(part, ast.Constant)]
            names = [text.rpartition(".")[2] for text in texts if isinstance(text, str)]
            yield from filter(private, names)


def is_file(name: str) -> bool:
    """Return whether this is the name of a file of the project, such as `tests._doubles`."""
    return ROOT.joinpath(*name.split(".")).with_suffix(".py").is_file()


STATING = ("test_asv_facts.py", "test_private_names.py")
"""The files that state what other libraries' private names are."""


@pytest.mark.parametrize(
    "path", sorted(set((ROOT / "tests").glob("*.py"))), ids=lambda path: path.stem
)
def test_tests_ask_for_public_names(path: Path) -> None:
    """A test neither reads nor replaces a private name of another file or of a library.

    Files whose name is private may be imported: discovery passes them over, and tests need not.
    """
    if path.name in STATING:
        return
    tree = ast.parse(path.read_text(encoding="utf-8"))
    used = {*used_names(tree, roots=()), *replaced_names(tree)}
    assert not {name for name in used if not is_file(name)} - set(own_names(tree))


def test_daemon_may_have_children_without_its_mark(monkeypatch: pytest.MonkeyPatch) -> None:
    """Children of a daemon are refused because of `_config`, and of nothing else."""
    config: dict[str, Any] = multiprocessing.process.current_process()._config  # type: ignore[attr-defined]
    monkeypatch.setitem(config, "daemon", True)
    context = multiprocessing.get_context("spawn")
    with pytest.raises(AssertionError, match="daemonic processes are not allowed"):
        context.Process(target=int).start()
    config.pop("daemon")
    child = context.Process(target=int)
    child.start()
    child.join()
    assert child.exitcode == 0


@pytest.mark.skipif(
    "forkserver" not in multiprocessing.get_all_start_methods(), reason="no fork server here"
)
def test_fork_server_tells_its_process() -> None:
    """`_forkserver._forkserver_pid` is the parent of the children that the server forks."""
    child = multiprocessing.get_context("forkserver").Process(target=time.sleep, args=(600,))
    child.start()
    try:
        assert psutil.Process(child.pid).ppid() == orphans.mother("forkserver") != os.getpid()
    finally:
        child.kill()
        child.join()


def test_scikit_learn_tells_how_it_tests_an_estimator() -> None:
    """`_construct_instances` yields an estimator for each way in which it is tested."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.utils._test_common.instance_generator import _construct_instances

    instances = list(_construct_instances(LogisticRegression))
    assert instances
    assert all(isinstance(one, LogisticRegression) for one in instances)


def test_scikit_learn_makes_data_that_an_estimator_accepts() -> None:
    """`_enforce_estimator_tags_X` and `_y` turn numbers into what the tags of an estimator ask."""
    from sklearn.naive_bayes import CategoricalNB
    from sklearn.utils.estimator_checks import (
        _enforce_estimator_tags_X,
        _enforce_estimator_tags_y,
    )

    X = _enforce_estimator_tags_X(CategoricalNB(), np.random.default_rng(0).normal(size=(20, 3)))
    y = _enforce_estimator_tags_y(CategoricalNB(), np.arange(20) % 2)
    assert X.min() >= 0
    assert CategoricalNB().fit(X, y).predict(X).shape == (20,)


def test_joblib_has_a_backend_of_dask() -> None:
    """Its `effective_n_jobs` decides whether a cluster of one thread is used at all."""
    pytest.importorskip("distributed")
    from joblib._dask import DaskDistributedBackend

    assert callable(DaskDistributedBackend.effective_n_jobs)
