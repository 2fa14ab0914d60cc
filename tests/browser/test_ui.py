"""What a person sees who opens the printed URL, and what a stranger sees."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Response, expect

from treadle.api import Server, client_environment, local_server
from treadle.settings import Settings

pytestmark = [pytest.mark.browser, pytest.mark.integration]

FLOW = """
from prefect import flow, task

@task(task_run_name="count the cells")
def count():
    return 63

@flow(name="cells", flow_run_name="brave-axolotl")
def cells():
    return count()

cells()
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server on which one real flow has run."""
    with local_server(Settings(home=tmp_path_factory.mktemp("home"), port=0)) as server:
        environment = {**os.environ, **client_environment(server)}
        subprocess.run([sys.executable, "-c", FLOW], env=environment, check=True)
        yield server


def test_printed_url_shows_the_run_without_asking_for_anything(browser: Browser, server: Server) -> None:
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    answers: list[Response] = []
    page.on("response", lambda answer: answers.append(answer))  # noqa: PLW0108 - sets attributes on it

    page.goto(server.ui_url)
    page.get_by_role("link", name="Runs", exact=True).click()
    page.get_by_role("link", name="brave-axolotl").first.click(timeout=60_000)

    expect(page.get_by_text("Finished in state Completed()").first).to_be_visible(timeout=60_000)
    page.get_by_role("tab", name="Task Runs").click()
    expect(page.get_by_text("count the cells").first).to_be_visible(timeout=60_000)
    expect(page.get_by_text("Completed").first).to_be_visible()
    assert urlsplit(page.url).path.startswith("/prefect/v2/runs/flow-run/")
    places = {urlsplit(answer.url).netloc for answer in answers if answer.url.startswith("http")}
    assert places == {urlsplit(server.api_url).netloc}
    assert {answer.status for answer in answers if "/api/" in answer.url} == {200}


def test_pages_ask_nothing_of_other_servers(browser: Browser, server: Server) -> None:
    """Prefect's UI would load a tracking service's settings, though tracking is off."""
    page = browser.new_page()
    failures: list[str] = []
    page.on("requestfailed", lambda request: failures.append(f"{request.failure} {request.url}"))

    page.goto(server.ui_url)
    expect(page.get_by_text("Flow Runs").first).to_be_visible(timeout=60_000)
    page.wait_for_load_state("networkidle")

    assert [failure for failure in failures if not failure.startswith("csp ")] == []


def test_link_on_another_site_opens_the_ui(browser: Browser, server: Server) -> None:
    """As a click on the URL in a terminal that runs in a browser."""
    page = browser.new_page()
    link = f'<a href="{server.ui_url}">open</a>'
    page.route("http://terminal.example/", lambda route: route.fulfill(content_type="text/html", body=link))

    page.goto("http://terminal.example/")
    page.get_by_text("open").click()

    expect(page.get_by_text("Flow Runs").first).to_be_visible(timeout=60_000)


def test_stranger_sees_only_the_refusal(browser: Browser, server: Server) -> None:
    page = browser.new_page()

    for path in ("", "/runs", "/v2/dashboard", "/api/docs"):
        answer = page.goto(server.api_url.replace("/api", path))

        assert answer is not None
        assert answer.status == 401
        expect(page.get_by_text("This is the server of somebody's Treadle")).to_be_visible()
        assert "axolotl" not in page.content()
