from __future__ import annotations

import base64
from collections.abc import Iterator

import pytest
from fastapi import FastAPI, Request, WebSocket
from fastapi.testclient import TestClient
from starlette.testclient import WebSocketDenialResponse

from treadle.api.gate import Gate

SECRET = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFG"
BASIC = "Basic " + base64.b64encode(f"treadle:{SECRET}".encode()).decode()
STREAM = "ws://127.0.0.1:4200/stream"
COOKIE = {"Cookie": f"treadle-4200={SECRET}"}

app = FastAPI()


@app.get("/{path:path}")
async def anything(path: str, request: Request) -> dict[str, str]:
    return {
        "path": path,
        "query": str(request.query_params),
        "authorization": request.headers["authorization"],
    }


@app.post("/{path:path}")
async def change(path: str) -> str:
    return path


@app.websocket("/stream")
async def stream(websocket: WebSocket) -> None:
    await websocket.accept()
    await websocket.send_text(websocket.headers["authorization"])
    await websocket.close()


@pytest.fixture
def client() -> Iterator[TestClient]:
    gate = Gate(app, secret=SECRET, names={"login1.example.org"})
    with TestClient(gate, base_url="http://127.0.0.1:4200", follow_redirects=False) as client:
        yield client


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": f"Bearer {SECRET}x"},
        {"Authorization": "Bearer "},
        {"Authorization": SECRET},
        {"Authorization": "Basic " + base64.b64encode(f"admin:{SECRET}".encode()).decode()},
        {"Authorization": "Basic ¿"},
        {"Cookie": "treadle-4200="},
        {"Cookie": "treadle-4200=guess"},
        {"Cookie": f"treadle-4201={SECRET}"},
        {"Cookie": f"token={SECRET}"},
    ],
)
@pytest.mark.parametrize("path", ["/", "/health", "/prefect/api/health", "/?token=", "/?token=guess"])
def test_stranger_gets_nothing(client: TestClient, path: str, headers: dict[str, str]) -> None:
    raw = {name: value.encode("latin-1") for name, value in headers.items()}

    answer = client.get(path, headers=raw)

    assert answer.status_code == 401
    assert "treadle up" in answer.text
    assert SECRET not in answer.text
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize(
    "method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PURGE"]
)
def test_no_method_is_open(client: TestClient, method: str) -> None:
    assert client.request(method, "/prefect/api/flows/").status_code == 401


@pytest.mark.parametrize("headers", [{"Authorization": f"Bearer {SECRET}"}, {"Authorization": BASIC}, COOKIE])
def test_each_credential_passes_and_reaches_prefect_as_its_own(
    client: TestClient, headers: dict[str, str]
) -> None:
    assert client.get("/page", headers=headers).json()["authorization"] == BASIC

    with client.websocket_connect(STREAM, headers=headers) as websocket:
        assert websocket.receive_text() == BASIC


def test_cookie_counts_beside_a_header_that_does_not(client: TestClient) -> None:
    """Prefect's UI sends the password of another server that it remembers."""
    answer = client.get("/page", headers={"Authorization": "Basic eDp5", **COOKIE})

    assert answer.json()["authorization"] == BASIC


def test_visit_with_token_gets_the_cookie_and_goes_on_without_token(client: TestClient) -> None:
    answer = client.get(f"/prefect/runs?tab=logs&token={SECRET}&page=2")

    assert answer.status_code == 303
    assert answer.headers["location"] == "/prefect/runs?tab=logs&page=2"
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith("treadle-4200=")
    assert {"HttpOnly", "SameSite=strict", "Path=/"} <= set(cookie.split("; "))
    assert client.get("/prefect/runs").json()["path"] == "prefect/runs"


def test_visit_from_a_link_on_another_site_gets_a_page_that_leads_on(client: TestClient) -> None:
    """A browser would hold a strict cookie back if this were a redirect."""
    answer = client.get(f"/?token={SECRET}", headers={"Sec-Fetch-Site": "cross-site"})

    assert answer.status_code == 200
    assert answer.headers["refresh"] == "0; url=/"
    assert "set-cookie" in answer.headers


def test_name_of_the_page_is_kept(client: TestClient) -> None:
    page = "/b%C3%BCcher%20%3F%3B/?q=%C3%BC"

    answer = client.get(f"{page}&token={SECRET}")

    assert answer.headers["location"] == page


def test_token_never_leads_to_another_site(client: TestClient) -> None:
    answer = client.get(f"http://127.0.0.1:4200//example.org/?token={SECRET}")

    assert answer.headers["location"] == "/example.org/"


def test_token_changes_nothing_by_itself(client: TestClient) -> None:
    assert client.post(f"/prefect/api/flows/?token={SECRET}").status_code == 401


@pytest.mark.parametrize(
    "origin", ["http://127.0.0.1:8000", "http://localhost:4200", "https://example.org", "null", "http://["]
)
def test_pages_of_others_cannot_use_the_cookie(client: TestClient, origin: str) -> None:
    headers = {"Origin": origin, **COOKIE}

    assert client.post("/prefect/api/flows/", headers=headers).status_code == 403
    with pytest.raises(WebSocketDenialResponse) as denial, client.websocket_connect(STREAM, headers=headers):
        pass
    assert denial.value.status_code == 403


def test_own_pages_use_the_cookie(client: TestClient) -> None:
    headers = {"Origin": "http://127.0.0.1:4200", **COOKIE}

    assert client.post("/prefect/api/flows/", headers=headers).status_code == 200
    with client.websocket_connect(STREAM, headers=headers) as websocket:
        assert websocket.receive_text() == BASIC


def test_websocket_of_a_stranger_is_refused_with_the_reason(client: TestClient) -> None:
    with pytest.raises(WebSocketDenialResponse) as denial, client.websocket_connect(STREAM):
        pass

    assert denial.value.status_code == 401
    assert "treadle up" in denial.value.text


@pytest.mark.parametrize(
    "host", ["evil.example.org", "evil.example.org:4200", "", "[", "localhost.evil.org", "localhost:x"]
)
def test_request_to_a_name_that_is_not_ours_is_refused(client: TestClient, host: str) -> None:
    headers = {"Host": host, "Authorization": f"Bearer {SECRET}"}

    assert client.get("/", headers=headers).status_code == 403


@pytest.mark.parametrize(
    "host", ["localhost:9000", "127.0.0.1", "[::1]:4200", "LOGIN1.example.org:4200", "10.0.0.7"]
)
def test_request_to_a_name_of_ours_passes(client: TestClient, host: str) -> None:
    headers = {"Host": host, "Authorization": f"Bearer {SECRET}"}

    assert client.get("/", headers=headers).status_code == 200


def test_pages_reach_no_other_server_and_are_framed_by_none(client: TestClient) -> None:
    answer = client.get("/page", headers=COOKIE)

    assert answer.headers["content-security-policy"] == "connect-src 'self'; frame-ancestors 'self'"


def test_tunnels_to_two_servers_keep_two_cookies(client: TestClient) -> None:
    """Browsers share cookies among all ports of a host."""
    names = {
        client.get(f"/?token={SECRET}", headers={"Host": host}).headers["set-cookie"].partition("=")[0]
        for host in ("localhost:9001", "localhost:9002")
    }

    assert names == {"treadle-9001", "treadle-9002"}
