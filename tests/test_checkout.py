"""The commit of the suite is git's, and nothing where there is no checkout."""

import subprocess
from pathlib import Path

import pytest

from persistbench.outcomes import Outcome, Verdict
from persistbench.system import checkout
from persistbench.trials.trial import trial

ROOT = Path(__file__).parents[1]


def test_commit_is_that_of_git() -> None:
    """Eight digits of HEAD, which records of trials tell."""
    git = ["git", "rev-parse", "HEAD"]
    head = subprocess.run(git, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert checkout.commit() == head[:8]
    one = trial("custom-code", 1, "module", "pickle-5", "present")
    assert one.record(Verdict(Outcome.SAME))["commit"] == head[:8]


def test_outside_a_checkout_there_is_none(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An installed package has no commit."""
    monkeypatch.setattr(checkout, "ROOT", tmp_path)
    assert checkout.commit.__wrapped__() == ""
