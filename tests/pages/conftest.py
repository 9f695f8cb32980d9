"""A real Chromium with a page in it that asks nobody for anything: whatever it tries fails its test."""

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
MISSING = "pages are looked at in a real browser: install Chromium (Debian and Ubuntu: the package chromium)"


@dataclass
class Opened:
    """Opens pages, and keeps whatever they should not have done."""

    browser: Browser
    folder: Path
    faults: list[str] = field(default_factory=list)
    contexts: list[BrowserContext] = field(default_factory=list)

    def __call__(self, html: str, **context: Any) -> Page:
        """A page in a context of its own; `context` are its options, such as a colour scheme."""
        self.contexts.append(self.browser.new_context(**context))
        page = self.contexts[-1].new_page()
        page.set_default_timeout(10_000)
        page.on("request", lambda request: self._asked(request.url))
        page.on("console", lambda message: self._said(message.type, message.text))
        page.on("pageerror", lambda error: self.faults.append(str(error)))
        page.on("dialog", lambda dialog: self.faults.append(f"dialog: {dialog.message}"))
        return self.again(page, html)

    def again(self, page: Page, html: str) -> Page:
        """The same or another page in one that is open: much faster than a new one."""
        file = self.folder / "page.html"
        file.write_text(html, encoding="utf-8")
        page.emulate_media(media="screen", color_scheme="light", reduced_motion="no-preference")
        page.set_viewport_size({"width": 1280, "height": 800})
        page.goto(file.as_uri())
        return page

    def _asked(self, url: str) -> None:
        if url.partition("#")[0] != (self.folder / "page.html").as_uri():
            self.faults.append(f"request: {url}")

    def _said(self, kind: str, words: str) -> None:
        """What Chromium reports of a page: violations of its policy are errors."""
        if kind in ("error", "warning"):
            self.faults.append(f"{kind}: {words}")

    def close(self) -> None:
        for context in self.contexts:
            context.close()
        assert self.faults == []


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Of one module, for an event loop runs as long as it is there, and others could run none."""
    if CHROMIUM is None:
        if os.environ.get("CI") == "true":
            pytest.fail(MISSING)
        pytest.skip(MISSING)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def opened_once(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Opened]:
    """For pages that all tests of a module look at."""
    opened = Opened(browser, tmp_path_factory.mktemp("pages"))
    yield opened
    opened.close()


@pytest.fixture
def opened(browser: Browser, tmp_path: Path) -> Iterator[Callable[..., Page]]:
    """For a page of a test's own."""
    opened = Opened(browser, tmp_path)
    yield opened
    opened.close()
