"""Own code in a pipeline: what can be saved, and what is loaded where that code is not?

A dump that reports success and can't be loaded anywhere but where it was made is the trap: a
false success. Everything is saved by a script and loaded by two other interpreters. In one the
code is ``present``: it runs the same script and can import the same module. In the other it is
``absent``: neither is there.

Two kinds need a choice. The ``partial`` holds a function of NumPy, which is there everywhere: with
one of the user's own module its outcomes would be those of ``module-function`` again, and not
tell whether a format can carry a partial at all. The ``ufunc`` is ``numpy.log1p``, which
scikit-learn's documentation gives to a FunctionTransformer.

Backends that load only what is trusted are told to trust the names that the user wrote into these
pipelines, as somebody would do who has reviewed that code; what else a file asks for is refused.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from persistbench import backends
from persistbench.outcomes import Outcome, Verdict
from persistbench.trials import campaign
from persistbench.trials.campaign import Record, Task, Trial

KIND = "custom-code"
VERSION = 1
"""Of what is tried: raised with every change of this trial that can change an outcome."""

KINDS = (
    "module-function",
    "module-class",
    "main-function",
    "main-class",
    "lambda",
    "closure",
    "local-class",
    "partial",
    "ufunc",
)
CONDITIONS = ("present", "absent")
"""Whether the code is there when the file is loaded."""

SECONDS = 60.0
"""For each dump, and for each load with its use."""

_CANNOT_BE_USED = (Outcome.ERROR_AT_LOAD, Outcome.ERROR_AT_USE, Outcome.CRASH, Outcome.TIMEOUT)


def tasks(backend_ids: Sequence[str]) -> list[Task]:
    """Return a task for each kind of code: one process saves it with every backend.

    Args:
        backend_ids: empty for all.

    Raises:
        UserError: there is no such backend.
    """
    chosen = [backend.id for backend in campaign.chosen(backend_ids)]
    return [
        Task(
            tuple(
                campaign.trial(KIND, VERSION, kind, one, condition)
                for one in chosen
                for condition in CONDITIONS
            ),
            make,
        )
        for kind in KINDS
    ]


def make(trials: Sequence[Trial]) -> list[Record]:
    """Return the records of one kind's trials."""
    kind = trials[0].subject
    ids = dict.fromkeys(trial.backend for trial in trials)
    lacking = {one: backends.get(one).unavailable for one in ids if backends.get(one).missing}
    with tempfile.TemporaryDirectory(prefix="persistbench-") as folder:
        own, artifacts = Path(folder, "own"), Path(folder, "artifacts")
        own.mkdir()
        artifacts.mkdir()
        for part in ("users_script", "users_module"):
            shutil.copy(_PROGRAM, own / f"{part}.py")
        ready = [one for one in ids if one not in lacking]
        saved = _run("save", kind, own, artifacts, ready)
        good = [one for one in ready if saved[one].same]
        loaded = {
            "present": _run("load", kind, own, artifacts, good),
            "absent": _run("load", kind, None, artifacts, good),
        }
    result = []
    for trial in trials:
        assert trial.condition is not None  # noqa: S101 (tasks() gives each one)
        if trial.backend in lacking:
            verdict = Verdict(Outcome.NOT_INSTALLED, lacking[trial.backend])
        else:
            verdict = loaded[trial.condition].get(trial.backend, saved[trial.backend])
        false_success = trial.backend in good and verdict.outcome in _CANNOT_BE_USED
        result.append(trial.record(verdict, false_success=false_success))
    return result


_PROGRAM = Path(__file__).with_name("custom_code_child.py")


def _run(
    action: str, kind: str, own: Path | None, artifacts: Path, backend_ids: Sequence[str]
) -> dict[str, Verdict]:
    """Return what a fresh interpreter says of each backend.

    Args:
        action: ``save`` or ``load``.
        kind: one of :data:`KINDS`.
        own: the folder with the user's script and module; None where they are absent.
        artifacts: the folder of the artifacts.
        backend_ids: may be empty.
    """
    if not backend_ids:
        return {}
    if own is None:
        name = f"{__package__}.{_PROGRAM.stem}"
        program = ["-c", f"import sys; from {name} import main; main(*sys.argv[1:])"]
    else:
        program = [str(own / "users_script.py")]
    paths = [str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")]
    command = [sys.executable, *program, action, kind, str(artifacts), str(SECONDS), *backend_ids]
    try:
        done = subprocess.run(  # noqa: S603 (our own program)
            command,
            cwd=artifacts,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))},
            capture_output=True,
            text=True,
            check=False,
            timeout=60 + SECONDS * len(backend_ids),
        )
        printed, last = done.stdout, (done.stderr.strip().splitlines() or ["no message"])[-1]
    except subprocess.TimeoutExpired as late:
        printed, last = (late.stdout or b"").decode(), "it has not ended in time"
    result = {one: Verdict(Outcome.CRASH, f"the interpreter: {last}") for one in backend_ids}
    for line in printed.splitlines():
        backend_id, outcome, reason = json.loads(line)
        result[backend_id] = Verdict(Outcome(outcome), reason)
    return result
