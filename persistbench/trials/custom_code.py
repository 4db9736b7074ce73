"""Own code in a pipeline: what can be saved, and what is loaded where that code is not?

A dump that reports success is a false success if the artifact can be loaded nowhere but where it
was made. Everything is saved by a script and loaded by two other interpreters. In one the
code is ``present``: it runs the same script and can import the same module. In the other it is
``absent``: neither is there.

Two kinds need a choice. The ``partial`` holds a function of NumPy, which is there everywhere: with
one of the user's own module its outcomes would be those of ``module-function`` again, and not
tell whether a format can carry a partial at all. The ``ufunc`` is ``scipy.special.expit``, which
the user's script and module import by its name. It does not say from which module it comes, so
pickle looks for its name in all modules. multiprocessing gives the script a second name,
``__mp_main__``. A script that imports scikit-learn or joblib before SciPy imports multiprocessing
first. Python's fast pickler then finds the ufunc in ``__mp_main__``, which is another module
elsewhere.

Some backends load only what is trusted. They trust the names that the user wrote into these
pipelines, as somebody would do who has reviewed that code. They refuse what else a file asks for.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from persistbench.backends import Backend
from persistbench.outcomes import Outcome, Verdict
from persistbench.trials import _artifacts, base
from persistbench.trials.trial import Trial

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

PROGRAM = Path(__file__).with_name("custom_code_child.py")
"""What the interpreters run that save and load."""


@dataclass(frozen=True)
class Result(base.Result):
    """What became of own code.

    Attributes:
        false_success: whether the dump reported success, and the artifact cannot be used.
    """

    false_success: bool = False


class CustomCode(base.Kind):
    """Kinds of code; one process saves a kind with every backend."""

    name = "custom-code"
    version = 2
    shared = ("subject",)
    subjects = KINDS
    result_type = Result

    def conditions(self, subject: str, backend: Backend) -> Sequence[str]:
        return CONDITIONS

    def inputs(self, subject: str, condition: str | None) -> str:
        return _artifacts.code(PROGRAM)

    def results(self, trials: Sequence[Trial], folder: Path) -> Iterator[Result]:
        kind = trials[0].subject
        own, artifacts = folder / "own", folder / "artifacts"
        own.mkdir()
        artifacts.mkdir()
        for part in ("users_script", "users_module"):
            shutil.copy(PROGRAM, own / f"{part}.py")
        ids = list(dict.fromkeys(one.backend for one in trials))
        saved = _run("save", kind, own, artifacts, ids)
        good = [one for one, verdict in saved.items() if verdict.same]
        loaded = {
            "present": _run("load", kind, own, artifacts, good),
            "absent": _run("load", kind, None, artifacts, good),
        }
        for trial in trials:
            verdict = loaded[str(trial.condition)].get(trial.backend, saved[trial.backend])
            useless = not (verdict.outcome.came_back or verdict.outcome.refusal)
            yield Result(verdict, false_success=trial.backend in good and useless)


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
        name = f"{__package__}.{PROGRAM.stem}"
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
