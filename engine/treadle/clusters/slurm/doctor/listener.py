"""A port like that of a run's scheduler, for a trial job to call."""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from distributed.security import Security

LONGEST_MESSAGE = 1000


@dataclass(slots=True)
class Listener:
    """A port that waits for one call.

    Attributes:
        host: Its address, as nodes are told.
        port: Its number.
        ahead_seconds: How far the caller's clock is ahead of ours; None before it called.
    """

    host: str
    port: int = 0
    ahead_seconds: float | None = None


@asynccontextmanager
async def listening(host: str, secret: str, folder: Path) -> AsyncIterator[Listener]:
    """Listen on any port of an address, as long as the context lasts.

    Args:
        host: The address.
        secret: What a caller must know.
        folder: Private folder; gets the caller's certificate.

    Raises:
        OSError: The address is none of this machine.
    """
    security = Security.temporary()
    _write(folder / "authority.pem", security.tls_ca_file)
    _write(folder / "certificate.pem", security.tls_worker_cert)
    _write(folder / "key.pem", security.tls_worker_key)
    listener = Listener(host)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            said = json.loads(await reader.readuntil(b"\n"))
            if said["secret"] == secret:
                listener.ahead_seconds = float(said["time"]) - time.time()
                writer.write(b"welcome\n")
                await writer.drain()
        except (OSError, ValueError, KeyError, TypeError, EOFError, asyncio.LimitOverrunError):
            pass  # a stranger
        finally:
            writer.close()

    context = security.get_listen_args("scheduler")["ssl_context"]
    server = await asyncio.start_server(answer, host, 0, ssl=context, limit=LONGEST_MESSAGE)
    async with server:
        listener.port = server.sockets[0].getsockname()[1]
        yield listener


def _write(path: Path, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        stream.write(text)
