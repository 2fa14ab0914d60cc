"""One connection to the machine that has the cache, opened when it is needed and again when it was lost."""

from __future__ import annotations

import os
import select
import subprocess
import tempfile
import threading
import time
import weakref
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import IO, cast

from treadle.cache.remote.wire import GREETING, PROTOCOL, Malformed, Message, decode, encode, raise_error
from treadle.errors import CacheError, CacheUnavailable

_GREETED_SECONDS = 60
_SILENT_SECONDS = 600
_ENDED_SECONDS = 3
_RETRY_SECONDS = (1, 5, 30, 60)
_LONGEST_NOISE = 1 << 16
_TAIL_BYTES = 2000


class Connection:
    """Questions to a server at the other end of a program's standard input and output, one at a time.

    After a failure nothing is tried for a while, longer each time: calls are computed without waiting.

    Args:
        words: The program that leads to the server.
        place: The other machine, as errors name it.
        clock: Seconds that never go back.
    """

    def __init__(
        self, words: Sequence[str], place: str, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._words = list(words)
        self._place = place
        self._clock = clock
        self._lock = threading.Lock()
        self._link: _Link | None = None
        self._failures = 0
        self._retry_at = 0.0
        _everywhere.add(self)

    def ask(self, question: Message) -> Message:
        """Return the answer to a question.

        Raises:
            CacheUnavailable: The machine cannot be reached, or the connection was lost.
            CacheError: What the server says went wrong.
        """
        with self._lock:
            link = self._opened()
            try:
                link.send(question)
                answer = link.receive(_SILENT_SECONDS)
            except (OSError, EOFError, Malformed) as error:
                raise self._lost(link, error) from error
            except BaseException:
                link.close()  # the answer, if it comes, would be taken for that of the next question
                self._link = None
                raise
        raise_error(answer)
        return answer

    def close(self) -> None:
        """End the connection; asked again, it is opened again."""
        with self._lock:
            if self._link is not None:
                self._link.close()
                self._link = None

    def _opened(self) -> _Link:
        if self._link is not None:
            return self._link
        if self._clock() < self._retry_at:
            raise CacheUnavailable(f"{self._place} could not be reached a moment ago.")
        link = None
        try:
            link = _Link(self._words)
            link.greet()
        except (OSError, EOFError, CacheError) as error:
            raise self._lost(link, error) from error
        self._link = link
        self._failures = 0
        return link

    def _lost(self, link: _Link | None, error: Exception) -> CacheUnavailable:
        self._link = None
        self._retry_at = self._clock() + _RETRY_SECONDS[min(self._failures, len(_RETRY_SECONDS) - 1)]
        self._failures += 1
        said = link.close() if link is not None else ""
        last = said.splitlines()[-1:] or ["the connection was closed"]
        return CacheUnavailable(
            f"The cache on {self._place} does not answer: {str(error) or last[0].rstrip('.')}.",
            remedy="Calls are computed meanwhile.",
            detail=said,
        )

    def _forget(self) -> None:
        """Leave the link to the process that this one is a fork of."""
        self._lock = threading.Lock()
        self._link = None

    def __reduce__(self) -> tuple[type[Connection], tuple[list[str], str]]:
        return Connection, (self._words, self._place)


_everywhere: weakref.WeakSet[Connection] = weakref.WeakSet()


def _after_fork() -> None:
    for connection in _everywhere:
        connection._forget()


os.register_at_fork(after_in_child=_after_fork)


class _Link:
    """A program that is running, and its standard input and output."""

    def __init__(self, words: Sequence[str]) -> None:
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the link
        try:
            self._process = subprocess.Popen(
                words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._said, bufsize=0
            )
        except OSError:
            self._said.close()
            raise
        self._input = cast("IO[bytes]", self._process.stdin)
        self._output = cast("IO[bytes]", self._process.stdout)
        self._pid = os.getpid()
        self._finalizer = weakref.finalize(self, _close, self._process, self._said, self._pid)

    def greet(self) -> None:
        """Wait for the server's first words."""
        noise = bytearray()
        deadline = time.monotonic() + _GREETED_SECONDS
        while not noise.endswith(GREETING):
            noise += self._read(1, deadline - time.monotonic())
            if len(noise) > _LONGEST_NOISE:
                raise Malformed("the other end does not speak Treadle's language")
        greeting = self.receive(_GREETED_SECONDS)
        if greeting.header.get("protocol") != PROTOCOL:
            raise Malformed(
                f"its protocol is {greeting.header.get('protocol')}, that of this Treadle {PROTOCOL}"
            )
        raise_error(greeting)

    def send(self, message: Message) -> None:
        """Write a message."""
        for part in encode(message):
            left = memoryview(part)
            while left:
                left = left[self._input.write(left) or 0 :]

    def receive(self, seconds: float) -> Message:
        """Read a message; every part of it has to come within so many seconds of the one before."""
        return decode(lambda count: self._read(count, seconds))

    def close(self) -> str:
        """End the program; return the end of what it wrote to standard error."""
        if not self._finalizer.alive:
            return ""
        _end(self._process, self._pid)
        size = self._said.seek(0, os.SEEK_END)
        self._said.seek(max(0, size - _TAIL_BYTES))
        said = self._said.read().decode(errors="replace").strip()
        self._finalizer()
        return said

    def _read(self, count: int, seconds: float) -> bytes:
        parts = []
        waiting = select.poll()
        waiting.register(self._output, select.POLLIN)
        while count:
            if not waiting.poll(max(0.0, seconds) * 1000):
                raise EOFError(f"nothing came for {seconds:.0f} seconds")
            part = self._output.read(min(count, 1 << 20))
            if not part:
                raise EOFError
            parts.append(part)
            count -= len(part)
        return b"".join(parts)


def _end(process: subprocess.Popen[bytes], pid: int) -> None:
    """Let the program see the end of its input; one that does not care is told to end."""
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with suppress(BrokenPipeError):
                pipe.close()
    if pid != os.getpid():
        return
    try:
        process.wait(_ENDED_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _close(process: subprocess.Popen[bytes], said: IO[bytes], pid: int) -> None:
    _end(process, pid)
    said.close()
