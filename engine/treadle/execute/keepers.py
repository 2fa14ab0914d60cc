"""The worker's side of keepers: one runs one unit at a time, for one thread at a time."""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import socket
import stat
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from treadle.errors import CommandInvalid
from treadle.execute.programs.frames import receive, send
from treadle.model.states import Cause

FOLDER_MODE = stat.S_IFDIR | 0o700


class KeeperLost(Exception):
    """A keeper ended before it told how its unit did; the unit is killed, or was never started."""


@dataclass(frozen=True, slots=True)
class Order:
    """A unit as a keeper needs to know it.

    Attributes:
        words: Its command, without the two file options.
        args: What goes into the args file, as JSON.
        log: File that what it prints is appended to.
        timeout_seconds: What it may take.
        memory_bytes: What all its processes together may use.
        program: Executable and variables; not told to a keeper that is a copy of a zygote, which has both.
    """

    words: Sequence[str]
    args: str
    log: Path
    timeout_seconds: float | None = None
    memory_bytes: int | None = None
    program: tuple[str, dict[str, str]] | None = None


@dataclass(frozen=True, slots=True)
class Ended:
    """How a unit ended, and what it used; none of its processes is left.

    Attributes:
        exit_code: Status of its first process; negative for the signal that killed it.
        cause: Why it was made to end, by its keeper or the kernel: `TIMEOUT`, `CANCELLED` or `OUT_OF_MEMORY`.
        seconds: Wall time from the start to the end of its first process.
        cpu_seconds: User and system time of all its processes.
        peak_memory_bytes: The most they used at any time; `programs.unit` says how it is measured.
        imported: Modules it had to import that a zygote could have had.
        out_file: Where it was to write its output.
    """

    exit_code: int
    cause: Cause | None
    seconds: float
    cpu_seconds: float
    peak_memory_bytes: int
    imported: tuple[str, ...]
    out_file: Path


@dataclass(frozen=True, slots=True)
class WorkFolder:
    """A folder in which one unit after another runs.

    Some file systems take a millisecond to remove a folder, which is much for a small unit.
    """

    path: Path
    inode: tuple[int, int]

    @classmethod
    def made(cls, path: Path) -> Self:
        """Make a new one.

        Raises:
            OSError: It cannot be made.
        """
        path.mkdir(mode=0o700)
        found = path.lstat()
        return cls(path, (found.st_dev, found.st_ino))

    def emptied(self) -> bool:
        """Remove the files in it; return whether it is as new then.

        What is in its place by now may be anything, a link to somewhere else too: only what is in the folder
        that was made is removed.
        """
        try:
            folder = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError:
            return False
        try:
            found = os.fstat(folder)
            if (found.st_dev, found.st_ino) != self.inode or found.st_mode != FOLDER_MODE:
                return False
            for name in os.listdir(folder):  # noqa: PTH208 - pathlib knows no descriptors
                os.unlink(name, dir_fd=folder)
        except OSError:  # it has folders
            return False
        finally:
            os.close(folder)
        return True


class Keeper:
    """A keeper process.

    Args:
        connection: Connection with it.
        folder: Its folder.
        generation: What its zygote had imported when it was forked; see `WarmPython`.
    """

    def __init__(self, connection: socket.socket, folder: Path, generation: int = 0) -> None:
        self.generation = generation
        self._connection = connection
        self._folder = folder
        self._lock = threading.Lock()
        self._cancelled: int | None = None
        self._work: WorkFolder | None = None

    @property
    def ready(self) -> bool:
        """Whether it waits for a unit; one that was idle for long has ended."""
        return not select.select([self._connection], [], [], 0)[0]

    @contextmanager
    def running(self, order: Order, number: int) -> Iterator[Ended]:
        """Run a unit to its end; the files it left are there within the context.

        Args:
            order: The unit.
            number: What `cancel` will call it.

        Raises:
            CommandInvalid: The system does not take the file for a program.
            OSError: The unit could not be started for another reason.
            KeeperLost: The keeper ended before.
        """
        work = self._work or WorkFolder.made(self._folder / str(number))
        self._work = None
        try:
            yield self._run(order, number, work.path)
        finally:
            if work.emptied():
                self._work = work
            else:
                shutil.rmtree(work.path, ignore_errors=True)

    def _run(self, order: Order, number: int, folder: Path) -> Ended:
        args_file, out_file = folder / "args.json", folder / "out.json"
        args_file.write_text(order.args)
        request: dict[str, Any] = {
            "id": number,
            "words": [*order.words, "--args-json", str(args_file), "--out-json", str(out_file)],
            "folder": str(folder),
            "log": str(order.log),
            "timeout": order.timeout_seconds,
            "memory": order.memory_bytes,
        }
        if order.program is not None:
            request["file"], request["environment"] = order.program
        self._send(request)
        if self._cancelled == number:  # perhaps before the keeper knew of the unit
            self.cancel(number)
        answer = receive(self._connection)
        if answer is None:
            raise KeeperLost
        if answer["refused"] is not None:
            _raise_refusal(request, *answer["refused"])
        return Ended(
            exit_code=os.waitstatus_to_exitcode(answer["status"]),
            cause=answer["reason"] and Cause(answer["reason"]),
            seconds=answer["seconds"],
            cpu_seconds=answer["cpu_seconds"],
            peak_memory_bytes=answer["peak_memory_bytes"],
            imported=tuple(answer["imported"]),
            out_file=out_file,
        )

    def cancel(self, number: int) -> None:
        """Ask for the end of a unit, and kill it after the grace period; for another thread."""
        self._cancelled = number
        with contextlib.suppress(KeeperLost):
            self._send({"end": number})

    def close(self) -> None:
        """Let the process end; it has no unit."""
        self._connection.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _send(self, message: dict[str, Any]) -> None:
        with self._lock:
            try:
                send(self._connection, message)
            except OSError as error:
                raise KeeperLost from error


def _raise_refusal(request: dict[str, Any], stage: str, number: int) -> None:
    reason = os.strerror(number)
    if stage == "exec":
        raise CommandInvalid(
            f"The system cannot run {request['file']}: {reason}.",
            remedy="Correct the task's command, or collect its package again.",
        )
    raise OSError(number, reason, request.get(stage))
