"""Damage is done as planned, and its outcome is what a fresh process would see."""

import contextlib
import errno
import io
import os
import pickle
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from persistbench import sandbox
from persistbench.cases import catalogue
from persistbench.cells.cell import Cell
from persistbench.outcomes import Blame, Outcome, Verdict
from persistbench.trials import base, kinds, selection
from persistbench.trials.accident import _damage, _faults
from persistbench.trials.accident._damage import Fault
from persistbench.trials.accident.bit_flip import BitFlip
from persistbench.trials.accident.truncation import Truncation
from persistbench.trials.base import Kind
from persistbench.trials.trial import Record
from tests._doubles import Double, known, linux
from tests._unseeded import REFUSES, Saver, unseeded
from tests._waiting import ENOUGH, HANG


def records(
    kind: type[Kind], backend_id: str, faults: int = 100, pipeline: str = "small"
) -> list[Record]:
    """Return the records of the faults in the artifact of a pipeline."""
    (task,) = kind(selection.usual([pipeline], [backend_id], faults, ENOUGH)).tasks()
    return task()


def counts(found: list[Record]) -> Counter[str]:
    """Return how often each outcome was seen."""
    total: Counter[str] = Counter()
    for record in found:
        total.update(record["counts"])
    return total


def test_no_flipped_bit_of_a_checked_format_does_harm() -> None:
    """A zip has checksums: a flipped bit is an error, or has met what nobody reads."""
    result = counts(records(BitFlip, "skops"))
    assert result.total() == 100
    assert result.keys() <= {Outcome.ERROR_AT_LOAD, Outcome.SAME}
    assert result[Outcome.ERROR_AT_LOAD] > 80


def test_checksum_at_the_end_is_not_read() -> None:
    """A pickle ends before the checksum of its gzip file: loading does not get so far."""
    result = counts(records(BitFlip, "pickle-5-gzip-1"))
    assert result[Outcome.VALUES_DIFFER] + result[Outcome.LABELS_DIFFER] > 0


def test_flipped_bit_in_a_pickle_can_go_unnoticed() -> None:
    """A pickle has no checksum: some flipped bits change answers, and nothing is raised."""
    result = records(BitFlip, "pickle-5")
    silent = [one for record in result for one in record["silent"]]
    harm = {Outcome.VALUES_DIFFER, Outcome.LABELS_DIFFER, Outcome.STATE_DIFFERS}
    assert {outcome for _, _, outcome, _ in silent} & harm
    assert len(silent) == sum(counts(result)[one] for one in (*harm, "crash", "timeout"))
    size = result[0]["bytes"]
    assert all(0 <= offset < size and 0 <= bit < 8 for offset, bit, _, _ in silent)
    assert result[0]["errors"]["UnpicklingError"]


def test_truncated_pickle_is_an_error() -> None:
    """A pickle ends with a STOP: whatever is cut off, loading fails."""
    result = counts(records(Truncation, "pickle-5"))
    assert result == {Outcome.ERROR_AT_LOAD: Truncation.count}


def test_more_faults_are_the_same_and_some_more() -> None:
    """Plans with one seed begin alike, so that records of fewer faults are kept."""
    kinds = [BitFlip(selection.usual(["small"], ["pickle-5"], count)) for count in (100, 150)]
    assert kinds[1].plan("seed", 100)[:100] == kinds[0].plan("seed", 100)
    assert kinds[0].plan("other", 100) != kinds[0].plan("seed", 100)
    fewer, more = ([trial.key for task in kind.tasks() for trial in task.trials] for kind in kinds)
    assert more[:2] == fewer


@pytest.mark.parametrize("fault", [Fault(0, 0), Fault(9, 7), Fault(0), Fault(4), Fault(9)])
def test_damage_is_mended(tmp_path: Path, fault: Fault) -> None:
    """One bit differs or the end is missing, and afterwards the file is what it was."""
    intact, path = tmp_path / "intact", tmp_path / "copy"
    data = bytes(range(10))
    for one in (intact, path):
        one.write_bytes(data)
    with _damage.damaged(path, intact, fault):
        result = path.read_bytes()
    if fault.bit is None:
        assert result == data[: fault.offset]
    else:
        differing = [a ^ b for a, b in zip(data, result, strict=True)]
        assert Counter(differing) == {0: 9, 1 << fault.bit: 1}
        assert differing[fault.offset]
    assert path.read_bytes() == data


class Fragile(Double):
    """Does worse things with a damaged file than raise: byte by byte, what is written there."""

    def dump(self, payload: Any, path: str) -> None:
        Path(path).write_bytes(bytes(4) + pickle.dumps(payload))

    def load(self, path: str, mmap_mode: str | None = None) -> Any:
        data = Path(path).read_bytes()
        if data[0]:
            os.abort()
        if data[1]:
            globals()["_poisoned"] = True
        if data[2]:
            while True:
                pass
        loaded = pickle.load(io.BytesIO(data[4:]))
        if _poisoned:
            loaded.steps[-1][1].coef_ = loaded.steps[-1][1].coef_ + 1
        return loaded


_poisoned = False


@pytest.fixture
def fragile(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cell]:
    """A cell of the fragile backend, which children know because they are forked from here."""
    monkeypatch.setattr(_damage, "LIMITS", sandbox.Limits(HANG, 2 * 10**9, 10**9))
    with known(monkeypatch, Fragile()):
        yield Cell(catalogue.get("small"), Fragile())


@pytest.mark.parametrize("together", [True, False])
def test_fault_does_not_reach_the_next(
    fragile: Cell, together: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A fault that kills its process, poisons it or hangs has its outcome; others have theirs."""
    monkeypatch.chdir(tmp_path)
    assert fragile.examine().same
    path = tmp_path / "artifact"
    path.write_bytes(fragile.artifact.read_bytes())
    tried = _damage.Tried(fragile, path, fragile.load_original())
    harmless, aborts, poisons, hangs = Fault(3, 0), Fault(0, 0), Fault(1, 0), Fault(2, 0)
    batch = [harmless, aborts, harmless, poisons, harmless, hangs, harmless, Fault(2)]
    result = [verdict.outcome for verdict in _damage.verdicts(tried, batch, together)]
    same, crash = Outcome.SAME, Outcome.CRASH
    assert result == [
        same,
        crash,
        same,
        Outcome.LABELS_DIFFER,
        same,
        Outcome.TIMEOUT,
        same,
        Outcome.ERROR_AT_LOAD,
    ]
    assert path.read_bytes() == fragile.artifact.read_bytes()


def test_worst_of_a_batch_is_shown() -> None:
    """What nobody notices is worse than what is raised; a crash is worse than an error."""
    order = [Outcome.SAME, Outcome.ERROR_AT_LOAD, Outcome.CRASH, Outcome.VALUES_DIFFER]
    verdicts = [Verdict(outcome) for outcome in order]
    assert [_faults.worst(verdicts[:n]).outcome for n in range(1, 5)] == order


def test_cell_without_patience_is_made_later() -> None:
    """When there is no time left, batches have no records: the same command makes them."""
    (task,) = BitFlip(selection.usual(["small"], ["pickle-5"], 200, 1e-9)).tasks()
    result = task()
    assert len(result) < len(task.trials)
    assert all(record["tried"] == 50 and record["wanted"] == 200 for record in result)


def test_backend_that_is_not_right_is_not_damaged() -> None:
    """Where there is no right artifact, the record says why and counts nothing."""
    (task,) = BitFlip(selection.usual(["lambda_function"], ["pickle-5"], 50)).tasks()
    (record,) = task()
    assert record["outcome"] == Outcome.ERROR_AT_DUMP
    assert (record["tried"], record["counts"]) == (0, {})


class Unstartable(Double):
    """Right, and then something lets no process begin that is to open a damaged artifact."""


@pytest.mark.parametrize("kind", [Truncation, BitFlip])
@pytest.mark.parametrize("end", ["dies", "raises", "is not started"])
def test_batch_that_could_not_begin_counts_nothing(
    kind: type[Kind], end: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the process ends before it opens a damaged artifact, no fault has been tried."""
    backend = Unstartable()
    answers = sandbox.answers

    @contextlib.contextmanager
    def not_damaged(*arguments: Any) -> Iterator[None]:
        if end == "raises":
            raise OSError(errno.EFBIG, "File too large")
        os.abort()
        yield

    def not_started(function: Any, *rest: Any, **more: Any) -> Any:
        if function is _damage.open_each:
            no_child = Verdict(Outcome.CRASH, "no child process can be started")
            raise sandbox.DeadError(no_child)
        return answers(function, *rest, **more)

    if end == "is not started":
        monkeypatch.setattr(sandbox, "answers", not_started)
    else:
        monkeypatch.setattr(_damage, "damaged", not_damaged)
    with known(monkeypatch, backend):
        (task,) = kind(selection.Selection(("small",), (backend,), 100, ENOUGH)).tasks()
        result = task()
    assert all(record["tried"] == 0 and not record["counts"] for record in result)
    assert {record["outcome"] for record in result} == {Outcome.UNSUPPORTED}
    assert all("nothing was damaged, crash: " in record["reason"] for record in result)


@pytest.mark.parametrize("kind", [Truncation, BitFlip])
def test_artifact_that_is_not_right_is_no_damage_that_was_noticed(kind: type[Kind]) -> None:
    """A lambda that skops cannot load: no outcome of the artifact is taken for one of damage."""
    result = records(kind, "skops", pipeline="lambda_function")
    assert {record["outcome"] for record in result} == {Outcome.UNSUPPORTED}
    assert all("nothing was damaged, error-at-load: " in record["reason"] for record in result)


@dataclass(frozen=True)
class Picky(Double):
    """Right, but not where the damage is done: the copy there has another name."""

    fault: str = ""

    def load(self, path: str, mmap_mode: str | None = None) -> Any:
        loaded = super().load(path)
        if Path(path).name == "artifact":
            if self.fault == "raises":
                raise ValueError("not here")
            if self.fault == "dies":
                os.abort()
            loaded.steps[-1][1].classes_ = loaded.steps[-1][1].classes_[::-1]
        return loaded


@linux
@pytest.mark.parametrize("fault", ["raises", "dies", "answers otherwise"])
def test_undamaged_copy_that_fails_counts_nothing(
    fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the undamaged artifact fails among the trials, no fault has been tried."""
    backend = Picky(fault)
    with known(monkeypatch, backend):
        (task,) = Truncation(selection.Selection(("small",), (backend,), 100, ENOUGH)).tasks()
        result = task()
    assert all(record["tried"] == 0 and not record["counts"] for record in result)
    assert {record["outcome"] for record in result} == {Outcome.UNSUPPORTED}


def test_batch_that_the_machine_did_not_let_begin_has_no_record(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Where the machine is to blame, the batches are made another time."""
    dead = sandbox.DeadError(Verdict(Outcome.CRASH, "no memory", fault=Blame.MACHINE))
    answers = sandbox.answers

    def full(function: Any, *rest: Any, **more: Any) -> Any:
        if function is _damage.try_all:
            raise dead
        return answers(function, *rest, **more)

    monkeypatch.setattr(sandbox, "answers", full)
    (task,) = Truncation(selection.usual(["small"], ["pickle-5"])).tasks()
    assert task() == []


@linux
@pytest.mark.parametrize("kind", [Truncation, BitFlip])
def test_damage_is_compared_with_the_fit_that_was_dumped(
    kind: type[Kind], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pipeline of which no copy can be kept, and no two builds are alike, blames no backend."""
    own, backend = unseeded(tmp_path, monkeypatch, REFUSES), Saver()
    with known(monkeypatch, backend):
        (task,) = kind(selection.Selection((own.name,), (backend,), 50, ENOUGH)).tasks()
        records = task()
    assert {record["tried"] for record in records} == {50}, records


def test_every_child_has_a_memory_limit() -> None:
    """No process of these trials may take all the memory of the machine."""
    limits = [kind.limits for kind in kinds.discover().values()] + [_damage.LIMITS, base.LIMITS]
    assert all(one.memory for one in limits)
