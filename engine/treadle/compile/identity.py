"""Names of drivers, by which others can tell whether they still live."""

from __future__ import annotations

import os
import socket
from pathlib import Path

_PROC = Path("/proc")


def this_driver() -> str:
    """Return the name of this process: host, process id, and what tells it from a later one of that id."""
    return f"{socket.gethostname()}:{os.getpid()}:{_system()}-{_started(os.getpid())}"


def is_gone(driver: str) -> bool:
    """Whether the process of that name has ended for certain; one on another machine cannot be seen."""
    host, pid, stamp = driver.rsplit(":", 2)
    system, _, started = stamp.rpartition("-")
    if host != socket.gethostname() or system.split(".")[1] != _system().split(".")[1]:
        return False
    return system != _system() or _started(int(pid)) != started


def _system() -> str:
    """Return marks of this machine's present life and of the processes that can be seen from here."""
    boot = (_PROC / "sys/kernel/random/boot_id").read_text()[:8]
    return f"{boot}.{(_PROC / 'self/ns/pid').stat().st_ino}"


def _started(pid: int) -> str:
    """Return when a process started, in ticks since boot; empty if there is none, or only its remains."""
    try:
        stat = (_PROC / str(pid) / "stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""
    fields = stat.rpartition(")")[2].split()
    return "" if fields[0] in {"Z", "X"} else fields[19]
