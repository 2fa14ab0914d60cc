"""What doctor finds of the server and its port."""

from __future__ import annotations

import fcntl
import os
import platform
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from treadle.api.claim import Address, publish
from treadle.api.examination import PORT, SERVER, examine_server
from treadle.model.findings import Finding, Verdict
from treadle.settings import Settings


class Refusing(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_error(401)

    def log_message(self, *_: object) -> None: ...


def examine(home: Path, port: int = 0) -> dict[str, Finding]:
    return {found.check: found for found in examine_server(Settings(home=home, port=port))}


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """The server's folder, with the lock of a server that lives."""
    folder = tmp_path / "server"
    folder.mkdir()
    lock = os.open(folder / "server.lock", os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX)
    yield folder
    os.close(lock)


def server_at(folder: Path, port: int, *, node: str = "") -> None:
    publish(folder, Address(node or platform.node(), "127.0.0.1", port, 4711, "2026-11-21"))


def test_a_server_that_was_never_started_is_in_order_and_leaves_nothing(tmp_path: Path) -> None:
    found = examine(tmp_path)
    assert (found[SERVER].verdict, found[PORT].verdict) == (Verdict.OK, Verdict.OK)
    assert "not started" in found[SERVER].text
    assert list(tmp_path.iterdir()) == []


def test_a_server_that_was_killed_is_not_started(tmp_path: Path) -> None:
    (tmp_path / "server").mkdir()
    server_at(tmp_path / "server", 1)
    found = examine(tmp_path)[SERVER]
    assert (found.verdict, "not started" in found.text) == (Verdict.OK, True)


def test_an_address_that_cannot_be_read_is_a_failure(folder: Path) -> None:
    (folder / "address").write_text("")
    found = examine(folder.parent)
    assert (found[SERVER].verdict, found[PORT].verdict) == (Verdict.FAILED, Verdict.OK)


def test_a_server_that_does_not_answer_is_named_with_its_process(folder: Path, taken: int) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        free = other.getsockname()[1]
    server_at(folder, free)
    found = examine(folder.parent, taken)
    assert found[SERVER].verdict is Verdict.FAILED
    assert f"127.0.0.1:{free}" in found[SERVER].text
    assert "4711" in found[SERVER].remedy
    assert found[PORT].verdict is Verdict.WARNING


def test_a_server_on_another_machine_is_named(folder: Path) -> None:
    server_at(folder, 1, node="elsewhere")
    found = examine(folder.parent)[SERVER]
    assert found.verdict is Verdict.FAILED
    assert "runs on elsewhere" in found.text


def test_a_port_that_is_taken_is_a_warning(tmp_path: Path, taken: int) -> None:
    found = examine(tmp_path, taken)[PORT]
    assert found.verdict is Verdict.WARNING
    assert "TREADLE_PORT" in found.remedy


def test_a_server_that_refuses_strangers_runs_on_a_port_of_its_own(folder: Path) -> None:
    with HTTPServer(("127.0.0.1", 0), Refusing) as server:
        answering = threading.Thread(target=server.handle_request)
        answering.start()
        server_at(folder, server.server_port)
        found = examine(folder.parent, server.server_port)
        answering.join()
    assert (found[SERVER].verdict, found[PORT].verdict) == (Verdict.OK, Verdict.OK)
    assert f"runs at http://127.0.0.1:{server.server_port}" in found[SERVER].text
    assert "the server's own" in found[PORT].text


def test_a_port_of_an_address_that_is_not_here_is_a_failure(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, port=4200, host="203.0.113.7")
    found = {one.check: one for one in examine_server(settings)}[PORT]
    assert found.verdict is Verdict.FAILED
    assert found.detail
