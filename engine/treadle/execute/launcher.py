"""The worker's side of the launcher: asks it to run programs and waits for their end."""

from __future__ import annotations

import atexit
import contextlib
import itertools
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from treadle.errors import CommandInvalid, WorkerLost

PROGRAM = Path(__file__).with_name("launcher_process.py")


@dataclass(frozen=True, slots=True)
class Launch:
    """A program to run.

    Attributes:
        file: Absolute path of the executable.
        words: Its argument list, from `argv[0]` on.
        environment: All variables it gets.
        folder: Its working folder.
        log: File that both its output streams are appended to.
    """

    file: str
    words: list[str]
    environment: dict[str, str]
    folder: Path
    log: Path


@dataclass(frozen=True, slots=True)
class Ended:
    """How a program ended, and what it used.

    Times and memory cover the process and the children it waited for: cpu is their sum, memory the largest of
    them. Children it left behind are killed and not counted.

    Attributes:
        exit_code: Its status; negative for the signal that killed it.
        seconds: Wall time from fork to end.
        cpu_seconds: User and system time.
        peak_memory_bytes: Largest resident memory of one process.
    """

    exit_code: int
    seconds: float
    cpu_seconds: float
    peak_memory_bytes: int


class Launcher:
    """Runs programs through one launcher process, for any number of threads.

    See `launcher_process.py` for what that process guarantees.

    Raises:
        OSError: The process could not be started, or its scratch folder not made.
    """

    def __init__(self) -> None:
        self.scratch = Path(tempfile.mkdtemp(prefix="treadle-units-"))
        self._control, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", str(PROGRAM), str(self.scratch)],
                stdin=theirs.fileno(),
                cwd="/",
                start_new_session=True,
            )
        self._numbers = itertools.count()
        self._lock = threading.Lock()
        self._waiting: dict[int, Future[dict[str, Any]]] = {}
        self._groups: dict[int, int] = {}
        self._lost = False
        self._reader = threading.Thread(target=self._read, name="treadle-launcher", daemon=True)
        self._reader.start()

    @property
    def alive(self) -> bool:
        """Whether it can run another program."""
        return not self._lost

    @property
    def pid(self) -> int:
        """Process id of the launcher process."""
        return self._process.pid

    def run(self, launch: Launch) -> Ended:
        """Run a program to its end.

        Raises:
            CommandInvalid: The system does not take the file for a program.
            OSError: The program could not be started for another reason.
            WorkerLost: The launcher ended before the program did; the program is killed.
        """
        number = next(self._numbers)
        answer: Future[dict[str, Any]] = Future()
        request = {
            "id": number,
            "file": launch.file,
            "argv": launch.words,
            "env": launch.environment,
            "cwd": str(launch.folder),
            "log": str(launch.log),
        }
        frame = json.dumps(request).encode()
        with self._lock:
            if self._lost:
                raise WorkerLost("The process that runs units on this worker has ended.")
            self._waiting[number] = answer
            with contextlib.suppress(ConnectionError):  # the reader sees the same end and says so
                self._control.sendall(len(frame).to_bytes(4, "big") + frame)
        end = answer.result()
        if end["refused"] is not None:
            _raise_refusal(launch, *end["refused"])
        return Ended(
            exit_code=os.waitstatus_to_exitcode(end["status"]),
            seconds=end["seconds"],
            cpu_seconds=end["cpu_seconds"],
            peak_memory_bytes=end["peak_memory_bytes"],
        )

    def close(self) -> None:
        """End every program and the launcher; returns when none is left. May be called twice."""
        with contextlib.suppress(OSError):  # it is closed already, or its other end is
            self._control.shutdown(socket.SHUT_WR)
        self._process.wait()
        self._reader.join()

    def _read(self) -> None:
        with self._control.makefile("rb") as stream:
            while header := _read_exactly(stream, 4):
                frame = _read_exactly(stream, int.from_bytes(header, "big"))
                if frame is None:
                    break
                self._take(json.loads(frame))
        self._end()

    def _take(self, answer: dict[str, Any]) -> None:
        number = answer["id"]
        if "pid" in answer:
            self._groups[number] = answer["pid"]
            return
        self._groups.pop(number, None)
        self._waiting.pop(number).set_result(answer)

    def _end(self) -> None:
        """The launcher is gone: whatever it has not ended itself ends now."""
        with self._lock:
            self._lost = True
            waiting, self._waiting = self._waiting, {}
        for group in self._groups.values():
            with contextlib.suppress(ProcessLookupError):
                os.killpg(group, signal.SIGKILL)
        lost = "The process that runs units on this worker ended under the unit."
        for answer in waiting.values():
            answer.set_exception(WorkerLost(lost))
        self._process.wait()
        self._control.close()
        shutil.rmtree(self.scratch, ignore_errors=True)


def _read_exactly(stream: Any, length: int) -> bytes | None:
    data = stream.read(length)
    return data if len(data) == length else None


def _raise_refusal(launch: Launch, stage: str, number: int) -> None:
    reason = os.strerror(number)
    if stage == "exec":
        raise CommandInvalid(
            f"The system cannot run {launch.file}: {reason}.",
            remedy="Correct the task's command, or collect its package again.",
        )
    raise OSError(number, reason, str(launch.log if stage == "log" else launch.folder))


_shared: list[Launcher] = []
_shared_lock = threading.Lock()


def shared_launcher() -> Launcher:
    """Return this process's launcher; starts one if there is none, or the last has ended.

    Raises:
        OSError: It could not be started.
    """
    with _shared_lock:
        if not _shared or not _shared[0].alive:
            _shared[:] = [Launcher()]
        return _shared[0]


@atexit.register
def close_shared_launcher() -> None:
    """End this process's units and its launcher, if it has one."""
    with _shared_lock:
        if _shared:
            _shared.pop().close()
