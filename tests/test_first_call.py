"""The first call in a new process, in forks of a started interpreter."""

import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from persistbench import backends
from persistbench.cases import catalogue
from persistbench.cells.cell import Cell
from persistbench.measure import first_call
from persistbench.measure.first_call import Call, FailedError, Mother, Sample, Subject
from persistbench.outcomes import Outcome
from tests._waiting import wait_for

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


def pickled(folder: Path, content: Any) -> str:
    """Return the path of a pickle."""
    path = folder / "artifact"
    path.write_bytes(pickle.dumps(content))
    return str(path)


def failure(sample: Any) -> str:
    """Return what a call has failed with."""
    assert isinstance(sample, FailedError)
    return str(sample)


def test_sample_has_its_times(mother: Mother, small: Call) -> None:
    """A call takes some time, in a fork and in a started interpreter."""
    for sample in (*mother.samples([small]), first_call.started(small, MODULES)):
        assert isinstance(sample, Sample)
        assert 0 < sample.wall < sample.process
        assert sample.cpu >= 0


def test_each_sample_is_a_new_process(mother: Mother, small: Call, tmp_path: Path) -> None:
    """What one call does to its process, the others do not find, even beside it."""
    ending = replace(small, path=pickled(tmp_path, Ending()))
    one, other, good = mother.samples([ending, ending, small])
    assert "exit status 3" in failure(one)
    assert "exit status 3" in failure(other)
    assert isinstance(good, Sample)


def test_failure_before_the_call_says_why(mother: Mother, small: Call) -> None:
    """A process that cannot even get ready is a failure, and no other one."""
    odd = replace(small, backend="no-such-backend")
    result = mother.samples([odd, small])
    assert "no-such-backend" in failure(result[0])
    assert isinstance(result[1], Sample)


@pytest.mark.parametrize("kind", ["forks", "started"])
def test_failure_of_a_call_says_why(mother: Mother, small: Call, kind: str) -> None:
    """The class and the message of the error come to this process, and its stage."""
    call = replace(small, path="/no/such/file")
    if kind == "forks":
        (sample,) = mother.samples([call])
        assert isinstance(sample, FailedError)
        error = sample
    else:
        with pytest.raises(FailedError) as caught:
            first_call.started(call, MODULES)
        error = caught.value
    assert "FileNotFoundError" in str(error)
    assert "no/such/file" in str(error)
    assert error.verdict.outcome is Outcome.ERROR_AT_LOAD


def test_mother_imports_what_a_call_has_imported(small: Call) -> None:
    """A call that imports is made again by a process whose imports are done."""
    with Mother(()) as mother:
        mother.samples([small])
        assert "sklearn.pipeline" in mother.modules


def test_dead_mother_is_started_again(small: Call) -> None:
    """A call that kills its parent fails, and the next one is made."""
    with Mother(MODULES) as mother:
        os.kill(mother.pid, signal.SIGKILL)
        wait_for(lambda: mother.dead)
        assert isinstance(mother.samples([small])[0], Sample)


@pytest.mark.skipif(sys.platform != "linux", reason="a fork dies with its mother on Linux")
def test_call_that_ends_the_mother_fails_no_other_call(small: Call, tmp_path: Path) -> None:
    """Of calls that were made together, each is made alone, and the guilty one alone fails."""
    code = b"cos\nsystem\n(S'kill -9 $(ps -o ppid= -p $PPID)'\ntR."
    path = tmp_path / "artifact"
    path.write_bytes(code)
    with Mother(MODULES) as mother:
        good, bad, last = mother.samples([small, replace(small, path=str(path)), small])
    assert isinstance(good, Sample)
    assert "status" in failure(bad)
    assert isinstance(last, Sample)


def test_dump_is_that_of_the_kept_pipeline(small: Call, tmp_path: Path) -> None:
    """Forks dump the pipeline that their mother has loaded or built; the file is removed."""
    fitted = Cell(catalogue.get("small"), backends.get("pickle-5")).fitted
    path = tmp_path / "artifact"
    for estimator in (str(fitted.estimator), "/no/such/file"):
        subject = Subject("small", estimator, str(fitted.rows))
        with Mother(MODULES) as mother:
            call = replace(small, path=str(path), dumps=True, subject=subject)
            assert isinstance(mother.samples([call])[0], Sample)
        assert not path.exists()


def test_use_of_the_rows_is_inside_the_clock(small: Call) -> None:
    """A call may use what it loads; an error then is one at use."""
    fitted = Cell(catalogue.get("small"), backends.get("pickle-5")).fitted
    subject = Subject("small", original=str(fitted.rows))
    small = replace(small, subject=subject)
    with Mother(MODULES) as mother:
        good, bad = mother.samples([replace(small, use="predict"), replace(small, use="absent")])
    assert isinstance(good, Sample)
    assert isinstance(bad, FailedError)
    assert bad.verdict.outcome is Outcome.ERROR_AT_USE


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
