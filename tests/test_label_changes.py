"""The question how many predictions change says why it has no answer, and whose fault that is."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

# In a process of its own: whatever imports benchmarks/ is going to fork.
ASK = """
import sys
from benchmarks.label_changes import LabelChanges
from persistbench.errors import UnsupportedError
from persistbench.outcomes import Outcome, Verdict

for label_changes, uncompared in {verdicts!r}:
    question = LabelChanges()
    question.admit(None, Verdict(Outcome.SAME, "", label_changes, uncompared=uncompared))
    try:
        question.prepare(None)
        print(question.track_label_changes("small", "joblib"))
    except UnsupportedError as error:
        print(error, "|", question.fault)
"""
RANDOM = "predict: answers at random; its state was compared instead"
NOTHING = "there is no predict to compare: only bytes or transforms"
VERDICTS = {
    (0, ()): "0",
    (7, ("scores: y has several columns",)): "7",
    (None, (RANDOM,)): f"{RANDOM} | pipeline",
    (None, ("predict_proba: answers at random", RANDOM)): f"{RANDOM} | pipeline",
    (None, ("transform: answers at random",)): f"{NOTHING} | None",
    (None, ()): f"{NOTHING} | None",
}


@pytest.fixture(scope="module")
def answers() -> list[str]:
    """What the question says of each of the verdicts."""
    code = ASK.format(verdicts=list(VERDICTS))
    command = [sys.executable, "-B", "-c", code]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.mark.parametrize("index", range(len(VERDICTS)))
def test_reason_is_what_was_not_compared(answers: list[str], index: int) -> None:
    """A predict that answers at random is there, and a transform is none."""
    assert answers[index] == list(VERDICTS.values())[index]
