"""Own code is found again, or missed, by interpreters that have not saved it."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from scipy.special import expit

from persistbench.errors import UserError
from persistbench.trials import custom_code, custom_code_child, selection
from persistbench.trials.trial import Task


def tasks(*ids: str) -> list[Task]:
    """Return the trials of these backends."""
    return custom_code.CustomCode(selection.everything((), ids)).tasks()


def outcomes(kind: str, *ids: str) -> dict[tuple[str, str], tuple[str, bool]]:
    """Return outcome and false success of a kind's trials, by backend and condition."""
    (task,) = (task for task in tasks(*ids) if task.trials[0].subject == kind)
    return {
        (record["backend"], record["place"]): (record["outcome"], record["false_success"])
        for record in task()
    }


def test_kinds_are_those_of_the_program() -> None:
    """What is asked for is what the program can save."""
    assert tuple(custom_code_child.KINDS) == custom_code.KINDS


def test_function_of_main_is_a_false_success_elsewhere() -> None:
    """Pickle and skops save a script's function by name: it opens in that script only."""
    result = outcomes("main-function", "pickle-5", "cloudpickle", "onnx")
    assert result["pickle-5", "present"] == ("same", False)
    assert result["pickle-5", "absent"] == ("error-at-load", True)
    assert result["cloudpickle", "absent"] == ("same", False)  # which saves the code
    assert result["onnx", "absent"] == ("error-at-dump", False)  # nothing was saved


def test_lambda_is_refused_or_carried_or_lost() -> None:
    """Pickle refuses a lambda, cloudpickle carries it, skops says it is saved and it is not."""
    result = outcomes("lambda", "pickle-5", "cloudpickle", "skops")
    for condition in custom_code.CONDITIONS:
        assert result["pickle-5", condition] == ("error-at-dump", False)
        assert result["cloudpickle", condition] == ("same", False)
        assert result["skops", condition] == ("error-at-load", True)


def test_module_that_is_absent_is_missed_by_all() -> None:
    """Code of an imported module is saved by name by every backend that saves it at all."""
    result = outcomes("module-class", "pickle-5", "cloudpickle")
    for backend in ("pickle-5", "cloudpickle"):
        assert result[backend, "present"] == ("same", False)
        assert result[backend, "absent"] == ("error-at-load", True)


PLAIN = """
import pickle
import sys
import cloudpickle, joblib, skops.io
from sklearn.preprocessing import FunctionTransformer
from scipy.special import expit
import users_module

FILES = {
    "pickle-5": (lambda x, path: pickle.dump(x, open(path, "wb"), protocol=5)),
    "cloudpickle": (lambda x, path: cloudpickle.dump(x, open(path, "wb"))),
    "joblib": joblib.dump,
    "skops": skops.io.dump,
}
if __name__ == "__main__":
    for backend, dump in FILES.items():
        dump(FunctionTransformer(expit).fit([[1.0]]), sys.argv[1] + "/" + backend)
"""

ELSEWHERE = """
import multiprocessing
import pickle
import sys
import cloudpickle, joblib, skops.io

FILES = {
    "pickle-5": lambda path: pickle.load(open(path, "rb")),
    "cloudpickle": lambda path: cloudpickle.load(open(path, "rb")),
    "joblib": joblib.load,
    "skops": skops.io.load,
}
for backend, load in FILES.items():
    try:
        load(sys.argv[1] + "/" + backend)
    except Exception:
        continue
    print(backend)
"""

PLAINLY = ("pickle-5", "cloudpickle", "joblib", "skops")


def elsewhere(folder: Path) -> set[str]:
    """Save the ufunc by a plain script; return whose files a plain interpreter can load."""
    (folder / "script.py").write_text(PLAIN)
    (folder / "users_module.py").write_text("from scipy.special import expit\n")
    subprocess.run([sys.executable, str(folder / "script.py"), str(folder)], check=True)
    command = [sys.executable, "-P", "-c", ELSEWHERE, str(folder)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return set(done.stdout.split())


def test_ufunc_comes_back_as_from_a_plain_script(tmp_path: Path) -> None:
    """Whoever loads the file elsewhere finds what a plain script's file holds, with no backend."""
    plain = elsewhere(tmp_path)
    assert {"joblib", "skops"} <= plain
    result = outcomes("ufunc", *PLAINLY, "pickle-5-allowlist")
    for backend in (*PLAINLY, "pickle-5-allowlist"):
        there = (backend if backend in PLAINLY else "pickle-5") in plain
        assert result[backend, "present"] == ("same", False)
        lost = ("error-at-load", True)
        assert result[backend, "absent"] == (("same", False) if there else lost), backend


def test_ufunc_is_one_that_has_no_module() -> None:
    """It is looked for by its name in all modules, those of the user among them."""
    ufunc = custom_code_child.KINDS["ufunc"]().func
    assert ufunc is expit is custom_code_child.expit
    assert getattr(ufunc, "__module__", None) is None


def test_interpreter_that_fails_is_a_crash(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    """A program that does not even start is a crash with its last words."""
    program = tmp_path / "custom_code_child.py"
    program.write_text("raise SystemExit('no libraries')")
    monkeypatch.setattr(custom_code, "PROGRAM", program)
    task = tasks("pickle-5")[0]
    for record in task():
        assert record["outcome"] == "crash"
        assert record["reason"] == "the interpreter: no libraries"
        assert not record["false_success"]


def test_unknown_backend_is_named() -> None:
    """A misspelt backend is one sentence."""
    with pytest.raises(UserError, match="There is no backend 'nosuch'"):
        tasks("nosuch")
