"""The worker's side of the launcher: starts it, asks it for keepers and zygotes, and ends it."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from treadle.errors import WorkerLost
from treadle.execute.programs.frames import receive, send

PROGRAM = Path(__file__).with_name("programs") / "start.py"


class Launcher:
    """One launcher process; for any number of threads.

    See `programs` for what that process and its children guarantee.

    Raises:
        OSError: The process could not be started, or its scratch folder not made.
    """

    def __init__(self) -> None:
        self.scratch = Path(tempfile.mkdtemp(prefix="treadle-units-"))
        self._control, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", str(PROGRAM), "launcher", str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                cwd=self.scratch,
                start_new_session=True,
            )
        self._lock = threading.Lock()
        self._closed = False

    @property
    def alive(self) -> bool:
        """Whether it can start more."""
        return not self._closed and self._process.poll() is None

    @property
    def pid(self) -> int:
        """Process id of the launcher process."""
        return self._process.pid

    def keep(self, folder: Path) -> socket.socket:
        """Return the connection with a new keeper for any program, which has `folder` for its files.

        Raises:
            OSError: The system has no room for another process.
            WorkerLost: The launcher has ended.
        """
        connection, _ = self._ask({"keep": str(folder)})
        return connection

    def start_zygote(
        self, python: str, environment: Mapping[str, str], output: Path, *, idle_seconds: float
    ) -> tuple[socket.socket, int]:
        """Return the connection with a new zygote, and its process id; it may turn out not to run.

        Args:
            python: Absolute path of its interpreter.
            environment: Its variables.
            output: File for what it prints.
            idle_seconds: How long it waits with nothing to do before it ends.

        Raises:
            OSError: The system has no room for another process.
            WorkerLost: The launcher has ended.
        """
        words = [python, str(PROGRAM), "zygote", str(idle_seconds)]
        return self._ask({"start": words, "environment": dict(environment), "output": str(output)})

    def _ask(self, request: dict[str, Any]) -> tuple[socket.socket, int]:
        ours, theirs = socket.socketpair()
        with theirs, self._lock:
            try:
                send(self._control, request, [theirs.fileno()])
                answer = receive(self._control)
            except OSError:
                answer = None
        if answer is not None and "pid" in answer:
            return ours, answer["pid"]
        ours.close()
        if answer is None:
            raise WorkerLost("The process that runs units on this worker has ended.")
        raise OSError(answer["errno"], os.strerror(answer["errno"]))

    def close(self) -> None:
        """End all units and processes of the launcher; returns when none is left. May be called twice."""
        self._closed = True
        with contextlib.suppress(OSError):  # it is closed already, or its other end is
            self._control.shutdown(socket.SHUT_RDWR)
        self._process.wait()
        with self._lock:
            self._control.close()
        shutil.rmtree(self.scratch, ignore_errors=True)
