"""Nothing that a pipeline's file does reaches another cell, the catalogue or the next run."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from persistbench import backends, cache
from persistbench.cases import building, catalogue
from persistbench.cases.building import BuildError
from persistbench.cases.fitted import fit
from persistbench.cells.cell import Cell, examine
from persistbench.outcomes import Blame, Outcome, Verdict

GOOD = """
import numpy as np
from sklearn.linear_model import LogisticRegression
from persistbench import Case

def build():
    X = np.random.default_rng(0).standard_normal((200, 3))
    return Case(LogisticRegression().fit(X, X[:, 0] > 0), X, X[:, 0] > 0)
"""

CARRIER = f"""{GOOD}
fitted = build
class Own(LogisticRegression):
    pass
def build():
    case = fitted()
    case.estimator.__class__ = Own
    return case
"""

IN_BUILD = "\nfitted = build\ndef build():\n    {}\n    return fitted()\n"

MISBEHAVING = {
    "configures": f"import sklearn\nsklearn.set_config(transform_output='pandas'){GOOD}",
    "configures_in_build": GOOD
    + IN_BUILD.format("import sklearn; sklearn.set_config(enable_metadata_routing=True)"),
    "computes": f"{GOOD}\nfrom sklearn.ensemble import HistGradientBoostingClassifier\n"
    "HistGradientBoostingClassifier(max_iter=2).fit(np.ones((50, 2)), np.arange(50) % 2)\n",
    "exits": "import sys\nsys.exit('no data here')\n",
    "exits_in_build": GOOD + IN_BUILD.format("import sys; sys.exit()"),
    "ends_at_once": "import os\nos._exit(0)\n",
    "crashes": "import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)\n",
    "crashes_in_build": GOOD
    + IN_BUILD.format("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)"),
    "crashes_at_load": f"{CARRIER}\nimport os, signal\n"
    "Own.__setstate__ = lambda self, state: os.kill(os.getpid(), signal.SIGSEGV)\n",
    "raises_warnings": f"import warnings\nwarnings.simplefilter('error')\n{GOOD}\n"
    "np.seterr(all='raise')\n",
    "patches_pickle": f"import pickle\npickle.dump = lambda *rest, **more: None\n{GOOD}",
    "moves": f"import os\nos.chdir('/')\nos.environ['TMPDIR'] = '/nowhere'\n{GOOD}",
    "leaves_files": f"{GOOD}\nfrom pathlib import Path\nPath('left').write_text('behind')\n",
    "prints": f"print('{{' * 1000)\n{GOOD}\nimport os\nos.close(1)\n",
    "asks": f"name = input('your name? ')\n{GOOD}",
    "takes_all_memory": GOOD + IN_BUILD.format("np.empty(10**13).fill(0)"),
    "never_ends_a_thread": f"import threading, time\n{GOOD}\n"
    "threading.Thread(target=lambda: time.sleep(10**6)).start()\n",
    "leaves_processes": f"import subprocess\nsubprocess.Popen(['sleep', '1000000'])\n{GOOD}",
    "recurses": GOOD + IN_BUILD.format("build()"),
    "seeds": f"import random\nrandom.seed(0)\n{GOOD}\nnp.random.seed(0)\n",
    "forgets_modules": f"{GOOD}\nimport sys\nfor name in [*sys.modules]:\n"
    "    if name.startswith('sklearn'): del sys.modules[name]\n",
    "interrupts": "raise KeyboardInterrupt\n",
    "has_no_syntax": "def build(:\n",
    "turns_the_collector_off": f"import gc, sys\ngc.disable()\nsys.setrecursionlimit(200)\n{GOOD}",
    "sets_an_alarm": f"import signal\nsignal.setitimer(signal.ITIMER_REAL, 0.05)\n{GOOD}\n"
    "import time\ntime.sleep(0.2)\n",
    "reads_rows_once": GOOD + "\nfitted = build\ndef build():\n    case = fitted()\n"
    "    return Case(case.estimator, (row for row in case.X), case.y)\n",
}
"""Files of a catalogue, each with one bad habit."""

BACKENDS = ("pickle-5", "joblib", "cloudpickle")


def written(folder: Path, sources: dict[str, str]) -> dict[str, catalogue.Pipeline]:
    """Write the files of a catalogue, and return its pipelines."""
    folder.mkdir(exist_ok=True)
    (folder / "__init__.py").touch()
    for name, source in sources.items():
        (folder / f"{name}.py").write_text(source)
    catalogue.discover.cache_clear()
    return catalogue.discover(folder.name)


def cells(pipeline: catalogue.Pipeline) -> list[Cell]:
    """Return the cells of a pipeline."""
    return [Cell(pipeline, backends.get(name)) for name in BACKENDS]


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The folder of a catalogue that can be imported."""
    monkeypatch.syspath_prepend(str(tmp_path))
    yield tmp_path / f"own_{tmp_path.name}".replace("-", "_")
    catalogue.discover.cache_clear()


def forget() -> None:
    """Remove every kept fit, artifact and verdict of the good pipeline."""
    for path in cache.folder().glob("*/good.*"):
        path.unlink()


def test_misbehaving_files_change_no_other_cell(package: Path) -> None:
    """Beside twenty misbehaving files every other cell is what it is without them, to the byte."""
    good = written(package, {"good": GOOD})["good"]
    alone = [(verdict, cell.artifact.read_bytes()) for cell, verdict in examined(good)]
    assert all(verdict.same for verdict, _ in alone)
    pipelines = written(package, MISBEHAVING)
    before = sorted(Path.cwd().iterdir()), dict(os.environ)
    outcomes = {}
    for name in MISBEHAVING:
        outcomes[name] = Cell(pipelines[name], backends.get("pickle-5")).examine()
    assert before == (sorted(Path.cwd().iterdir()), dict(os.environ))
    forget()
    beside = [(verdict, cell.artifact.read_bytes()) for cell, verdict in examined(good)]
    assert beside == alone
    wrong = {name for name, verdict in outcomes.items() if not verdict.same}
    assert wrong == {
        "exits",
        "exits_in_build",
        "forgets_modules",
        "ends_at_once",
        "crashes",
        "crashes_in_build",
        "crashes_at_load",
        "asks",
        "patches_pickle",
        "takes_all_memory",
        "recurses",
        "interrupts",
        "has_no_syntax",
        "reads_rows_once",
        "sets_an_alarm",
    }
    of_dump_or_load = ("patches_pickle", "forgets_modules", "crashes_at_load")
    own = {name: outcomes[name] for name in wrong - {*of_dump_or_load}}
    assert {verdict.outcome for verdict in own.values()} == {Outcome.ERROR_AT_BUILD}
    assert {verdict.blame for verdict in own.values()} == {Blame.PIPELINE}
    assert "no data here" in own["exits"].reason
    assert "SIGSEGV" in own["crashes"].reason
    assert "exit status 0" in own["ends_at_once"].reason


def examined(pipeline: catalogue.Pipeline) -> list[tuple[Cell, Verdict]]:
    """Return the cells of a pipeline with their verdicts."""
    own = cells(pipeline)
    return list(zip(own, examine(own), strict=True))


def test_list_shows_all_where_one_file_exits(tmp_path: Path) -> None:
    """`list` names what cannot be built, exits with 2, and shows all other pipelines."""
    names = ("exits", "crashes", "crashes_at_load", "prints", "configures")
    written(tmp_path / "pipelines", {"good": GOOD, **{name: MISBEHAVING[name] for name in names}})
    catalogue.discover.cache_clear()
    done = subprocess.run(
        [sys.executable, "-m", "persistbench", "list", "--json"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": f"{tmp_path}:{Path(__file__).parents[1]}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    rows = {row["name"]: row for row in json.loads(done.stdout)["pipelines"]}
    assert set(rows) == {"good", *names}
    assert {name for name, row in rows.items() if row["broken"]} == {"exits", "crashes"}
    assert "exits cannot be built: SystemExit: no data here" in done.stderr
    assert "Traceback" not in done.stderr


def test_slow_build_is_ended(package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A build that never ends is ended by the limit, and the reason says the limit."""
    slow = written(package, {"slow": f"{GOOD}\nimport time\ntime.sleep(10**6)\n"})["slow"]
    monkeypatch.setattr(building, "SECONDS", 1.0)
    with pytest.raises(BuildError, match=r"build\(\): not finished after 1 s"):
        fit(slow)


@pytest.mark.parametrize(
    ("source", "outcome"),
    [
        # A class that only the process knows that has built.
        (
            f"{GOOD}\nfitted = build\ndef build():\n    global Late\n"
            "    class Late(LogisticRegression): pass\n    Late.__qualname__ = 'Late'\n"
            "    case = fitted()\n    case.estimator.__class__ = Late\n    return case\n",
            Outcome.ERROR_AT_LOAD,
        ),
        # A function that is registered by build().
        (
            f"{GOOD}\nTABLE = {{}}\nclass Own(LogisticRegression):\n"
            "    def predict(self, X): return TABLE['used'](X, self)\n"
            "fitted = build\ndef build():\n    TABLE['used'] = lambda X, own: X[:, 0] > 0\n"
            "    case = fitted()\n    case.estimator.__class__ = Own\n    return case\n",
            Outcome.ERROR_AT_USE,
        ),
        # Global configuration.
        (
            f"{GOOD}\nimport sklearn\nclass Own(LogisticRegression):\n    def predict(self, X):\n"
            "        if not sklearn.get_config()['assume_finite']: raise RuntimeError('slow')\n"
            "        return X[:, 0] > 0\n"
            "fitted = build\ndef build():\n    sklearn.set_config(assume_finite=True)\n"
            "    case = fitted()\n    case.estimator.__class__ = Own\n    return case\n",
            Outcome.ERROR_AT_USE,
        ),
    ],
)
def test_what_only_the_builder_knows_is_missed_elsewhere(
    package: Path, source: str, outcome: Outcome
) -> None:
    """What is there only where the pipeline was built fails every cell, as it fails its users."""
    own = written(package, {"own": source})["own"]
    assert {verdict.outcome for _, verdict in examined(own)} == {outcome}
    assert {verdict.blame for _, verdict in examined(own)} <= {Blame.PIPELINE, Blame.BACKEND}


def test_rows_of_a_class_that_build_defines_are_kept(package: Path) -> None:
    """What pickle cannot save of the rows, cloudpickle does; what nobody can blames our check."""
    source = (
        f"{GOOD}\nfitted = build\ndef build():\n    case = fitted()\n"
        "    class Rows(list):\n        pass\n"
        "    return Case(case.estimator, Rows(case.X.tolist()), case.y)\n"
    )
    own = written(package, {"own": source})["own"]
    assert {verdict.outcome for _, verdict in examined(own)} == {Outcome.SAME}
    unsaved = source.replace("        pass\n", "        lock = __import__('threading').Lock()\n")
    never = written(package, {"never": unsaved})["never"]
    assert {verdict.outcome for _, verdict in examined(never)} == {Outcome.UNSUPPORTED}
    assert {verdict.blame for _, verdict in examined(never)} == {Blame.CHECK}


@pytest.mark.parametrize(
    ("source", "blamed"),
    [
        # The pipeline relies on its class, which only the process has changed that built it.
        (
            f"{CARRIER}\nmade = build\nOwn.shift = 0\n"
            "Own.predict = lambda self, X: (X[:, 0] > Own.shift)\n"
            "def build():\n    Own.shift = 1\n    return made()\n",
            {"pickle-5": Blame.PIPELINE, "joblib": Blame.PIPELINE},
        ),
        # joblib gives back an array for a matrix: the same line of the pipeline fails there alone.
        (
            f"{CARRIER}\nmade = build\n"
            "def predict(self, X):\n    return np.asarray(self.w * self.w.T)[0] * np.ones(len(X))\n"
            "Own.predict = predict\n"
            "def build():\n    case = made()\n    case.estimator.w = np.matrix([[1.0, 2.0]])\n"
            "    return case\n",
            {"pickle-5": None, "joblib": Blame.BACKEND},
        ),
    ],
)
def test_a_plain_pickle_tells_whose_fault_it_is(
    package: Path, source: str, blamed: dict[str, Blame | None]
) -> None:
    """Where a plain pickle ends in the same way, the pipeline does not travel; else the backend."""
    own = written(package, {"own": source})["own"]
    result = {cell.backend.id: verdict.blame for cell, verdict in examined(own)}
    assert {name: result[name] for name in blamed} == blamed


def test_what_pickle_drops_is_dumped_by_others(package: Path) -> None:
    """Each backend dumps what build() returned, and not what a pickle has made of it.

    The estimator holds a lock once it was unpickled, and no lock before.
    """
    source = (
        f"{CARRIER}\nimport threading\ndef back(self, state):\n"
        "    self.__dict__.update(state, lock=threading.Lock())\nOwn.__setstate__ = back\n"
    )
    own = written(package, {"own": source})["own"]
    assert fit(own).payload_bytes
    assert {verdict.outcome for _, verdict in examined(own)} == {Outcome.SAME}


def test_kept_copy_that_has_another_state_is_not_used(package: Path) -> None:
    """What is timed is built anew where a kept copy answers the same and holds something else."""
    source = (
        f"{CARRIER}\nOwn.__setstate__ = lambda self, state: self.__dict__.update(\n"
        "    {name: value for name, value in state.items() if name != 'extra'})\n"
        "own = build\ndef build():\n    case = own()\n    case.estimator.extra = [1]\n"
        "    return case\n"
    )
    fitted = fit(written(package, {"own": source})["own"])
    assert fitted.payload_bytes
    assert not fitted.estimator.exists()
    plain = fit(written(package, {"good": GOOD})["good"])
    assert plain.estimator.exists()


def test_pipeline_without_a_seed_blames_no_backend(package: Path) -> None:
    """Each artifact is compared with the very pipeline that it was dumped from."""
    source = GOOD.replace("default_rng(0)", "default_rng()") + (
        "\nfitted = build\ndef build():\n    case = fitted()\n"
        "    case.estimator.lock = __import__('threading').Lock()\n"
        "    case.estimator.__class__ = Own\n    return case\n"
        "class Own(LogisticRegression):\n"
        "    def __getstate__(self): return {**self.__dict__, 'lock': None}\n"
    )
    own = written(package, {"own": source})["own"]
    for cell in cells(own):  # each builds for itself
        assert cell.examine().same
        assert Cell(own, backends.get("joblib"), mapped=True).examine().same
