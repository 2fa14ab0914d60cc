"""Names of drivers, by which others can tell whether they still live."""

from __future__ import annotations

import os
import re
import socket
from pathlib import Path

_PROC = Path("/proc")
_NAME = re.compile(r"[^:]+:\d+:\w+\.\d+-\d+")


def this_driver() -> str:
    """Return the name of this process: host, process id, and what tells it from a later one of that id."""
    return driver_of(os.getpid())


def driver_of(pid: int) -> str:
    """Return the name of a process of this machine, which must not have been waited for."""
    return f"{socket.gethostname()}:{pid}:{_system()}-{_started(pid)}"


def is_driver(text: str | None) -> bool:
    """Whether a text is such a name."""
    return text is not None and _NAME.fullmatch(text) is not None


def process_id(driver: str) -> int:
    """Return the process id in a name, which means something only while the process `is_alive`."""
    return int(driver.rsplit(":", 2)[1])


def is_gone(driver: str) -> bool:
    """Whether the process of that name has ended for certain; one on another machine cannot be seen."""
    host, pid, stamp = driver.rsplit(":", 2)
    system, _, started = stamp.rpartition("-")
    if host != socket.gethostname() or system.split(".")[1] != _system().split(".")[1]:
        return False
    return system != _system() or _started(int(pid)) != started


def is_alive(driver: str) -> bool:
    """Whether the process of that name is seen to run; one on another machine cannot be seen."""
    host, pid, stamp = driver.rsplit(":", 2)
    system, _, started = stamp.rpartition("-")
    return host == socket.gethostname() and system == _system() and _started(int(pid)) == started


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
