"""A real browser for tests of pages: Chromium, driven by Playwright."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

_FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
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


@contextmanager
def chromium() -> Iterator[Browser]:
    """Start the browser; a test that needs one fails where there is none."""
    names = ("chromium", "chromium-browser", "google-chrome", "chrome")
    path = next(filter(None, map(shutil.which, names)), None)
    if path is None:
        pytest.fail("Chromium is not installed: on Debian, `apt-get install chromium`.")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(_FLAGS))
        yield browser
        browser.close()


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
    page.goto(address)
    page.wait_for_selector("html[data-ready]")
    page.evaluate("persistbench.drawAll()")
    return page
