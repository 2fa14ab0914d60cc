"""The parent of all processes of one worker's units; it starts them, and leaves none behind.

- request `{start: words, environment, output}` with a socket: start a program that gets the socket's
  descriptor as its last argument
- request `{keep: folder}` with a socket: fork a keeper on that socket, whose units are any programs: its
  requests name `file` and `environment` as well
- answer `{pid}` or `{errno}`

Standard output is never written to. It stays open as long as any unit may be alive, so whoever holds the
other end of that pipe learns when all is over.
"""

from __future__ import annotations

import contextlib
import errno
import os
import selectors
import shutil
import signal
import socket
import time
from typing import Any, Callable, NoReturn

from . import kernel
from .frames import receive_with_descriptor, send
from .keeper import Keeper
from .unit import GRACE_SECONDS

MARGIN_SECONDS = 1.0
POLL_SECONDS = 0.05


class Launcher:
    """One instance a process.

    Args:
        control: Connection with the worker.
    """

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._pid = os.getpid()
        self._own: set[int] = set()
        self._told_to_end = False
        self._wake, self._waking = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        signal.set_wakeup_fd(self._waking, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, self._take_signal)
        signal.signal(signal.SIGTERM, self._take_signal)
        signal.signal(signal.SIGINT, signal.SIG_IGN)

    def _take_signal(self, number: int, _: object) -> None:
        if number == signal.SIGTERM:
            self._told_to_end = True

    def serve(self) -> None:
        """Start what is asked for until the worker is gone or the process is told to end."""
        with selectors.DefaultSelector() as selector:
            selector.register(self._control, selectors.EVENT_READ)
            selector.register(self._wake, selectors.EVENT_READ)
            while not self._told_to_end:
                for key, _ in selector.select():
                    if key.fileobj is not self._control:
                        self._reap()
                    elif not self._answer_request():
                        return

    def _answer_request(self) -> bool:
        request, descriptor = receive_with_descriptor(self._control)
        if request is None or descriptor is None:
            return False
        action = self._become_program if "start" in request else self._become_keeper
        with contextlib.suppress(ConnectionError):  # the worker is gone: the next read says so
            send(self._control, self._fork(action, request, descriptor))
        return True

    def _fork(
        self, action: Callable[[dict[str, Any], int], NoReturn], request: dict[str, Any], descriptor: int
    ) -> dict[str, Any]:
        try:
            pid = os.fork()
        except OSError as error:
            return {"errno": error.errno}
        finally:
            if os.getpid() == self._pid:
                os.close(descriptor)
        if pid == 0:
            try:
                action(request, descriptor)
            finally:
                os._exit(127)
        self._own.add(pid)
        return {"pid": pid}

    def _become_program(self, request: dict[str, Any], descriptor: int) -> NoReturn:
        os.setsid()
        kernel.die_with_parent(self._pid)
        _reset_signals()
        output = os.open(request["output"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(output, 1)
        os.dup2(output, 2)
        os.set_inheritable(descriptor, True)
        words = [*request["start"], str(descriptor)]
        os.execve(words[0], words, request["environment"])  # noqa: S606 - no shell is wanted

    def _become_keeper(self, request: dict[str, Any], descriptor: int) -> NoReturn:
        os.setsid()
        kernel.die_with_parent(self._pid, signal.SIGTERM)
        kernel.adopt_orphans()
        self._control.close()
        signal.set_wakeup_fd(-1)
        for own in (self._wake, self._waking):
            os.close(own)
        Keeper(socket.socket(fileno=descriptor), request["keep"], _execute).serve()
        os._exit(0)

    def _reap(self) -> None:
        """Take away what has ended, and kill what a keeper or zygote that died has left behind."""
        with contextlib.suppress(BlockingIOError):
            os.read(self._wake, 4096)
        if _reap_ended(self._own):
            kernel.kill(set(kernel.children(self._pid)) - self._own, signal.SIGKILL)

    def end_all(self) -> None:
        """Let keepers end their units, zygotes' by the parent-death signal; then kill what is left."""
        kernel.kill(self._own, signal.SIGTERM)
        deadline = time.monotonic() + GRACE_SECONDS + MARGIN_SECONDS
        while _reap_ended(self._own):
            if time.monotonic() > deadline:
                kernel.kill(kernel.descendants(self._pid), signal.SIGKILL)
            time.sleep(POLL_SECONDS)


def _reap_ended(own: set[int]) -> bool:
    """Take away children that have ended; return whether others are left."""
    try:
        while True:
            pid, _ = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return True
            own.discard(pid)
    except ChildProcessError:
        return False


def _reset_signals() -> None:
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGCHLD, signal.SIGINT, signal.SIGTERM, signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(number, signal.SIG_DFL)


def _execute(keeper: Keeper, request: dict[str, Any]) -> NoReturn:
    """In the child that a keeper forked: turn into the unit's program."""
    keeper.settle()
    _reset_signals()
    try:
        os.execve(request["file"], request["words"], request["environment"])  # noqa: S606 - no shell is wanted
    except OSError as error:
        keeper.refuse("exec", error.errno)
    except ValueError:  # a NUL in a word or a variable
        keeper.refuse("exec", errno.EINVAL)


def main(control: str) -> None:
    """Serve until the worker is gone, then leave no process and no scratch folder.

    The scratch folder is the current one.
    """
    scratch = os.getcwd()
    os.chdir("/")
    kernel.adopt_orphans()
    connection = socket.socket(fileno=int(control))
    connection.set_inheritable(False)
    launcher = Launcher(connection)
    launcher.serve()
    launcher.end_all()
    shutil.rmtree(scratch, ignore_errors=True)
