"""The process beside the server that runs what people start in the UI."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from treadle.api.environment import Server, client_environment
from treadle.settings import PREFIX, Settings

LOG = "deployments.log"
END_SECONDS = 40


@contextmanager
def serving_deployments(settings: Settings, server: Server) -> Iterator[None]:
    """Serve the engine's own deployments in a process of its own, within the context.

    Its end ends what it has started: a collection that is cut off leaves nothing half built.
    """
    log = os.open(server.folder / LOG, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "treadle.runs.serving"],
            env={**os.environ, **client_environment(server), f"{PREFIX}HOME": str(settings.home)},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    finally:
        os.close(log)
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
