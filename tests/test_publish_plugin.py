"""`asv publish` makes a whole site, or leaves the earlier one as it was."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests._browser import chromium, ready, watched
from tests._results import BACKENDS, NAMES, PIPELINES, describe, measured, record

MACHINE = "desk <script>document.title='taken'<!--"


@pytest.fixture
def project(checkout: Path) -> Path:
    """A checkout with results of its own commit."""
    head = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=checkout, capture_output=True, text=True, check=True
    ).stdout.strip()
    describe(checkout / "results", machines=(MACHINE,))
    for name in NAMES:
        file = measured(
            checkout / "results", [1.0, 2.0, 3.0, 4.0], name=name, machine=MACHINE, commit=head
        )
    record(file, pipeline=PIPELINES[0], backend=BACKENDS[0], reason="<b>bold</b>")
    return checkout


def publish(project: Path, before: str = "") -> subprocess.CompletedProcess[str]:
    """Run `asv publish`, after another command of the shell."""
    command = f"{before} {sys.executable} -m asv publish"
    return subprocess.run(
        ["bash", "-c", command], cwd=project, capture_output=True, text=True, check=False
    )


def leftovers(project: Path) -> list[str]:
    """Return what lies in the project beside what git knows of and the site."""
    status = subprocess.run(
        ["git", "status", "--short", "--ignored", "--untracked-files=all"],
        cwd=project,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    known = ("results/", "html/", "__pycache__")
    return [line for line in status.splitlines() if not any(part in line for part in known)]


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def served(project: Path) -> Iterator[str]:
    """The address of the published site on a local server, as `asv preview` has it."""
    assert publish(project).returncode == 0
    handler = partial(_Quiet, directory=str(project / "html"))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_site_stands_on_its_own(served: str) -> None:
    """The comparison comes first, asv's own pages are one click away and lead back, offline."""
    with chromium() as browser:
        page = browser.new_page()
        watch = watched(page)
        ready(page, f"{served}/")
        assert "How should I save" in page.inner_text("h1")
        page.click("text=History (asv)")
        page.wait_for_selector(f"text={NAMES[0]}")
        page.click(f"text={NAMES[0]}")
        page.wait_for_selector("text=pipeline='small'")
        assert all(address.startswith(served) for address in watch.requests)
        page.click("text=Comparison of the backends")
        page.wait_for_selector("html[data-ready]")
        assert "taken" not in page.title()


def test_new_site_replaces_the_old_one_whole(project: Path) -> None:
    """Nothing of the earlier site is left, nor of the making of the new one."""
    (project / "html").mkdir()
    (project / "html" / "stale.html").write_text("old")
    assert publish(project).returncode == 0
    assert not (project / "html" / "stale.html").exists()
    assert {"index.html", "history.html", "figures.csv", "index.json", "safety.md"} <= {
        path.name for path in (project / "html").iterdir()
    }
    assert not leftovers(project)


@pytest.mark.parametrize(
    ("trouble", "said"),
    [
        ("ulimit -f 300;", "cannot be written"),
        ("mv results elsewhere;", "benchmarks.json"),
        ("echo '{' > results/benchmarks.json;", "benchmarks.json"),
    ],
)
def test_earlier_site_survives(project: Path, trouble: str, said: str) -> None:
    """No room for the page, no results, or no description of them: a sentence, and the old site."""
    (project / "html").mkdir()
    (project / "html" / "index.html").write_text("old")
    done = publish(project, before=trouble)
    assert done.returncode != 0
    assert said in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert (project / "html" / "index.html").read_text() == "old"
    assert not [line for line in leftovers(project) if "publishing" in line]


def test_foreign_files_are_named_and_the_rest_is_published(project: Path) -> None:
    """Cut-off and foreign JSON, also of a machine, and results that asv would stumble over."""
    folder = project / "results" / MACHINE
    (folder / "cut.json").write_text('{"version": 2, "res')
    (folder / "foreign.json").write_text("[1, 2]")
    (folder / "odd.json").write_text('{"version": 2, "params": 3, "results": 7}')
    other = project / "results" / "other"
    other.mkdir()
    (other / "machine.json").write_text('{"mach')
    done = publish(project)
    assert done.returncode == 0, done.stdout + done.stderr
    for name in ("cut.json", "foreign.json", "odd.json", "machine.json"):
        assert name in done.stdout + done.stderr
    page = (project / "html" / "index.html").read_text(encoding="utf-8")
    for name in ("cut.json", "foreign.json", "odd.json"):
        assert f"{name} is left out" in page
    assert "pickle-5" in (project / "html" / "figures.csv").read_text()


def test_without_its_libraries_the_table_is_written(project: Path) -> None:
    """An asv without ours says what to install, and publishes its own site and the table."""
    blocked = project / "blocked"
    blocked.mkdir()
    (blocked / "altair.py").write_text("raise ModuleNotFoundError('no altair', name='altair')")
    done = publish(project, before=f"PYTHONPATH={blocked}")
    assert done.returncode == 0, done.stdout + done.stderr
    assert 'pip install "persistbench[report]"' in done.stdout + done.stderr
    assert (project / "html" / "figures.csv").is_file()
