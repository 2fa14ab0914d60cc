"""The server's pages about runs: logs, timeline and pictures."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from xml.etree import ElementTree

import httpx2
import pytest

from treadle.api import Server
from treadle.testing.command import Command

pytestmark = pytest.mark.integration

PNG = b"\x89PNG\r\n\x1a\n" + b"pixels"
REF = {"pkg_name": "treadle-tasks-mock", "version": "0.1.0"}


@pytest.fixture(scope="module")
def run(treadle: Command, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """A run whose second step declares two pictures a unit: one that is there, one outside the folder."""
    folder = tmp_path_factory.mktemp("pictures")
    data = folder / "data"
    data.mkdir()
    (data / "a.png").write_bytes(PNG)
    (folder / "secret.png").write_bytes(PNG)
    pictures = [{"path": f"{data}/a.png", "title": "A <b>"}, f"{folder}/secret.png"]
    steps = [
        {"task": {**REF, "name": "Create Items"}, "args_non_parallel": {"count": 14}},
        {
            "task": {**REF, "name": "Mark Item"},
            "args_parallel": {
                "raw_output": json.dumps({"pictures": pictures}),
                "print_environment": ["TASK_OUTPUT_KEYS"],
                "stdout": "<script>alert(1)</script>",
            },
        },
    ]
    treadle("dataset", "create", "pictures", "--dir", str(data))
    file = folder / "workflow.json"
    file.write_text(json.dumps({"name": "pictures", "task_list": steps}))
    treadle("workflow", "import", str(file))
    shown: dict[str, Any] = treadle("run", "pictures", "--dataset", "pictures").data
    return shown


@pytest.fixture
def client(server: Server) -> Iterator[httpx2.Client]:
    """Somebody who has the secret."""
    parts = urlsplit(server.api_url)
    user, password = server.auth_string.split(":")
    with httpx2.Client(base_url=f"{parts.scheme}://{parts.netloc}", auth=(user, password)) as opened:
        yield opened


def is_harmless(answer: httpx2.Response) -> bool:
    """Whether a browser runs nothing in it and guesses nothing about it."""
    policy = answer.headers.get_list("content-security-policy")
    return "default-src 'none'; style-src 'unsafe-inline'; sandbox" in ", ".join(policy) and (
        answer.headers["x-content-type-options"] == "nosniff"
    )


def test_a_log_is_text_of_the_whole_run_a_step_or_a_unit(client: httpx2.Client, run: dict[str, Any]) -> None:
    page = f"/treadle/runs/{run['id']}/log"

    everything = client.get(page)
    step = client.get(page, params={"step": "Mark Item"})
    unit = client.get(page, params={"step": "Mark Item", "unit": 3})
    failed = client.get(page, params={"failed": "true"})

    assert everything.headers["content-type"].startswith("text/plain")
    assert all(is_harmless(answer) for answer in (everything, step, unit, failed))
    assert everything.text.count("==> ") == 15
    assert step.text.count("==> Mark Item, unit") == 14
    assert "TASK_OUTPUT_KEYS=pictures" in step.text
    assert "==> Mark Item, unit 3, done" in unit.text
    assert unit.text.count("<script>alert(1)</script>") == 1
    assert failed.text.startswith("Nothing")


def test_the_timeline_is_a_drawing_that_cannot_run_scripts(
    client: httpx2.Client, run: dict[str, Any]
) -> None:
    answer = client.get(f"/treadle/runs/{run['id']}/timeline.svg")

    assert answer.headers["content-type"] == "image/svg+xml"
    assert is_harmless(answer)
    texts = [element.text for element in ElementTree.fromstring(answer.content).iter()]  # noqa: S314 - ours
    assert {"Create Items", "Mark Item", "Steps", "Workers"} <= {*texts}


def test_only_pictures_that_units_declared_in_their_datasets_folder_are_shown(
    client: httpx2.Client, run: dict[str, Any]
) -> None:
    pages = f"/treadle/runs/{run['id']}/pictures"

    shown = client.get(f"{pages}/1/0/0")

    assert (shown.status_code, shown.content) == (200, PNG)
    assert shown.headers["content-type"] == "image/png"
    assert is_harmless(shown)
    others = [f"{pages}/1/0/1", f"{pages}/1/0/2", f"{pages}/0/0/0", f"{pages}/1/99/0", f"{pages}/7/0/0"]
    assert [client.get(path).status_code for path in others] == [404] * 5
    assert client.get(f"{pages}/1/0/..%2f..%2fa.png").status_code in {404, 422}


def test_a_run_that_is_not_there_has_no_pages(client: httpx2.Client, run: dict[str, Any]) -> None:
    assert run["state"] == "done"
    for page in ("log", "timeline.svg", "pictures/0/0/0"):
        assert client.get(f"/treadle/runs/999999/{page}").status_code == 404
    assert client.get(f"/treadle/runs/{run['id']}/log", params={"step": "none"}).status_code == 404


def test_a_stranger_sees_no_page(client: httpx2.Client, run: dict[str, Any]) -> None:
    with httpx2.Client(base_url=client.base_url) as stranger:
        for page in ("log", "timeline.svg", "pictures/1/0/0"):
            assert stranger.get(f"/treadle/runs/{run['id']}/{page}").status_code == 401


def test_pictures_are_inline_in_an_artifact_of_their_step(client: httpx2.Client, run: dict[str, Any]) -> None:
    asked = {"artifacts": {"key": {"any_": [f"run-{run['id']}-step-1-pictures"]}}}
    [artifact] = client.post("/prefect/api/artifacts/filter", json=asked).raise_for_status().json()

    text = artifact["data"]
    assert artifact["type"] == "markdown"
    assert artifact["task_run_id"] is not None
    assert text.count("![") == 12
    assert rf"![A \<b\>](/treadle/runs/{run['id']}/pictures/1/0/0)" in text
    assert "8 more units" in text


def test_show_draws_the_timeline_beside_the_logs(treadle: Command, run: dict[str, Any]) -> None:
    shown = treadle("show", str(run["id"]), "--open").data
    text = treadle("show", str(run["id"]), "--open", as_json=False)

    svg, png = (Path(shown["timeline"][kind]) for kind in ("svg", "png"))
    assert svg.parent == png.parent == Path(shown["logs_folder"])
    assert svg.read_bytes().startswith(b"<?xml")
    assert png.read_bytes().startswith(b"\x89PNG")
    assert f"Timeline: {svg}" in text.stdout
