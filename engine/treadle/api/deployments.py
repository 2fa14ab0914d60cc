"""The process beside the server that runs what people start in the UI, and looks after what is run."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from treadle.api.environment import Server, client_environment
from treadle.settings import PREFIX, Settings

LOG = "deployments.log"
END_SECONDS = 20
PAUSE_SECONDS = 2.0
LOOK_SECONDS = 0.5
STARTS_AT_MOST = 10
QUIET_SECONDS = 600


@contextmanager
def serving_deployments(settings: Settings, server: Server) -> Iterator[None]:
    """Serve the deployments in a process of its own, within the context; it is started again where it dies.

    What it has started goes on after its end.
    """
    ended = threading.Event()
    keeping = threading.Thread(
        target=_keep, args=(settings, server, ended), name="treadle-deployments", daemon=True
    )
    keeping.start()
    try:
        yield
    finally:
        ended.set()
        keeping.join()


def _keep(settings: Settings, server: Server, ended: threading.Event) -> None:
    """Start the process again and again, but not for ever where it keeps dying."""
    starts: list[float] = []
    while not ended.is_set() and len(starts) < STARTS_AT_MOST:
        starts = [start for start in starts if time.monotonic() - start < QUIET_SECONDS]
        starts.append(time.monotonic())
        _run(settings, server, ended, anew=len(starts) == 1)
        ended.wait(PAUSE_SECONDS)


def _run(settings: Settings, server: Server, ended: threading.Event, *, anew: bool) -> None:
    flags = os.O_WRONLY | os.O_CREAT | (os.O_TRUNC if anew else os.O_APPEND)
    log = os.open(server.folder / LOG, flags, 0o600)
    try:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "treadle.runs.workers.serving"],
            env={**os.environ, **client_environment(server), f"{PREFIX}HOME": str(settings.home)},
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    finally:
        os.close(log)
    with process:  # its standard input, open as long as this process lives
        while process.poll() is None and not ended.wait(LOOK_SECONDS):
            continue
        process.terminate()
        try:
            process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
