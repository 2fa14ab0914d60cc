from __future__ import annotations

from pathlib import Path

import pytest

from treadle.api import Server, client_environment
from treadle.api.environment import server_environment

SERVER = Server(
    api_url="http://127.0.0.1:4200/prefect/api",
    auth_string="treadle:pssst",
    ui_url="http://127.0.0.1:4200/?token=pssst",
    folder=Path("/home/ada/.treadle/server"),
)


def test_clients_find_the_server_and_its_secret() -> None:
    environment = client_environment(SERVER, {})

    assert environment["PREFECT_API_URL"] == SERVER.api_url
    assert environment["PREFECT_API_AUTH_STRING"] == SERVER.auth_string


@pytest.mark.parametrize(
    "environment",
    [client_environment(SERVER, {}), server_environment(SERVER.folder, "http://127.0.0.1:4200", "x")],
)
def test_nothing_is_reported_and_nothing_written_outside_the_home(environment: dict[str, str]) -> None:
    assert environment["DO_NOT_TRACK"] == "1"
    assert environment["PREFECT_SERVER_ANALYTICS_ENABLED"] == "false"
    assert Path(environment["PREFECT_HOME"]).is_relative_to(SERVER.folder)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, "127.0.0.1"),
        ({"NO_PROXY": "example.org"}, "example.org,127.0.0.1"),
        ({"no_proxy": "example.org"}, "example.org,127.0.0.1"),
    ],
)
def test_no_proxy_stands_between_client_and_server(given: dict[str, str], expected: str) -> None:
    environment = client_environment(SERVER, given)

    assert environment["NO_PROXY"] == environment["no_proxy"] == expected


def test_secret_is_not_shown_by_accident() -> None:
    assert "pssst" not in repr(SERVER)
