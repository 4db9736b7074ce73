"""Which commit of the suite is running."""

import subprocess
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
"""The folder that is a checkout, unless the package is installed elsewhere."""


@cache
def commit() -> str:
    """Return the first eight digits of the checkout's commit; empty outside a checkout."""
    if not (ROOT / ".git").exists():
        return ""
    git = ["git", "rev-parse", "--short=8", "HEAD"]
    try:
        done = subprocess.run(git, cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603
    except OSError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
