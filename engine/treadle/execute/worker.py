"""Who runs the units of this process: the name that stands in their records and log files."""

from __future__ import annotations

import functools
import os
import socket

_given_name: list[str] = []


@functools.cache
def host_name() -> str:
    """Return the name of this machine."""
    return socket.gethostname()


def name_worker(name: str) -> None:
    """Tell this process its name as a worker; a cluster calls it once, before the first batch."""
    _given_name[:] = [name]


def worker_name() -> str:
    """Return the name that was given, else host and process id."""
    return _given_name[0] if _given_name else f"{host_name()}-{os.getpid()}"
