"""Processes as /proc shows them: whose they are, whether they are still the same, and their end."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterable
from pathlib import Path

PROC = Path("/proc")


def birth(pid: int) -> str | None:
    """Return when a living process began, in ticks since boot; None for one that ended, reaped or not."""
    try:
        stat = (PROC / str(pid) / "stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    state, *fields = stat.rpartition(")")[2].split()
    return None if state in "ZX" else fields[18]


def carrying(variables: dict[str, str]) -> list[int]:
    """Return the processes that were started with all of these environment variables."""
    wanted = {f"{name}={value}".encode() for name, value in variables.items()}
    return [pid for pid in _all() if wanted <= _environment(pid)]


def kill(pids: Iterable[int]) -> None:
    """End these processes at once, and wait until they have."""
    births = {pid: born for pid in pids if (born := birth(pid)) is not None}
    for pid in births:
        send(pid, signal.SIGKILL)
    wait_until(lambda: not any(birth(pid) == born for pid, born in births.items()), seconds=10)


def send(pid: int, number: signal.Signals) -> None:
    """Signal a process that may have ended meanwhile."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return


def wait_until(happened: Callable[[], bool], *, seconds: float) -> bool:
    """Look every few milliseconds; return whether it happened in time."""
    deadline = time.monotonic() + seconds
    while not happened():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def _all() -> list[int]:
    return [int(entry.name) for entry in PROC.iterdir() if entry.name.isdecimal()]


def _environment(pid: int) -> set[bytes]:
    try:
        return set((PROC / str(pid) / "environ").read_bytes().split(b"\0"))
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return set()
