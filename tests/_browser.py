"""A real browser for tests of pages: Chromium, driven by Playwright.

As a program (`python -m tests._browser`) it makes sure that there is a browser, before tests that
run side by side look for one.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")

PATIENCE_MILLISECONDS = 300_000
"""So long a page may take for anything: a busy machine is slow, and no test times the page."""

_FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)

_DOWNLOAD_SECONDS = 300

MISSING = (
    "There is no Chromium or Chrome, and none could be fetched: tests that need a browser are "
    "skipped. On Debian, `apt-get install chromium` brings one."
)


@dataclass
class Watch:
    """What a page did beside being shown.

    Attributes:
        errors: messages of the console and exceptions.
        requests: addresses that were asked for, other than the page's own data.
        refused: those that were answered with an error.
    """

    errors: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)


def find() -> str | None:
    """Return the path of a browser: that of the system, or the one that Playwright has fetched."""
    for path in map(shutil.which, NAMES):
        if path is not None:
            return path
    with sync_playwright() as playwright:
        own = playwright.chromium.executable_path
    return own if Path(own).is_file() else None


def provide() -> str | None:
    """Return the path of a browser that starts; fetch one if there is none.

    Playwright fetches its own, which may lack libraries of the system; root has Debian's package.
    """
    ways = [[], [[sys.executable, "-m", "playwright", "install", "chromium"]]]
    if hasattr(os, "geteuid") and os.geteuid() == 0 and shutil.which("apt-get"):
        packages = ["install", "-q", "-y", "--no-install-recommends", "chromium"]
        ways.append([["apt-get", "update", "-q"], ["apt-get", *packages]])
    for commands in ways:
        if all(map(_done, commands)) and (path := find()) and _starts(path):
            return path
    return None


def _done(command: list[str]) -> bool:
    """Run a command that fetches something; return whether it succeeded."""
    print(f"No browser for the tests: {' '.join(command)}", flush=True)
    silent = subprocess.DEVNULL
    try:
        done = subprocess.run(
            command, check=False, timeout=_DOWNLOAD_SECONDS, stdout=silent, stderr=silent
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def _starts(path: str) -> bool:
    try:
        with started(path):
            return True
    except Exception:
        return False


@contextmanager
def started(path: str) -> Iterator[Browser]:
    """Start the browser with this path."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=path, args=list(_FLAGS), timeout=PATIENCE_MILLISECONDS
        )
        yield browser
        browser.close()


@contextmanager
def chromium() -> Iterator[Browser]:
    """Start the browser; without one a test is skipped, under CI=true it fails."""
    path = find()
    if path is None:
        if os.environ.get("CI") == "true":
            pytest.fail(MISSING)
        pytest.skip(MISSING)
    with started(path) as browser:
        yield browser


def watched(page: Page) -> Watch:
    """Note from now on what the page does."""
    watch = Watch()
    page.on("console", lambda m: watch.errors.append(m.text) if m.type == "error" else None)
    page.on("pageerror", lambda error: watch.errors.append(str(error)))
    own = ("data:", "blob:")
    page.on("request", lambda r: None if r.url.startswith(own) else watch.requests.append(r.url))
    page.on("response", lambda r: watch.refused.append(r.url) if r.status >= 400 else None)
    return watch


def ready(page: Page, address: str) -> Page:
    """Open the page of the comparison and wait until all charts are drawn, near or far."""
    page.set_default_timeout(PATIENCE_MILLISECONDS)
    page.goto(address)
    page.wait_for_selector("html[data-ready]")
    page.evaluate("persistbench.drawAll()")
    return page


if __name__ == "__main__" and provide() is None:
    print(f"\n!!! {MISSING}\n", flush=True)
    sys.exit(os.environ.get("CI") == "true")
