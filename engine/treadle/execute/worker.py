"""Who runs the units of this process: the name that stands in their records and log files."""

from __future__ import annotations

import functools
import os
import socket
import time

_given_name: list[str] = []
_ends_at: list[float] = []


@functools.cache
def host_name() -> str:
    """Return the name of this machine."""
    return socket.gethostname()


def name_worker(name: str, *, ends_at: float | None = None) -> None:
    """Tell this process its name as a worker; a cluster calls it once, before the first batch.

    Args:
        name: The name.
        ends_at: When it will be ended, in seconds of the epoch; None if nobody has set a time.
    """
    _given_name[:] = [name]
    _ends_at[:] = [] if ends_at is None else [ends_at]


def seconds_left() -> float:
    """Return how long this worker still lives."""
    return _ends_at[0] - time.time() if _ends_at else float("inf")


def worker_name() -> str:
    """Return the name that was given, else host and process id."""
    return _given_name[0] if _given_name else f"{host_name()}-{os.getpid()}"
