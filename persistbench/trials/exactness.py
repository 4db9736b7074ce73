"""Is it exact? Every pipeline, saved by every backend and opened where it was never seen.

The grid compares predictions before anything is timed. Here an interpreter of its own opens each
artifact and looks closer: every attribute, the parameters, whether it can be cloned and fitted
again, whether a second dump is the same bytes, and what users know from their reports: accuracy,
precision, recall, F1 and the confusion matrix, on a balanced set and on one with 1 % positives.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from persistbench import backends
from persistbench.cases import catalogue
from persistbench.cases.fitted import BuildError, MissingLibraryError, fit
from persistbench.outcomes import Outcome, Verdict
from persistbench.trials import campaign, exactness_child
from persistbench.trials.campaign import Record, Task, Trial

KIND = "exactness"
VERSION = 3
"""Of what is tried: raised with every change that can change an outcome."""

LIMIT_SECONDS = 600.0


def tasks(pipelines: Sequence[str], backend_ids: Sequence[str]) -> list[Task]:
    """Return a task for each pipeline: one process saves it with all backends.

    Args:
        pipelines: names; empty for all of the catalogue.
        backend_ids: empty for all.

    Raises:
        UserError: there is no such pipeline or backend.
    """
    names = [catalogue.get(name).name for name in pipelines] or list(catalogue.discover())
    chosen = campaign.chosen(backend_ids)
    return [
        Task(
            tuple(campaign.trial(KIND, VERSION, name, backend.id) for backend in chosen),
            partial(_made, name),
        )
        for name in names
    ]


def _made(name: str, trials: tuple[Trial, ...]) -> list[Record]:
    """Return the records of the trials of one pipeline."""
    try:
        fit(catalogue.get(name))
    except BuildError as error:
        missing = isinstance(error, MissingLibraryError)
        outcome = Outcome.NOT_INSTALLED if missing else Outcome.ERROR_AT_BUILD
        return [trial.record(Verdict(outcome, str(error))) for trial in trials]
    ready = [one for one in trials if not backends.get(one.backend).missing]
    with tempfile.TemporaryDirectory() as folder:
        saved = _child("save", name, folder, *(one.backend for one in ready))
        return [_record(one, name, folder, saved) for one in trials]


def _record(trial: Trial, name: str, folder: str, saved: dict[str, Any]) -> Record:
    unavailable = backends.get(trial.backend).unavailable
    if unavailable:
        return trial.record(Verdict(Outcome.NOT_INSTALLED, unavailable))
    if "outcome" in saved:  # the process has died: of which backend, is found out one by one
        saved = _child("save", name, folder, trial.backend)
    if "outcome" in saved:
        return trial.record(_verdict(saved))
    if trial.backend in saved["failed"]:
        outcome, reason = saved["failed"][trial.backend]
        return trial.record(Verdict(Outcome(outcome), reason))
    result = _child("load", name, folder, trial.backend)
    Path(folder, trial.backend).unlink()
    if result.get("checks") and trial.backend in saved["varying"]:
        result["checks"] |= _VARYING
    return trial.record(_verdict(result), **result)


_VARYING = {
    "deterministic": "a second dump of the estimator differs",
    "second dump": "n/a: two dumps are never the same",
}


def _verdict(found: dict[str, Any]) -> Verdict:
    """Take the verdict out of what a child has said."""
    return Verdict(Outcome(found.pop("outcome")), found.pop("reason"))


def _child(action: str, *arguments: str) -> dict[str, Any]:
    """Return what the child's program says; an outcome and its reason if it says nothing."""
    # -P: the folder of the program holds modules, and is no place to import from.
    program = [sys.executable, "-P", "-m", exactness_child.__name__]
    try:
        done = subprocess.run(  # noqa: S603 (our own program)
            [*program, action, *arguments],
            capture_output=True,
            text=True,
            check=False,
            timeout=LIMIT_SECONDS,
        )
    except subprocess.TimeoutExpired:
        return {"outcome": Outcome.TIMEOUT, "reason": f"not finished after {LIMIT_SECONDS:g} s"}
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        reason = f"{action}: exit status {done.returncode}, {last}"[:300]
        return {"outcome": Outcome.CRASH, "reason": reason}
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result
