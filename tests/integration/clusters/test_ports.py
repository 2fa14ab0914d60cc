"""Loopback is not private on a shared machine: what a stranger gets from the cluster's ports is nothing."""

from __future__ import annotations

import asyncio
import http.client
import socket
import ssl
from collections.abc import Iterator

import psutil
import pytest
from distributed import Client
from distributed.security import Security

from treadle.clusters.local import LocalCluster

pytestmark = pytest.mark.integration
PATIENCE_SECONDS = 3.0


@pytest.fixture(scope="module")
def ports() -> Iterator[list[int]]:
    """Give every TCP port on which this process or a descendant of it listens while a cluster is at work."""
    before = listening()
    with LocalCluster(2) as cluster:
        assert cluster.pool().submit(abs, -1).result(30) == 1
        opened = listening() - before
        assert all(address == "127.0.0.1" for address, _ in opened)
        yield sorted(port for _, port in opened)
        assert cluster.pool().submit(abs, -2).result(30) == 2, "the strangers broke it"


def listening() -> set[tuple[str, int]]:
    me = psutil.Process()
    return {
        (connection.laddr.ip, connection.laddr.port)
        for process in [me, *me.children(recursive=True)]
        for connection in process.net_connections("tcp")
        if connection.status == psutil.CONN_LISTEN
    }


def test_only_the_scheduler_and_the_worker_listen(ports: list[int]) -> None:
    assert len(ports) == 2


def test_a_plain_connection_is_told_nothing(ports: list[int]) -> None:
    for port in ports:
        assert answer_to(port, b"") == b""
        assert answer_to(port, (8).to_bytes(8, "little") * 4) == b""


def test_a_web_browser_is_told_nothing(ports: list[int]) -> None:
    for port in ports:
        for path in ("/", "/health", "/metrics", "/info/main/workers.html", "/json/identity.json"):
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_SECONDS)
            connection.request("GET", path)
            with pytest.raises((http.client.HTTPException, OSError)):
                connection.getresponse()
            connection.close()


def test_a_tls_client_without_the_certificate_is_turned_away(ports: list[int]) -> None:
    """Neither with none nor with one of its own making; it does not mind who the server is."""
    anonymous = ssl.create_default_context()
    impostor = Security.temporary().get_connection_args("client")["ssl_context"]
    for context in (anonymous, impostor):
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        for port in ports:
            with pytest.raises(ssl.SSLError, match=r"(?i)alert (certificate.required|unknown.ca)"):
                speak_tls(context, port)


@pytest.mark.parametrize("protocol", ["tls", "tcp"])
def test_a_dask_client_without_the_certificate_is_turned_away(ports: list[int], protocol: str) -> None:
    async def try_all() -> None:
        security = Security.temporary() if protocol == "tls" else None
        for port in ports:
            with pytest.raises(OSError, match=r"(?i)certificate does not match|timed out|closed"):
                await Client(
                    f"{protocol}://127.0.0.1:{port}",
                    security=security,
                    asynchronous=True,
                    timeout=PATIENCE_SECONDS,
                    set_as_default=False,
                )

    asyncio.run(try_all())


def answer_to(port: int, question: bytes) -> bytes:
    """Return what a plain connection hears; nothing until it gives up counts as nothing."""
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_SECONDS / 10) as connection:
        try:
            connection.sendall(question)
            return connection.recv(1024)
        except (TimeoutError, ConnectionError):
            return b""


def speak_tls(context: ssl.SSLContext, port: int) -> bytes:
    """Complete the handshake as far as the server lets us, and read: TLS 1.3 refuses at the first read."""
    with (
        socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_SECONDS) as plain,
        context.wrap_socket(plain) as connection,
    ):
        return connection.recv(1024)
