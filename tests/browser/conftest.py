from __future__ import annotations

import os
import re
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urljoin

import pytest
from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright
from playwright.sync_api import TimeoutError as NothingCame

from treadle.api import Server

ARGUMENTS = [
    "--no-sandbox",
    "--headless",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Browser]:
    """A browser with an empty profile."""
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=shutil.which("chromium"),
            args=ARGUMENTS,
            env={**os.environ, "HOME": str(tmp_path)},
        )
        yield chromium
        chromium.close()


LONG = 90_000
"""Milliseconds in which a machine under load serves a deployment, or runs it."""


@dataclass
class Screenshots:
    """Keeps pictures of pages where CI collects them: in the folder that SCREENSHOTS names."""

    folder: Path

    def take(self, page: Page, name: str) -> None:
        """Keep what the page shows now."""
        page.screenshot(path=self.folder / f"{name}.png")


@pytest.fixture(scope="session")
def screenshots() -> Screenshots:
    folder = Path(os.environ.get("SCREENSHOTS") or Path(__file__).parent / "screenshots")
    folder.mkdir(parents=True, exist_ok=True)
    return Screenshots(folder.absolute())


@dataclass
class RunPage:
    """The page of a flow run of a workflow's deployment."""

    page: Page
    workflow: str

    def wait_for(self, state: str) -> None:
        """Wait until the run has a state."""
        expect(self.page.get_by_role("main").get_by_text(state, exact=True).first).to_be_visible(timeout=LONG)

    @property
    def number(self) -> int:
        """The run's number in Treadle, which is in its name as soon as it has begun."""
        begun = re.compile(rf"^{re.escape(self.workflow)} \d+$")
        name = self.page.get_by_role("main").get_by_text(begun).first
        expect(name).to_be_visible(timeout=LONG)
        return int(name.inner_text().rpartition(" ")[2])

    def choose(self, action: str) -> None:
        """Choose an action from the run's menu, and confirm it."""
        self.page.get_by_role("main").get_by_role("button", name="Open menu").first.click()
        self.page.get_by_role("menuitem", name=action, exact=True).click()
        dialog = self.page.get_by_role("alertdialog")
        dialog.get_by_role("button").last.click()
        expect(dialog).to_be_hidden()

    def tab(self, name: str) -> None:
        self.page.get_by_role("tab", name=name, exact=True).click()

    def open_step(self, name: str) -> None:
        """Open the page of a step."""
        self.tab("Task Runs")
        self.page.get_by_role("link", name=name, exact=True).click(timeout=LONG)

    def open_artifact(self, key: str) -> None:
        """Open an artifact of the run or step whose page this is."""
        self.tab("Artifacts")
        shown = self.page.get_by_role("heading", name=key, exact=True)
        self.until(shown)
        shown.click()
        expect(self.page.get_by_role("tab", name="Raw")).to_be_visible(timeout=LONG)

    def until(self, there: Locator) -> None:
        """Load the page again until something is there; it does not ask for everything by itself."""
        deadline = time.monotonic() + LONG / 1000
        while True:
            try:
                expect(there.first).to_be_visible(timeout=3_000)
            except AssertionError:
                if time.monotonic() > deadline:
                    raise
                self.page.reload()
            else:
                return


@dataclass
class Form:
    """The form of a workflow's deployment."""

    page: Page
    workflow: str

    def fill(self, label: str, value: str) -> None:
        self.page.get_by_label(label).fill(value)

    def select(self, label: str, value: str) -> None:
        self.page.get_by_role("button", name=f"Select {label}").click()
        self.page.get_by_role("option", name=value, exact=True).click()

    def submit(self) -> None:
        self.page.get_by_role("button", name="Submit").click()

    def start(self) -> RunPage:
        """Submit it and open the page of the run; the message that leads there may be gone too soon.

        A press is lost where the form lays itself out anew under the pointer: one that sends nothing is
        repeated.
        """
        deadline = time.monotonic() + LONG / 1000
        while True:
            try:
                with self.page.expect_request("**/create_flow_run", timeout=10_000) as sent:
                    self.submit()
                break
            except NothingCame:
                assert time.monotonic() < deadline, "pressing Submit sends nothing"
        started = sent.value.response()
        assert started is not None
        assert started.ok, started.text()
        self.page.goto(urljoin(self.page.url, f"/prefect/v2/runs/flow-run/{started.json()['id']}"))
        return RunPage(self.page, self.workflow)


@pytest.fixture
def open_form(browser: Browser, server: Server) -> Callable[[str], Form]:
    """Opens the form of a deployment, as a person who comes by the printed URL does."""

    def open_it(deployment: str) -> Form:
        page = browser.new_page(viewport={"width": 1280, "height": 1000})
        page.goto(server.ui_url)
        page.get_by_role("link", name="Deployments", exact=True).click()
        page.get_by_role("link", name=deployment, exact=True).first.click(timeout=LONG)
        page.get_by_role("button", name="Run", exact=True).click()
        page.get_by_role("menuitem", name="Custom run").click()
        expect(page.get_by_role("heading", name="Parameters")).to_be_visible(timeout=LONG)
        return Form(page, deployment)

    return open_it
