"""Who starts the server of a home, where it is, and whether anybody uses it.

Three files in the server's folder, each locked with flock, which the kernel lifts when a process dies
however it dies:

- `server.lock` is held by the server for as long as it lives: the starter takes it and hands it on.
- `users.lock` is shared by all users; the server that gets it for itself alone has none left. Drivers of
  flow runs inherit it from their worker.
- `claim.lock` makes looking and taking one act, so that an address left by a killed server is never read.
"""

from __future__ import annotations

import fcntl
import json
import os
import platform
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from treadle.errors import ServerError
from treadle.runs.workers.process import USERS_LOCK

POLL_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Address:
    """Where a ready server listens.

    Attributes:
        node: Name of the machine it runs on; its loopback address means nothing elsewhere.
        host: Address or name to reach it by.
        port: TCP port.
        pid: Its process.
        started: When it became ready, in UTC, ISO 8601.
    """

    node: str
    host: str
    port: int
    pid: int
    started: str

    @property
    def url(self) -> str:
        """Base URL, without a slash at its end."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"


def claim(folder: Path) -> int | Address | None:
    """Look for the server of `folder`, and take the right to start it if there is none.

    Returns:
        The address of the server that is ready; None while one starts or ends; or, where there is none,
        the descriptor of the server's lock, which the caller now holds.

    Raises:
        ServerError: The server runs on another machine.
    """
    with _locked(folder / "claim.lock"):
        lock = _open(folder / "server.lock")
        if try_lock(lock, fcntl.LOCK_EX):
            (folder / "address").unlink(missing_ok=True)
            return lock
        os.close(lock)
        try:
            address = Address(**json.loads((folder / "address").read_text()))
        except FileNotFoundError:
            return None
    if address.node != platform.node():
        raise ServerError(
            f"The server of {folder.parent} runs on {address.node}, and this is {platform.node()}.",
            remedy=f"Work on {address.node}, or set TREADLE_HOME to another folder.",
        )
    return address


def publish(folder: Path, address: Address) -> None:
    """Make the address known, all of it at once."""
    draft = folder / ".address"
    draft.write_text(json.dumps(asdict(address)))
    draft.replace(folder / "address")


def withdraw(folder: Path) -> None:
    """Let nobody find the address any more."""
    (folder / "address").unlink(missing_ok=True)


@contextmanager
def using(folder: Path, *, deadline: float) -> Iterator[None]:
    """Be a user of the server: it does not end for want of users meanwhile.

    Args:
        folder: The server's folder.
        deadline: Monotonic time until which to wait for a server that is just ending.

    Raises:
        ServerError: It was still ending then.
    """
    users = _open(folder / USERS_LOCK)
    try:
        while not try_lock(users, fcntl.LOCK_SH):
            if time.monotonic() > deadline:
                raise ServerError(
                    f"The server of {folder.parent} is ending, and does not come to its end.",
                    remedy=f"See {folder / 'server.log'}, and end its process.",
                )
            time.sleep(POLL_SECONDS)
        yield
    finally:
        os.close(users)


class Users:
    """The users of a server, as the server sees them."""

    def __init__(self, folder: Path) -> None:
        self._lock = _open(folder / USERS_LOCK)

    def gone(self) -> bool:
        """Say whether nobody is left; if so, nobody can come before this process has ended."""
        return try_lock(self._lock, fcntl.LOCK_EX)


def try_lock(descriptor: int, kind: int) -> bool:
    """Take a lock of that kind if it is free at once."""
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    descriptor = _open(path)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _open(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
