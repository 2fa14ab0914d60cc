"""Loopback is not private on a shared machine: what a stranger gets from the cluster's ports is nothing."""

from __future__ import annotations

import asyncio
import http.client
import socket
import ssl
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from distributed import Client
from distributed.security import Security

from treadle.clusters.local import LocalCluster
from treadle.clusters.slurm.cluster import SlurmCluster
from treadle.testing.slurm_cluster import small_profile, worker_pids

pytestmark = pytest.mark.integration
PATIENCE_SECONDS = 3.0


Place = tuple[str, int]
Sockets = Callable[[psutil.Process], Iterator[Any]]


@pytest.fixture(scope="module", params=["local", "slurm"])
def ports(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, sockets_of: Sockets
) -> Iterator[list[Place]]:
    """Give address and port of every TCP socket on which a cluster listens while it is at work."""
    folder = tmp_path_factory.mktemp("cluster")
    with pytest.MonkeyPatch.context() as patch:
        cluster: LocalCluster | SlurmCluster = LocalCluster(2)
        if request.param == "slurm":
            for name, value in request.getfixturevalue("slurm").environment.items():
                patch.setenv(name, value)
            cluster = SlurmCluster("slurm", small_profile(slots=2), folder)
        before = listening(folder, sockets_of)
        with cluster:
            assert cluster.pool().submit(abs, -1).result(60) == 1
            opened = listening(folder, sockets_of) - before
            assert request.param == "slurm" or all(address == "127.0.0.1" for address, _ in opened)
            assert modes_within(folder) <= {0o700, 0o600}
            yield sorted(opened)
            assert cluster.pool().submit(abs, -2).result(60) == 2, "the strangers broke it"


def listening(folder: Path, sockets_of: Sockets) -> set[Place]:
    me = psutil.Process()
    workers = [psutil.Process(pid) for pid in worker_pids(folder)]
    return {
        (opened.laddr.ip, opened.laddr.port)
        for root in [me, *workers]
        for opened in sockets_of(root)
        if opened.status == psutil.CONN_LISTEN
    }


def modes_within(folder: Path) -> set[int]:
    """Return the permissions of all that the cluster keeps for its workers; what jobs print is not of it."""
    kept = (path for path in folder.rglob("*") if path.suffix != ".out")
    return {stat.S_IMODE(path.stat().st_mode) for path in kept}


def test_only_the_scheduler_and_the_worker_listen(ports: list[Place]) -> None:
    assert len(ports) == 2


def test_a_plain_connection_is_told_nothing(ports: list[Place]) -> None:
    for place in ports:
        assert answer_to(place, b"") == b""
        assert answer_to(place, (8).to_bytes(8, "little") * 4) == b""


def test_a_web_browser_is_told_nothing(ports: list[Place]) -> None:
    for place in ports:
        for path in ("/", "/health", "/metrics", "/info/main/workers.html", "/json/identity.json"):
            connection = http.client.HTTPConnection(*place, timeout=PATIENCE_SECONDS)
            connection.request("GET", path)
            with pytest.raises((http.client.HTTPException, OSError)):
                connection.getresponse()
            connection.close()


def test_a_tls_client_without_the_certificate_is_turned_away(ports: list[Place]) -> None:
    """Neither with none nor with one of its own making; it does not mind who the server is."""
    anonymous = ssl.create_default_context()
    impostor = Security.temporary().get_connection_args("client")["ssl_context"]
    for context in (anonymous, impostor):
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        for place in ports:
            with pytest.raises(ssl.SSLError, match=r"(?i)alert (certificate.required|unknown.ca)"):
                speak_tls(context, place)


@pytest.mark.parametrize("protocol", ["tls", "tcp"])
def test_a_dask_client_without_the_certificate_is_turned_away(ports: list[Place], protocol: str) -> None:
    async def try_all() -> None:
        security = Security.temporary() if protocol == "tls" else None
        for place in ports:
            with pytest.raises(OSError, match=r"(?i)certificate does not match|timed out|closed"):
                await Client(
                    f"{protocol}://{place[0]}:{place[1]}",
                    security=security,
                    asynchronous=True,
                    timeout=PATIENCE_SECONDS,
                    set_as_default=False,
                )

    asyncio.run(try_all())


def answer_to(place: Place, question: bytes) -> bytes:
    """Return what a plain connection hears; nothing until it gives up counts as nothing."""
    with socket.create_connection(place, timeout=PATIENCE_SECONDS / 10) as connection:
        try:
            connection.sendall(question)
            return connection.recv(1024)
        except (TimeoutError, ConnectionError):
            return b""


def speak_tls(context: ssl.SSLContext, place: Place) -> bytes:
    """Complete the handshake as far as the server lets us, and read: TLS 1.3 refuses at the first read."""
    with (
        socket.create_connection(place, timeout=PATIENCE_SECONDS) as plain,
        context.wrap_socket(plain) as connection,
    ):
        return connection.recv(1024)
