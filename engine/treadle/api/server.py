"""For the users of the local server: use the one that runs, or start it.

Nothing here imports Prefect, and nothing here sends the secret anywhere.
"""

from __future__ import annotations

import errno
import logging
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from treadle.api.claim import POLL_SECONDS, Address, claim, using
from treadle.api.environment import API_PATH, Server, auth_string
from treadle.api.secret import local_secret
from treadle.errors import ServerError, StorageFull
from treadle.settings import Settings

START_SECONDS = 180
RESTARTS_AT_MOST = 5
QUIET_SECONDS = 600
LOG_LINES = 20

logger = logging.getLogger(__name__)


def serve(settings: Settings, ready: Callable[[Server], None]) -> None:
    """Keep the server of this home running until this process is interrupted or terminated.

    The port is the one that is set, unless a server runs already, which is joined wherever it listens. One
    that dies is started again where it listened, so that runs and pages find it again. It goes on after the
    end if a run still uses it.

    Args:
        settings: The settings.
        ready: Called once, when the server answers.

    Raises:
        ServerError: The port is taken, or the server did not start, or died again and again.
        StorageFull: The server's folder may not be written.
    """
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with _joined(settings, any_port=False) as address:
            ready(_describe(settings, address))
            _keep(settings, address)
    except KeyboardInterrupt:
        return
    finally:
        signal.signal(signal.SIGTERM, before)


def _keep(settings: Settings, address: Address) -> None:
    """See to it that a server listens at that address, until this process is interrupted.

    Raises:
        ServerError: It died too often, or does not start again.
    """
    there = settings.model_copy(update={"port": address.port})
    deaths: list[float] = []
    while True:
        while (now := claim(settings.server_folder)) == address:
            time.sleep(1)
        if isinstance(now, int):
            os.close(now)
        deaths = [death for death in deaths if time.monotonic() - death < QUIET_SECONDS]
        deaths.append(time.monotonic())
        if len(deaths) > RESTARTS_AT_MOST:
            raise ServerError(
                f"The server ended {len(deaths)} times within {QUIET_SECONDS // 60} minutes.",
                remedy="See why, then start it again with `treadle up`.",
                detail=_log_tail(settings),
            )
        logger.warning("server_started_again port=%d times=%d", address.port, len(deaths))
        address = _joined_address(there, any_port=False)


@contextmanager
def local_server(settings: Settings) -> Iterator[Server]:
    """Use the server of this home, starting it if none runs; it ends soon after its last user.

    It listens on the port that is set, or on any free one if that is taken.

    Raises:
        ServerError: It did not start, or runs on another machine.
        StorageFull: The server's folder may not be written.
    """
    with _joined(settings, any_port=True) as address:
        yield _describe(settings, address)


@contextmanager
def running_server(settings: Settings) -> Iterator[Server | None]:
    """Use the server of this home if one runs, within the context; None where none does: none is started.

    Raises:
        ServerError: It runs on another machine.
        StorageFull: The server's folder may not be written.
    """
    folder = _make_folder(settings)
    with using(folder, deadline=time.monotonic() + START_SECONDS):
        while (found := claim(folder)) is None:
            time.sleep(POLL_SECONDS)
        if isinstance(found, int):
            os.close(found)
            yield None
        else:
            yield _describe(settings, found)


def _describe(settings: Settings, address: Address) -> Server:
    secret = local_secret(settings.server_folder)
    return Server(
        api_url=address.url + API_PATH,
        auth_string=auth_string(secret),
        ui_url=f"{address.url}/?token={secret}",
        folder=settings.server_folder,
    )


@contextmanager
def _joined(settings: Settings, *, any_port: bool) -> Iterator[Address]:
    folder = _make_folder(settings)
    with using(folder, deadline=time.monotonic() + START_SECONDS):
        yield _joined_address(settings, any_port=any_port)


def _joined_address(settings: Settings, *, any_port: bool) -> Address:
    """Return where the server listens; it is started if none runs. The caller is one of its users."""
    folder = settings.server_folder
    deadline = time.monotonic() + START_SECONDS
    started = False
    while not isinstance(outcome := claim(folder), Address):
        if outcome is not None:
            _start_once(settings, outcome, started=started, any_port=any_port)
            started = True
        if time.monotonic() > deadline:
            raise ServerError(
                f"The server did not start within {START_SECONDS} seconds.",
                remedy=f"See {folder / 'server.log'}.",
                detail=_log_tail(settings),
            )
        time.sleep(POLL_SECONDS)
    return outcome


def _make_folder(settings: Settings) -> Path:
    settings.create_home()
    folder = settings.server_folder
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        folder.chmod(0o700)
        local_secret(folder)
    except OSError as error:
        raise StorageFull(
            f"The server's folder {folder} cannot be written: {error.strerror}.",
            remedy="Make room or mend its permissions, or set TREADLE_HOME to another folder.",
        ) from error
    return folder


def _start_once(settings: Settings, lock: int, *, started: bool, any_port: bool) -> None:
    """Start the server with the lock that it will hold, unless it was started and has died."""
    try:
        if started:
            raise ServerError(
                "The server died while it started.",
                remedy=f"See {settings.server_folder / 'server.log'}.",
                detail=_log_tail(settings),
            )
        with _listen(settings, any_port=any_port) as listener:
            _start(settings, lock, listener)
    finally:
        os.close(lock)


def _listen(settings: Settings, *, any_port: bool) -> socket.socket:
    """Open the port here, so that one that is taken is known at once."""
    try:
        family, _, _, _, place = socket.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM)[0]
        return socket.create_server(place[:2], family=family, backlog=128)
    except OSError as error:
        if error.errno == errno.EADDRINUSE and any_port:
            return _listen(settings.model_copy(update={"port": 0}), any_port=False)
        taken = f"Port {settings.port} of {settings.host} is taken by another program."
        other = f"Port {settings.port} of {settings.host} cannot be opened: {error.strerror}."
        raise ServerError(
            taken if error.errno == errno.EADDRINUSE else other,
            remedy="Set TREADLE_PORT to another port, or to 0 for any free one.",
        ) from error


def _start(settings: Settings, lock: int, listener: socket.socket) -> None:
    descriptors = (lock, listener.fileno())
    command = [sys.executable, "-P", "-m", "treadle.api", f"--lock={lock}", f"--socket={listener.fileno()}"]
    configuration = settings.model_dump_json().encode()
    log = os.open(_log_file(settings), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        ended = subprocess.run(
            command,
            input=configuration,
            stdout=log,
            stderr=log,
            cwd=settings.server_folder,
            pass_fds=descriptors,
            start_new_session=True,
            check=False,
        )
    finally:
        os.close(log)
    if ended.returncode:
        raise ServerError("The server could not be started.", detail=_log_tail(settings))


def _log_file(settings: Settings) -> Path:
    return settings.server_folder / "server.log"


def _log_tail(settings: Settings) -> str:
    lines = _log_file(settings).read_text(errors="replace").splitlines()
    return "\n".join(lines[-LOG_LINES:])
