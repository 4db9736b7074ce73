"""Nothing is lost and nothing done twice, whatever stops a campaign."""

import json
import os
import platform
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from persistbench.errors import UserError
from persistbench.records import jsonl
from persistbench.trials import campaign
from tests import _campaign
from tests._waiting import ENOUGH, wait_for

ROOT = Path(__file__).parents[1]


def lines(path: Path) -> list[dict[str, Any]]:
    """Return the records of a file, in which no line is broken."""
    result, broken = jsonl.read(path)
    assert not broken
    return result


def keys(path: Path) -> list[str]:
    """Return the keys in a file, sorted."""
    return sorted(record["key"] for record in lines(path))


def asked(count: int, kind: str = "nap") -> list[str]:
    """Return the keys that a campaign asks for, sorted."""
    return sorted(one.key for task in _campaign.tasks(count, kind) for one in task.trials)


def started(path: Path, count: int, kind: str = "nap") -> subprocess.Popen[bytes]:
    """Start a campaign in a process of its own."""
    command = [sys.executable, "-m", "tests._campaign", str(path), str(count), kind]
    return subprocess.Popen(command, cwd=ROOT)


def written(path: Path) -> bool:
    """Return whether there are records, whole or not."""
    return path.is_file() and path.stat().st_size > 0


def test_killed_campaign_is_resumed(tmp_path: Path) -> None:
    """After kill -9 the same campaign makes what is left, and keeps what was done as it is."""
    path = tmp_path / "nap.jsonl"
    first = started(path, 12)
    wait_for(lambda: written(path))
    first.kill()
    first.wait()
    before = lines(path)
    assert 0 < len(before) < 24
    assert _campaign.run(path, 12) == []
    assert lines(path)[: len(before)] == before
    assert keys(path) == asked(12)


def test_killed_campaign_leaves_nothing_running(tmp_path: Path) -> None:
    """The processes of a campaign end soon after it was killed."""
    path = tmp_path / "nap.jsonl"
    first = started(path, 40)
    wait_for(lambda: written(path))
    workers = {record["made_by"] for record in lines(path)}
    first.kill()
    first.wait()
    wait_for(lambda: not any(map(_runs, workers)))


def _runs(pid: int) -> bool:
    """Say whether a process runs; one that is dead and not yet reaped does not."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_cut_off_line_is_named_and_made_again(tmp_path: Path) -> None:
    """A line cut off in the middle is named, taken out, and its trial is made again."""
    path = tmp_path / "nap.jsonl"
    _campaign.run(path, 2)
    whole = path.read_text()
    path.write_text(whole[:-30])
    (warning,) = _campaign.run(path, 2)
    assert "line 4" in warning
    assert keys(path) == asked(2)


def test_line_without_its_end_is_kept(tmp_path: Path) -> None:
    """A record whose line break is missing counts, and the next one is on a line of its own."""
    path = tmp_path / "nap.jsonl"
    _campaign.run(path, 1)
    path.write_text(path.read_text().rstrip("\n"))
    assert _campaign.run(path, 2) == []
    assert keys(path) == asked(2)


def test_two_campaigns_share_a_file(tmp_path: Path) -> None:
    """Two campaigns at once write whole lines, and none is lost."""
    path = tmp_path / "nap.jsonl"
    both = [started(path, 3, kind) for kind in ("nap", "doze")]
    assert [one.wait() for one in both] == [0, 0]
    assert keys(path) == sorted(asked(3) + asked(3, "doze"))


def test_file_mended_meanwhile_is_opened_again(tmp_path: Path) -> None:
    """Who waits while another campaign mends the file appends to the mended one."""
    fcntl = pytest.importorskip("fcntl", reason="locks are POSIX")
    path, mended = tmp_path / "nap.jsonl", tmp_path / "mended"
    path.touch()
    mended.touch()
    (task,) = _campaign.tasks(1)
    result = _campaign.sleep(task.trials)
    waiting = threading.Thread(target=campaign.append, args=(path, result))
    with path.open("ab") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        waiting.start()
        time.sleep(0.2)  # until it waits for the lock
        mended.replace(path)
    waiting.join()
    assert lines(path) == json.loads(json.dumps(result))


def test_records_tell_what_they_were_made_with(tmp_path: Path) -> None:
    """A record has date, Python, operating system and versions, and JSON reads it back."""
    path = tmp_path / "nap.jsonl"
    _campaign.run(path, 1)
    record = lines(path)[0]
    assert record["trial"] == "nap"
    assert record["subject"] == "0"
    assert record["outcome"] == "same"
    assert record["libraries"]["scikit-learn"]
    assert {"key", "backend", "reason", "date", "python", "os"} <= record.keys()


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, list[Any]]]:
    """A Dask scheduler and two workers with one thread each, all processes of their own."""
    distributed = pytest.importorskip("distributed")
    folder = tmp_path_factory.mktemp("dask")
    known = folder / "scheduler.json"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}

    def start(*arguments: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-m", "dask", *arguments, "--scheduler-file", str(known)],
            cwd=folder,
            env=environment,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # so that a worker is killed with its nanny
        )

    scheduler = start("scheduler", "--port", "0", "--no-dashboard")
    workers = [start("worker", "--nthreads", "1", "--no-dashboard") for _ in range(2)]
    try:
        wait_for(lambda: known.is_file() and known.read_text().endswith("}"))
        address = json.loads(known.read_text())["address"]
        with distributed.Client(address, set_as_default=False) as client:
            client.wait_for_workers(2, timeout=ENOUGH)
        yield address, workers
    finally:
        for process in (*workers, scheduler):
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def test_worker_with_other_libraries_is_refused(
    cluster: tuple[str, list[Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker whose versions are not this process's is named, and nothing is written."""
    monkeypatch.setattr(platform, "python_version", lambda: "3.0.0")
    with pytest.raises(UserError, match="other versions of Python or libraries"):
        _campaign.run(tmp_path / "nap.jsonl", 1, cluster[0])
    assert not (tmp_path / "nap.jsonl").exists()


def test_killed_worker_loses_nothing(cluster: tuple[str, list[Any]], tmp_path: Path) -> None:
    """With one of two workers of a Dask cluster killed, each trial is recorded exactly once."""
    address, workers = cluster
    path = tmp_path / "nap.jsonl"
    seen: list[int] = []

    def step(done: int, of: int) -> None:
        seen.append(done)
        if done >= 8 and workers[0].poll() is None:
            os.killpg(workers[0].pid, signal.SIGKILL)
            workers[0].wait()

    campaign.run(_campaign.tasks(16), lambda: path, step, pytest.fail, address)
    assert workers[0].poll() is not None
    assert len({record["made_by"] for record in lines(path)}) >= 2
    assert os.getpid() not in {record["made_by"] for record in lines(path)}
    assert keys(path) == asked(16)
    assert seen[-1] == 32


def test_silent_scheduler_is_one_sentence(tmp_path: Path) -> None:
    """Of an address where nobody answers one sentence says what to do, before anything is made."""
    pytest.importorskip("distributed")
    path = tmp_path / "results" / "nap.jsonl"
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        address = f"tcp://127.0.0.1:{deaf.getsockname()[1]}"
        code = (
            "import sys\nfrom pathlib import Path\nfrom tests import _campaign\n"
            "from persistbench.errors import UserError\n"
            "try: _campaign.run(Path(sys.argv[1]), 1, sys.argv[2])\n"
            "except UserError as error: print(error)"
        )
        result = subprocess.run(
            [sys.executable, "-c", code, str(path), address],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=ENOUGH,
            check=True,
        )
    assert result.stdout.startswith(f"The scheduler '{address}' does not answer: start one with")
    assert result.stderr == ""
    assert not path.parent.exists()
