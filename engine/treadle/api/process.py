"""The life of the server's process: start, serve until unwanted, store what came in, end."""

from __future__ import annotations

import asyncio
import os
import platform
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import uvicorn

from treadle.api.app import create_app
from treadle.api.claim import Address, Users, publish, withdraw
from treadle.api.environment import server_environment
from treadle.api.secret import local_secret
from treadle.settings import Settings

IDLE_POLL_SECONDS = 0.5
DRAIN_SECONDS = 10
END_SECONDS = 30


def run(settings: Settings, listener: socket.socket) -> int:
    """Serve on an open port until a signal comes or the last user has gone.

    Returns:
        The process's exit status: 0 unless the server could not start.
    """
    folder = settings.server_folder
    host, port = listener.getsockname()[:2]
    address = Address(
        node=platform.node(),
        host=_reachable(host),
        port=port,
        pid=os.getpid(),
        started=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    secret = local_secret(folder)
    for name in [name for name in os.environ if name.startswith("PREFECT_")]:
        del os.environ[name]
    os.environ.update(server_environment(folder, address.url, secret))
    config = uvicorn.Config(
        create_app(secret, settings),
        lifespan="on",
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=2,
    )
    return asyncio.run(_live(_Server(config), listener, folder, address))


def _reachable(host: str) -> str:
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - compared, not bound


class _Server(uvicorn.Server):
    """A server that tells when it is ready, and leaves signals to us.

    A signal must not stop it at once: what came in is to be stored first.
    """

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        try:
            await super().startup(sockets)
        except SystemExit:  # the application could not start, and has said why
            self.should_exit = True
        if self.started:
            self.ready.set()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def _live(server: _Server, listener: socket.socket, folder: Path, address: Address) -> int:
    told = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, told.set)
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    ready = asyncio.create_task(server.ready.wait())
    await asyncio.wait({serving, ready}, return_when=asyncio.FIRST_COMPLETED)
    if not ready.done():
        ready.cancel()
        return 1
    publish(folder, address)
    await _until_unwanted(told, Users(folder))
    withdraw(folder)
    _end_at_last()
    await _settle()
    server.should_exit = True
    await serving
    return 0


async def _until_unwanted(told: asyncio.Event, users: Users) -> None:
    while not told.is_set() and not users.gone():
        try:
            await asyncio.wait_for(told.wait(), IDLE_POLL_SECONDS)
        except TimeoutError:
            continue


async def _settle() -> None:
    """Wait until Prefect's services have taken up every event that came in.

    On their way out they store what they have taken up, but leave behind what still waits for them.
    """
    from prefect.server.utilities.messaging.memory import METRICS

    deadline = time.monotonic() + DRAIN_SECONDS
    before: list[tuple[int, int]] | None = None
    while time.monotonic() < deadline:
        now = [(topic["published"], topic["consumed"]) for topic in METRICS.values()]
        if now == before and all(published == consumed for published, consumed in now):
            return
        before = now
        await asyncio.sleep(0.3)


def _end_at_last() -> None:
    """See to it that the process ends: a lock held for ever would keep every later server from starting."""
    guard = threading.Timer(END_SECONDS, os._exit, [1])
    guard.daemon = True
    guard.start()
