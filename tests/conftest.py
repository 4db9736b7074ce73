"""Every test keeps fitted pipelines and artifacts in a temporary folder of the session."""

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import settings
from playwright.sync_api import Browser, Page
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from persistbench import Case, sandbox
from pipelines._data import classes
from tests._browser import PATIENCE_MILLISECONDS, chromium

settings.register_profile("any machine", deadline=None)  # no test depends on its speed
settings.load_profile("any machine")


LONGEST = (
    "test_suite",
    "test_custom_code",
    "test_exactness",
    "test_catalogue",
    "test_safety_faults",
    "test_page",
    "test_publish_plugin",
    "test_isolation",
    "test_fresh",
    "test_cli",
    "test_safety_map_in_use",
    "test_bad_input",
    "test_sandbox_hostile",
    "test_safety_bombs",
    "test_sandbox",
    "test_exactness_noise",
    "test_survival",
    "test_campaign",
    "test_safety_code",
)
"""The files that take longest, as measured. A process takes a file as a whole: if a long one were
the last, all others would wait for it."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let the longest files begin first."""
    ranks = {name: rank for rank, name in enumerate(LONGEST)}
    items.sort(key=lambda item: ranks.get(item.path.stem, len(ranks)))


@pytest.fixture(scope="session", autouse=True)
def own_tmpdir(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """TMPDIR for this process and its children."""
    folder = tmp_path_factory.mktemp("tmpdir")
    before = os.environ.get("TMPDIR")
    os.environ["TMPDIR"] = str(folder)
    tempfile.tempdir = None  # look at TMPDIR again
    yield folder
    tempfile.tempdir = None
    if before is None:
        del os.environ["TMPDIR"]
    else:
        os.environ["TMPDIR"] = before


@pytest.fixture(scope="session", autouse=True)
def warm_fork_server() -> None:
    """Let the fork server import what trials need, whichever test starts the server.

    A server that was started before somebody asked for this leaves the imports to each child.
    """
    sandbox.preload("persistbench.trials.warm")
    sandbox.context()


@pytest.fixture(scope="session", autouse=True)
def interruptible() -> None:
    """Let Ctrl-C be heard, which a shell turns off for what it starts in the background."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@contextmanager
def file_size_limit(limit: int) -> Iterator[None]:
    """Let no file grow beyond so many bytes: what a full disk does, without filling one.

    Children inherit the limit when they are forked from this process.
    """
    resource = pytest.importorskip("resource", reason="file-size limits are POSIX")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
    try:
        with sandbox.forking():
            yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.fixture
def case() -> Case:
    """A small pipeline of two steps with two classes."""
    X, held_out, y, truth = classes(300, 6)
    estimator = make_pipeline(StandardScaler(), LogisticRegression()).fit(X, y)
    return Case(estimator, held_out, truth)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of this checkout as it is on disk, without results, in a git repository of its own."""
    return copy_checkout(tmp_path)


def copy_checkout(folder: Path) -> Path:
    """Make such a copy in a folder; return where it is."""
    root = Path(__file__).parents[1]
    copy = folder / "checkout"
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=root,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    for name in listed.split("\0"):
        if name and not name.startswith("results/") and (root / name).is_file():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(root / name, copy / name)
    identity = ("-c", "user.name=test", "-c", "user.email=test@example.org")
    for command in (("init", "-q"), ("add", "-A"), (*identity, "commit", "-qm", "copy")):
        subprocess.run(["git", *command], cwd=copy, check=True)
    return copy


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One browser for all tests of a file."""
    with chromium() as result:
        yield result


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A fresh tab."""
    result = browser.new_page(viewport={"width": 1280, "height": 900})
    result.set_default_timeout(PATIENCE_MILLISECONDS)
    yield result
    result.close()
