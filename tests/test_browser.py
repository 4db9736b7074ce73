"""The browser of the tests is the one that is there, or one that is fetched, or loudly missed."""

import shutil
import subprocess
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests import _browser


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A machine without a browser, whose Playwright would put its own into the folder returned."""
    own = tmp_path / "playwright" / "chromium"
    driver = SimpleNamespace(chromium=SimpleNamespace(executable_path=str(own)))
    monkeypatch.setattr(_browser, "sync_playwright", lambda: nullcontext(driver))
    monkeypatch.setattr(_browser, "started", lambda path: nullcontext())
    monkeypatch.setattr(shutil, "which", lambda name: None)
    monkeypatch.delenv("CI", raising=False)
    return own


def fetching(monkeypatch: pytest.MonkeyPatch, brings: dict[str, Any]) -> list[str]:
    """Let programs be fakes: each does what its entry does, or fails; return what was run."""
    ran: list[str] = []

    def run(command: list[str], **_: Any) -> SimpleNamespace:
        ran.append(" ".join(command[-3:]))
        made = next((done for name, done in brings.items() if name in command), None)
        if made is None:
            raise subprocess.TimeoutExpired(command, 1)
        made()
        return SimpleNamespace(returncode=0)

    monkeypatch.setattr(subprocess, "run", run)
    return ran


def test_browser_of_the_system_is_used(monkeypatch: pytest.MonkeyPatch, bare: Path) -> None:
    """Nothing is fetched where Chrome is on PATH."""
    ran = fetching(monkeypatch, {})
    monkeypatch.setattr(shutil, "which", lambda name: f"/bin/{name}" if "google" in name else None)
    assert _browser.provide() == "/bin/google-chrome"
    assert ran == []


def test_browser_is_fetched_by_playwright(monkeypatch: pytest.MonkeyPatch, bare: Path) -> None:
    """Where there is none, Playwright brings its own."""

    def bring() -> None:
        bare.parent.mkdir()
        bare.touch()

    ran = fetching(monkeypatch, {"playwright": bring})
    assert _browser.provide() == str(bare)
    assert ran == ["playwright install chromium"]


def test_root_installs_debians(monkeypatch: pytest.MonkeyPatch, bare: Path) -> None:
    """Where Playwright cannot fetch one, root takes Debian's package."""
    there: list[str] = []

    def which(name: str) -> str | None:
        return f"/bin/{name}" if name in ("apt-get", *there) else None

    monkeypatch.setattr(shutil, "which", which)
    monkeypatch.setattr(_browser.os, "geteuid", lambda: 0, raising=False)
    brings = {"update": lambda: None, "chromium": lambda: there.append("chromium")}
    ran = fetching(monkeypatch, {"playwright": None, **brings})
    assert _browser.provide() == "/bin/chromium"
    assert len(ran) == 3


def test_without_a_browser_tests_are_skipped_and_never_under_ci(
    monkeypatch: pytest.MonkeyPatch, bare: Path
) -> None:
    """A reader's machine says so; CI fails."""
    fetching(monkeypatch, {})
    monkeypatch.setattr(_browser.os, "geteuid", lambda: 1000, raising=False)
    assert _browser.provide() is None
    with pytest.raises(pytest.skip.Exception, match="no Chromium"), _browser.chromium():
        pass
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="no Chromium"), _browser.chromium():
        pass
