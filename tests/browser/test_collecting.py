"""A collection that a person starts, watches and understands in Prefect's pages alone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from treadle.api import Server, local_server, serving_deployments
from treadle.settings import Settings
from treadle.testing.command import Command

pytestmark = [pytest.mark.browser, pytest.mark.integration]

MOCK = Path(__file__).parents[2] / "tasks" / "treadle-tasks-mock"
LONG = 90_000
"""Milliseconds in which a machine under load serves a deployment, or runs it."""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def server(home: Path) -> Iterator[Server]:
    """A server with its deployments, as `treadle up` has them."""
    settings = Settings(home=home, port=0)
    with local_server(settings) as server, serving_deployments(settings, server):
        yield server


@pytest.fixture
def form(browser: Browser, server: Server) -> Page:
    """The page with the form of a collection."""
    page = browser.new_page(viewport={"width": 1280, "height": 1400})
    page.goto(server.ui_url)
    page.get_by_role("link", name="Deployments", exact=True).click()
    page.get_by_role("link", name="collect", exact=True).first.click(timeout=LONG)
    page.get_by_role("button", name="Run", exact=True).click()
    page.get_by_role("menuitem", name="Custom run").click()
    expect(page.get_by_text("git+URL@ref")).to_be_visible()
    return page


def test_package_is_collected_from_the_form_and_its_log_is_seen(form: Page, home: Path) -> None:
    form.get_by_label("source").fill(str(MOCK))
    form.get_by_role("button", name="Submit").click()
    form.get_by_role("link", name="View run").click()

    expect(form.get_by_text("Completed", exact=True).first).to_be_visible(timeout=LONG)
    form.reload()  # the page asks no more for the log of a run that has ended
    expect(form.get_by_text("building the environment").first).to_be_visible(timeout=LONG)
    packages = Command(home)("package", "list").data["packages"]
    assert [(package["name"], package["state"]) for package in packages] == [("treadle-tasks-mock", "ready")]


def test_source_that_is_none_ends_with_what_to_do(form: Page) -> None:
    form.get_by_label("source").fill("https://example.org/x")
    form.get_by_role("button", name="Submit").click()
    form.get_by_role("link", name="View run").click()

    expect(form.get_by_text("Failed", exact=True).first).to_be_visible(timeout=LONG)
    form.reload()
    expect(form.get_by_text("names a URL").first).to_be_visible(timeout=LONG)
