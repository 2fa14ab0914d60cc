"""The process that starts units, watches them, and outlives the worker just long enough to end them.

Run by path in the engine's own interpreter, `python -I -S launcher_process.py SCRATCH`, with a stream socket
to the worker as its standard input. It imports nothing but the standard library.

Requests and answers are frames: four bytes of length, big-endian, then a JSON object.

- request `{id, file, argv, env, cwd, log}`: start `file` with its streams in `log`
- answer `{id, pid}`: started; the pid is also its process group and session
- answer `{id, status, seconds, cpu_seconds, peak_memory_bytes, refused}`: ended; `status` as of `wait4`;
  `refused` is `[stage, errno]` where the program never started

Why a process of its own, and not a child of the worker's threads:

- The kernel's parent-death signal fires when the parent's *thread* ends. This process has one thread, so
  a unit that asks for the signal gets it when the launcher dies and never earlier.
- The worker may be killed without a word. Its end of the socket then closes, and the launcher ends every
  process that descends from a unit: it is their subreaper, so none can leave by losing its parent.
- Forking from a small process with one thread is safe and cheap, and a unit's peak memory is its own: Linux
  counts the memory of the forking process into the maximum of a child that has not yet called exec.

Standard output is never written to. It stays open as long as any unit may be alive, so whoever holds the
other end of that pipe learns when all is over.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import json
import os
import selectors
import shutil
import signal
import socket
import sys
import time
from pathlib import Path
from typing import Any

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
GRACE_SECONDS = 2.0
POLL_SECONDS = 0.05

_libc = ctypes.CDLL(None, use_errno=True)


class Running:
    """A unit's process, from fork to reaping."""

    def __init__(self, number: int, refusal: int) -> None:
        self.number = number
        self.refusal = refusal
        self.began = time.monotonic()


class Launcher:
    """Starts and reaps; one instance a process."""

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._received = b""
        self._running: dict[int, Running] = {}
        self._wake, wakened = socket.socketpair()
        self._wake.setblocking(False)
        wakened.setblocking(False)
        self._wakened = wakened
        signal.set_wakeup_fd(wakened.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        self._told_to_end = False
        signal.signal(signal.SIGTERM, self._end_asked)

    def _end_asked(self, *_: object) -> None:
        self._told_to_end = True

    def serve(self) -> None:
        """Start what is asked for until the worker is gone or the process is told to end."""
        with selectors.DefaultSelector() as selector:
            selector.register(self._control, selectors.EVENT_READ)
            selector.register(self._wake, selectors.EVENT_READ)
            connected = True
            while connected and not self._told_to_end:
                for key, _ in selector.select():
                    if key.fileobj is self._control:
                        connected = self._receive()
                    else:
                        self._reap()

    def _receive(self) -> bool:
        try:
            data = self._control.recv(1 << 20)
        except ConnectionError:
            return False
        self._received += data
        while len(self._received) >= 4:
            end = 4 + int.from_bytes(self._received[:4], "big")
            if len(self._received) < end:
                break
            frame, self._received = self._received[4:end], self._received[end:]
            self._start(json.loads(frame))
        return bool(data)

    def _answer(self, **answer: object) -> None:
        frame = json.dumps(answer).encode()
        with contextlib.suppress(ConnectionError):  # the worker is gone: the next read says so
            self._control.sendall(len(frame).to_bytes(4, "big") + frame)

    def _start(self, request: dict[str, Any]) -> None:
        refusal, refused = os.pipe()
        launcher = os.getpid()
        try:
            pid = os.fork()
        except OSError as error:
            os.close(refusal)
            os.close(refused)
            self._answer_refused(request["id"], ["fork", error.errno])
            return
        if pid == 0:
            _become(request, refused, launcher)
        os.close(refused)
        self._running[pid] = Running(request["id"], refusal)
        self._answer(id=request["id"], pid=pid)

    def _answer_refused(self, number: int, refused: list[object]) -> None:
        self._answer(id=number, status=0, seconds=0.0, cpu_seconds=0.0, peak_memory_bytes=0, refused=refused)

    def _reap(self) -> None:
        with contextlib.suppress(BlockingIOError):
            self._wake.recv(4096)
        while True:
            try:
                ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            except ChildProcessError:
                return
            if ended is None:
                return
            # Still a zombie, so its number cannot be anybody else's: what is left of its group can be killed.
            unit = self._running.pop(ended.si_pid, None)
            if unit is not None:
                _kill_group(ended.si_pid, signal.SIGKILL)
            _, status, usage = os.wait4(ended.si_pid, 0)
            if unit is not None:
                with os.fdopen(unit.refusal, "rb") as stream:
                    refused = json.loads(stream.read() or b"null")
                self._answer(
                    id=unit.number,
                    status=status,
                    seconds=time.monotonic() - unit.began,
                    cpu_seconds=usage.ru_utime + usage.ru_stime,
                    peak_memory_bytes=usage.ru_maxrss * 1024,
                    refused=refused,
                )

    def end_all(self) -> None:
        """Ask every unit to end, then kill all that descends from this process; return when none is left."""
        for pid in self._running:
            _kill_group(pid, signal.SIGTERM)
        deadline = time.monotonic() + GRACE_SECONDS
        while self._children_left():
            if not self._running or time.monotonic() > deadline:
                for pid in _children():
                    with contextlib.suppress(ProcessLookupError, PermissionError):
                        os.kill(pid, signal.SIGKILL)
            time.sleep(POLL_SECONDS)

    def _children_left(self) -> bool:
        try:
            while True:
                pid, _ = os.waitpid(-1, os.WNOHANG)
                if pid == 0:
                    return True
                if pid in self._running:
                    del self._running[pid]
                    _kill_group(pid, signal.SIGKILL)
        except ChildProcessError:
            return False


def _become(request: dict[str, Any], refused: int, launcher: int) -> None:
    """In the forked child: turn into the unit's program, or say on `refused` why not. Never returns."""
    stage = "prepare"
    try:
        os.setsid()
        _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != launcher:
            os._exit(127)
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGCHLD, signal.SIGINT, signal.SIGTERM, signal.SIGPIPE, signal.SIGXFSZ):
            signal.signal(number, signal.SIG_DFL)
        stage = "log"
        log = os.open(request["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(log, 1)
        os.dup2(log, 2)
        stage = "folder"
        os.chdir(request["cwd"])
        stage = "exec"
        os.execve(request["file"], request["argv"], request["env"])  # noqa: S606 - no shell is wanted
    except OSError as error:
        os.write(refused, json.dumps([stage, error.errno]).encode())
    except ValueError:  # a NUL in a word or a variable
        os.write(refused, json.dumps([stage, errno.EINVAL]).encode())
    finally:
        os._exit(127)


def _kill_group(group: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


def _children() -> list[int]:
    """Return the direct children of this process, adopted ones included."""
    mine = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # it ended meanwhile
            parent = stat.read_bytes().rpartition(b")")[2].split()[1]
            if int(parent) == os.getpid():
                mine.append(int(stat.parent.name))
    return mine


def main(scratch: str) -> None:
    """Serve until the worker is gone, then leave no process and no scratch folder."""
    if _libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "cannot become a subreaper")
    launcher = Launcher(socket.socket(fileno=0))
    launcher.serve()
    launcher.end_all()
    shutil.rmtree(scratch, ignore_errors=True)


if __name__ == "__main__":
    main(sys.argv[1])
