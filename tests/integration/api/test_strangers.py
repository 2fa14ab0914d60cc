"""Another user of the machine can reach loopback: here they try everything."""

from __future__ import annotations

import base64
import json
import re
import stat
from typing import Any
from urllib.parse import urlsplit

import httpx2
import psutil
import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from treadle.api import Server
from treadle.api.claim import Address, claim
from treadle.settings import Settings

pytestmark = pytest.mark.integration

METHODS = {"get", "post", "put", "patch", "delete", "head", "options"}
WEBSOCKETS = ["/prefect/api/events/in", "/prefect/api/events/out", "/prefect/api/logs/out", "/", "/nowhere"]
SECONDS = 60.0  # what a loaded machine may take
WRONG = {"Authorization": "Basic " + base64.b64encode(b"treadle:guess").decode()}


@pytest.fixture
def base(server: Server) -> str:
    parts = urlsplit(server.api_url)
    return f"{parts.scheme}://{parts.netloc}"


@pytest.fixture
def bearer(server: Server) -> dict[str, str]:
    return {"Authorization": f"Bearer {server.auth_string.partition(':')[2]}"}


def test_no_route_answers_a_stranger(base: str, bearer: dict[str, str]) -> None:
    with httpx2.Client(timeout=SECONDS, base_url=base) as client:
        schema = client.get("/prefect/api/openapi.json", headers=bearer).json()
        routes = [
            (method, "/prefect/api" + re.sub(r"{[^}]*}", "x", path))
            for path, methods in schema["paths"].items()
            for method in METHODS & set(methods)
        ]
        ours = [
            "/",
            "/health",
            "/prefect/",
            "/prefect/v2/",
            "/prefect/ui-settings",
            "/prefect/api/openapi.json",
        ]
        routes += [("get", path) for path in (*ours, "/prefect/api/docs", "/prefect/api/ready", "/docs")]
        assert len(routes) > 150

        answers = {
            (method, path, client.request(method, path, headers=headers).status_code)
            for method, path in routes
            for headers in ({}, WRONG)
        }

    assert {status for *_, status in answers} == {401}


@pytest.mark.parametrize("headers", [{}, WRONG])
@pytest.mark.parametrize("path", WEBSOCKETS)
def test_no_websocket_opens_for_a_stranger(base: str, path: str, headers: dict[str, str]) -> None:
    url = base.replace("http", "ws", 1) + path

    with (
        pytest.raises(InvalidStatus) as refusal,
        connect(url, additional_headers=headers, subprotocols=["prefect"], proxy=None),
    ):
        pass

    assert refusal.value.response.status_code == 401


def test_websocket_takes_events_of_a_client_with_the_secret(
    server: Server, base: str, bearer: dict[str, str]
) -> None:
    url = base.replace("http", "ws", 1) + "/prefect/api/events/in"

    with connect(url, additional_headers=bearer, subprotocols=["prefect"], proxy=None) as websocket:
        websocket.send(json.dumps({"type": "auth", "token": server.auth_string}))

        assert "auth_success" in str(websocket.recv(timeout=10))


def test_printed_url_opens_the_ui_without_a_further_question(server: Server, base: str) -> None:
    with httpx2.Client(timeout=SECONDS, follow_redirects=True) as browser:
        page = browser.get(server.ui_url, headers={"Accept": "text/html"})
        settings = browser.get(f"{base}/prefect/ui-settings").json()
        flows = browser.post(f"{settings['api_url']}/flows/filter", json={}, headers={"Origin": base})

    assert page.url == f"{base}/prefect/v2/"
    assert "<title>Prefect Server</title>" in page.text
    assert settings["auth"] is None
    assert flows.status_code == 200


def test_server_says_that_it_is_alive(base: str, bearer: dict[str, str]) -> None:
    with httpx2.Client(timeout=SECONDS, base_url=base, headers=bearer) as client:
        assert client.get("/health").json() == {"status": "alive"}
        assert client.get("/prefect/api/ready").status_code == 200


def test_server_listens_on_one_port_of_loopback_alone(shared: Settings, base: str, sockets_of: Any) -> None:
    address = claim(shared.server_folder)
    assert isinstance(address, Address)
    connections = list(sockets_of(psutil.Process(address.pid)))

    listening = {(one.laddr.ip, one.laddr.port) for one in connections if one.status == psutil.CONN_LISTEN}

    assert listening == {("127.0.0.1", urlsplit(base).port)}
    assert not [one for one in connections if one.status == psutil.CONN_NONE]  # no UDP


def test_nothing_that_the_server_writes_can_be_read_by_others(shared: Settings) -> None:
    assert stat.S_IMODE(shared.server_folder.stat().st_mode) == 0o700
    files = [path for path in shared.server_folder.iterdir() if path.is_file()]

    assert {"secret", "address", "server.log", "prefect.sqlite"} <= {path.name for path in files}
    assert [path.name for path in files if stat.S_IMODE(path.stat().st_mode) != 0o600] == []


def test_secret_is_in_one_file_alone_and_in_no_command_line(shared: Settings, server: Server) -> None:
    secret = server.auth_string.partition(":")[2]
    address = claim(shared.server_folder)
    assert isinstance(address, Address)

    files = [path for path in shared.home.rglob("*") if path.is_file()]
    holders = [path for path in files if secret.encode() in path.read_bytes()]

    assert holders == [shared.server_folder / "secret"]
    assert secret not in " ".join(psutil.Process(address.pid).cmdline())
