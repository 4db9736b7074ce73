"""Trials of exactness: what a pipeline prints, starts or leaves running is no outcome."""

from pathlib import Path
from typing import Any

import pytest

from persistbench.cases import catalogue
from persistbench.outcomes import Outcome
from persistbench.trials import exactness, selection
from persistbench.trials.exactness import Exactness

SOURCE = """
import numpy as np
from sklearn.linear_model import LogisticRegression
from persistbench import Case

class Own(LogisticRegression):
    pass

def build():
    X = np.random.default_rng(0).standard_normal((200, 3))
    return Case(Own().fit(X, X[:, 0] > 0), X, X[:, 0] > 0)

"""

PIPELINES = {
    "prints": "print('{' * 100_000)\n",
    "prints_at_exit": "import atexit\natexit.register(print, 'good', 'bye')\n",
    "closes_its_output": "import os\nos.close(1)\nos.close(2)\n",
    "fails_at_exit": "import atexit\natexit.register(lambda: 1 / 0)\n"
    "import os\natexit.register(os._exit, 3)\n",
    "leaves_a_thread": "from threading import Event, Thread\nThread(target=Event().wait).start()\n",
    "leaves_a_process": "import subprocess\nsubprocess.Popen(['sleep', '1000'])\n",
    "asks": "import sys\nassert sys.stdin.read() == ''\n",
}
"""What a file does when it is imported, by name; all their pipelines are saved and loaded well."""


@pytest.fixture
def written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A package of these pipelines, which is the catalogue, also of what is started."""
    folder = tmp_path / f"noisy_{tmp_path.name}".replace("-", "_")
    folder.mkdir()
    (folder / "__init__.py").touch()
    for name, source in PIPELINES.items():
        (folder / f"{name}.py").write_text(SOURCE + source)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}:{Path(__file__).parents[1]}")
    known = catalogue.discover(folder.name)
    monkeypatch.setattr(catalogue, "discover", lambda *_: known)
    monkeypatch.setattr(exactness, "CLOCK_SECONDS", 0.0)  # no file here holds a time


@pytest.mark.parametrize("pipeline", PIPELINES)
@pytest.mark.usefixtures("written")
def test_what_a_file_prints_or_leaves_is_no_outcome(pipeline: str) -> None:
    """The answer of the interpreter that loads is heard, and nobody waits for its end."""
    (task,) = Exactness(selection.everything([pipeline], ["pickle-5"])).tasks()
    record: dict[str, Any]
    (record,) = task()
    assert record["outcome"] == Outcome.SAME, record
    assert not record["checks"]["attributes"]
