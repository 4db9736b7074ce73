"""The first call in a new process, in forks of a started interpreter."""

import os
import pickle
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from persistbench import backends
from persistbench.cases import catalogue
from persistbench.cells.cell import Cell
from persistbench.measure import first_call
from persistbench.measure.first_call import Call, FailedError, Mother

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="samples are forks")
MODULES = ("sklearn.pipeline", "sklearn.linear_model", "sklearn.preprocessing", "no_such_module")


@pytest.fixture(scope="module")
def small() -> Call:
    """The load of a right artifact."""
    cell = Cell(catalogue.get("small"), backends.get("pickle-5"))
    assert cell.examine().same
    return Call("pickle-5", str(cell.artifact), str(cell.artifact))


@pytest.fixture(scope="module")
def mother() -> Iterator[Mother]:
    """An interpreter for loads."""
    with Mother(MODULES) as result:
        yield result


class Ending:
    """Ends the process that loads it."""

    def __reduce__(self) -> Any:
        return os._exit, (3,)


def test_sample_has_its_times(mother: Mother, small: Call) -> None:
    """A call takes some time, in a fork and in a started interpreter."""
    for sample in (mother.sample(small), first_call.started(small, MODULES)):
        assert sample.wall > 0
        assert sample.cpu >= 0


def test_each_sample_is_a_new_process(mother: Mother, small: Call, tmp_path: Path) -> None:
    """What one call does to its process, the next one does not find."""
    path = tmp_path / "artifact"
    path.write_bytes(pickle.dumps(Ending()))
    call = Call("pickle-5", str(path), small.tiny)
    for _ in range(2):
        with pytest.raises(FailedError, match="the process ended with status"):
            mother.sample(call)
    assert mother.sample(small).wall > 0


@pytest.mark.parametrize("kind", ["forks", "started"])
def test_failure_of_a_call_says_why(mother: Mother, small: Call, kind: str) -> None:
    """The class and the message of the error come to this process."""
    call = Call("pickle-5", "/no/such/file", small.tiny)
    with pytest.raises(FailedError, match=r"FileNotFoundError.*no/such/file"):
        mother.sample(call) if kind == "forks" else first_call.started(call, MODULES)


def test_dump_is_that_of_the_fresh_pipeline(small: Call, tmp_path: Path) -> None:
    """The interpreter builds the pipeline, and its forks dump it."""
    path = tmp_path / "artifact"
    with Mother(MODULES, "small") as mother:
        call = Call("pickle-5", str(path), small.tiny, pipeline="small")
        assert mother.sample(call).wall > 0
    assert backends.get("pickle-5").load(str(path)).predict([[0.0] * 20]).shape == (1,)


@pytest.mark.skipif(sys.platform != "linux", reason="read from /proc")
def test_fork_owns_its_pages_before_the_call() -> None:
    """What a fork shares with its parent and may write to is a copy of its own afterwards."""
    program = """
import os
from pathlib import Path
from persistbench.system.memory import own_pages
kept = [object() for _ in range(500_000)]
def shared():
    text = Path("/proc/self/smaps_rollup").read_text()
    return int(text.split("Shared_Dirty:")[1].split()[0])
if not os.fork():
    before = shared()
    own_pages()
    print(before, shared(), flush=True)
    os._exit(0)
os.wait()
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    before, after = map(int, done.stdout.split())
    assert before > 4_000
    assert after < before / 10
