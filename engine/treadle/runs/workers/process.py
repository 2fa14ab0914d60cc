"""Drivers as processes: started so that they outlive their starter, and ended step by step."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from treadle.compile.identity import driver_of, is_alive, process_id

DRIVER = (sys.executable, "-P", "-m", "treadle.runs.workers.driver")
IN_PLACE = "--in-place"
"""Argument of the driver: the flow is run in the folder that it is started in, whatever kind it is."""
USERS_LOCK = "users.lock"
BY_ITSELF_SECONDS = 15.0
GRACE_SECONDS = 30.0
SIGNALS = 2
KEEP_LOG_DAYS = 30


def start_detached(
    command: Sequence[str],
    *,
    environment: Mapping[str, str],
    folder: Path | None,
    log_file: Path,
    server_folder: Path,
) -> tuple[str, subprocess.Popen[bytes]]:
    """Start a process that is in no session of ours and keeps the server of the home alive.

    Args:
        command: What is run.
        environment: Its whole environment.
        folder: Where it is run; None for where this process is.
        log_file: What it prints is added there.
        server_folder: Folder of the home's server.

    Returns:
        The name of the process, and the process, which is to be polled lest it stays when it has ended.
    """
    log_file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    log = os.open(log_file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    users = _use_server(server_folder)
    try:
        process = subprocess.Popen(
            command,
            env=dict(environment),
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            pass_fds=() if users is None else (users,),
            start_new_session=True,
        )
    finally:
        os.close(log)
        if users is not None:
            os.close(users)
    return driver_of(process.pid), process


def _use_server(folder: Path) -> int | None:
    """Return a descriptor whoever holds which is a user of the server; None where there is no use in that.

    `treadle.api.claim` tells what the file means. A server that is ending takes no more users: whoever is
    started now does without it.
    """
    try:
        users = os.open(folder / USERS_LOCK, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(users, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(users)
        return None
    return users


def remove_old_logs(folder: Path) -> None:
    """Remove the logs of drivers that ended long ago."""
    oldest = time.time() - KEEP_LOG_DAYS * 86_400
    for log in folder.glob("*.log"):
        if log.stat().st_mtime < oldest:
            log.unlink(missing_ok=True)


class Ending:
    """The end of a driver whose flow run is to be cancelled.

    Drivers of Treadle's runs notice that by themselves and end in order, so they get time for it; others are
    told by SIGTERM. Whoever has not ended then is killed with its process group.

    Args:
        driver: Name of the process.
        by_itself: Seconds in which it may end by itself.
        grace: Seconds from SIGTERM to SIGKILL.
    """

    def __init__(
        self, driver: str, *, by_itself: float = BY_ITSELF_SECONDS, grace: float = GRACE_SECONDS
    ) -> None:
        self._driver = driver
        self._steps = [(by_itself, signal.SIGTERM), (by_itself + grace, signal.SIGKILL)]
        self._asked_at: float | None = None

    @property
    def has_told(self) -> bool:
        """Whether the driver was sent a signal."""
        return len(self._steps) < SIGNALS

    def press(self) -> None:
        """Do what is due; call it from the first wish for the end on, every now and then."""
        now = time.monotonic()
        self._asked_at = now if self._asked_at is None else self._asked_at
        while self._steps and now - self._asked_at >= self._steps[0][0]:
            _, number = self._steps.pop(0)
            _send(self._driver, number)


def _send(driver: str, number: signal.Signals) -> None:
    if not is_alive(driver):
        return
    pid = process_id(driver)
    try:
        if number is signal.SIGKILL and os.getpgid(pid) == pid:
            os.killpg(pid, number)
        else:
            os.kill(pid, number)
    except ProcessLookupError:
        return  # it has ended meanwhile
