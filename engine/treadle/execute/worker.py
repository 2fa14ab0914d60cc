"""Who runs the units of this process: the name that stands in their records and log files."""

from __future__ import annotations

import functools
import os
import socket
import time

_given_name: list[str] = []
_ends_at: list[float] = []
_place: list[str] = []


@functools.cache
def host_name() -> str:
    """Return the name of this machine."""
    return socket.gethostname()


def name_worker(name: str, *, ends_at: float | None = None, place: str = "") -> None:
    """Tell this process its name as a worker; a cluster calls it once, before the first batch.

    Args:
        name: The name.
        ends_at: When it will be ended, in seconds of the epoch; None if nobody has set a time.
        place: What it runs in that has limits of its own, with their figures and what to do if they are too
            small: sentences for people. Empty if it runs in none.
    """
    _given_name[:] = [name]
    _ends_at[:] = [] if ends_at is None else [ends_at]
    _place[:] = [place]


def place() -> str:
    """Return what this worker runs in, as sentences for people; empty where it has no limits of its own."""
    return _place[0] if _place else ""


def seconds_left() -> float:
    """Return how long this worker still lives."""
    return _ends_at[0] - time.time() if _ends_at else float("inf")


def is_worker() -> bool:
    """Whether this process is a worker of a cluster."""
    return bool(_given_name)


def worker_name() -> str:
    """Return the name that was given, else host and process id."""
    return _given_name[0] if _given_name else f"{host_name()}-{os.getpid()}"
