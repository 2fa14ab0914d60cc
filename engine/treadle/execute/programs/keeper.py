"""The process that runs one unit at a time, watches it, and leaves nothing of it behind.

It is a copy of the zygote or of the launcher. It adopts what a unit's processes leave behind, so that all
that descends from it, and nothing else, is the unit's.

- request `{id, words, folder, log, timeout, memory, ...}`: run `words` in `folder`, both streams appended to
  `log`, which is locked, shared, as long as a process of the unit lives
- request `{end: id}`: cancel that unit
- answer `{id, status, reason, seconds, cpu_seconds, peak_memory_bytes, refused, imported}`: it has ended,
  nothing of it is left; `status` as of `wait4`; `reason` where the keeper, or the kernel for want of memory,
  ended it; `refused` is `[stage, errno]` where it never started; `imported` are modules worth importing
  before a fork
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # `signal` has no type either for what it wraps
import contextlib
import errno
import fcntl
import json
import os
import select
import signal
import socket
import sys
from typing import Any, Callable, NoReturn

from . import kernel
from .frames import receive, send
from .unit import CANCELLED, LOST, Unit

IDLE_SECONDS = 120.0

Become = Callable[["Keeper", "dict[str, Any]"], NoReturn]


class Keeper:
    """Serves one worker's thread; one instance a process.

    Args:
        control: Connection with the worker.
        folder: Existing folder for its files, empty but for those of its predecessors.
        become: Called in the forked child, turns it into the unit.
        idle_seconds: How long it waits for a unit before it ends.
    """

    def __init__(
        self, control: socket.socket, folder: str, become: Become, idle_seconds: float = IDLE_SECONDS
    ) -> None:
        self._control = control
        self._idle_seconds = idle_seconds
        self._become = become
        self._imported = os.path.join(folder, "imported")
        self._log = -1
        self._null = os.open(os.devnull, os.O_RDONLY)
        self._refused, self._refusing = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        self._wake, self._waking = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        self._told_to_end = False
        self._pid = os.getpid()
        self._old_waking = signal.set_wakeup_fd(self._waking, warn_on_full_buffer=False)
        # The module `signal` wraps each answer in an enumeration, which costs the child 50 pages.
        self._old_handlers = {
            number: _signal.signal(number, self._take_signal) for number in (signal.SIGCHLD, signal.SIGTERM)
        }
        self._poll = select.poll()
        self._poll.register(control, select.POLLIN)
        self._poll.register(self._wake, select.POLLIN)

    def serve(self) -> None:
        """Run units until the worker is gone, wants no more, or the process is told to end."""
        while not self._told_to_end:
            ready = self._wait(self._idle_seconds)
            if not ready:
                return
            if self._control.fileno() in ready:
                request = receive(self._control)
                if request is None:
                    return
                if "words" in request:  # else it is about a unit that has ended meanwhile
                    self._run(request)

    def settle(self) -> None:
        """In the forked child: stand as a unit stands, with nothing of the keeper's but the code."""
        os.setsid()
        kernel.die_with_parent(self._pid)
        signal.set_wakeup_fd(self._old_waking)
        for number, handler in self._old_handlers.items():
            _signal.signal(number, _signal.SIG_DFL if handler is None else handler)
        os.dup2(self._null, 0)
        os.dup2(self._log, 1)
        os.dup2(self._log, 2)
        self._control.close()
        for descriptor in (self._log, self._null, self._refused, self._wake, self._waking):
            os.close(descriptor)

    def refuse(self, stage: str, number: int | None) -> NoReturn:
        """In the forked child: end, and let the worker know why there is no unit."""
        os.write(self._refusing, json.dumps([stage, number]).encode())
        os._exit(127)

    def started(self) -> None:
        """In the forked child: nothing can be refused any more."""
        os.close(self._refusing)

    def report_imports(self, names: list[str]) -> None:
        """In the forked child, at its end: name modules that are worth importing before the next fork."""
        with contextlib.suppress(OSError), open(self._imported, "w", encoding="utf-8") as stream:
            json.dump(names, stream)

    def _run(self, request: dict[str, Any]) -> None:
        stage = "log"
        self._log = -1
        try:
            self._log = os.open(request["log"], os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
            fcntl.flock(self._log, fcntl.LOCK_SH)
            stage = "folder"
            os.chdir(request["folder"])
            if self._is_deserted():
                return
            stage = "fork"
            kernel_kills = kernel.out_of_memory_kills()
            pid = os.fork()
        except OSError as error:
            if self._log >= 0:
                os.close(self._log)
            self._answer({"id": request["id"], "refused": [stage, error.errno]})
            return
        if pid == 0:
            try:
                self._become(self, request)
            except BaseException:  # noqa: BLE001 - what it is must be in the log, and the status is not the keeper's
                sys.excepthook(*sys.exc_info())
            finally:
                os._exit(127)
        unit = Unit(request["id"], pid, request["timeout"], request["memory"], kernel_kills)
        self._watch(unit)
        os.close(self._log)
        os.chdir("/")
        if not self._told_to_end:
            self._answer(unit.account() | self._left_by_unit())

    def _is_deserted(self) -> bool:
        """Whether the worker has died; to be asked between taking the lock on the log and the fork.

        Who takes a run over waits until the worker's journal is not locked, then until no log is. So either
        this lock is seen, or the worker's end is, and nothing starts.
        """
        if any(event & select.POLLHUP for _, event in self._poll.poll(0)):
            self._told_to_end = True
        if self._told_to_end:
            os.close(self._log)
        return self._told_to_end

    def _watch(self, unit: Unit) -> None:
        """Return when no process of the unit is left."""
        while self._reap(unit):
            unit.attend()
            if self._control.fileno() in self._wait(unit.due()):
                request = receive(self._control)
                if request is None:
                    self._told_to_end = True
                    self._poll.unregister(self._control)
                elif request.get("end") == unit.number:
                    unit.end(CANCELLED)
            if self._told_to_end:
                unit.end(LOST)

    def _reap(self, unit: Unit) -> bool:
        """Take note of all that has ended; return whether something is left."""
        try:
            while True:
                pid, status, usage = os.wait4(-1, os.WNOHANG)
                if pid == 0:
                    return True
                unit.reaped(pid, status, usage)
        except ChildProcessError:
            return False

    def _left_by_unit(self) -> dict[str, Any]:
        refused, imported = None, []
        with contextlib.suppress(BlockingIOError):
            refused = json.loads(os.read(self._refused, 4096))
        if os.path.exists(self._imported):
            with contextlib.suppress(ValueError), open(self._imported, encoding="utf-8") as stream:
                imported = json.load(stream)
            os.unlink(self._imported)
        return {"refused": refused, "imported": imported}

    def _answer(self, answer: dict[str, Any]) -> None:
        try:
            send(self._control, answer)
        except OSError as error:
            if error.errno not in (errno.EPIPE, errno.ECONNRESET):
                raise
            self._told_to_end = True

    def _wait(self, seconds: float) -> list[int]:
        ready = [descriptor for descriptor, _ in self._poll.poll(seconds * 1000)]
        if self._wake in ready:
            with contextlib.suppress(BlockingIOError):
                os.read(self._wake, 4096)
        return ready

    def _take_signal(self, number: int, _: object) -> None:
        if number == signal.SIGTERM:
            self._told_to_end = True
