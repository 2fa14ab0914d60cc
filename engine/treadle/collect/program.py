"""Running another program: its lines as they come, a limit of time, and an end on request."""

from __future__ import annotations

import codecs
import os
import selectors
import signal
import subprocess
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from treadle.collect.credentials import secrets_of, without_credentials
from treadle.collect.progress import Progress

_POLL_SECONDS = 0.1
_SOON_SECONDS = 0.002
_CHUNK_BYTES = 65_536


@dataclass(frozen=True, slots=True)
class Ended:
    """How a program ended: its exit status, and all it printed."""

    status: int
    output: str
    errors: str


def run_program(
    command: Sequence[str],
    *,
    folder: Path,
    environment: Mapping[str, str],
    seconds: float,
    progress: Progress,
) -> Ended:
    """Run a program in a session of its own to its end; nothing of it is left when this returns or raises.

    Args:
        command: Program and arguments; no shell is asked.
        folder: Working folder.
        environment: All its variables.
        seconds: What it may take.
        progress: Gets each line of standard error, and tells when to stop.

    Raises:
        TimeoutExpired: It took longer; it is dead then, as is all it started.
        Cancelled: It was told to stop; the same holds.
        OSError: It could not be started.
    """
    with subprocess.Popen(
        command,
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    ) as process:
        try:
            output, errors = _read(process, command, seconds, progress, secrets_of(environment))
        finally:
            _kill(process)
        return Ended(process.wait(), output, errors)


@dataclass(slots=True)
class _Text:
    """What one pipe has given so far."""

    decoder: codecs.IncrementalDecoder = field(
        default_factory=lambda: codecs.getincrementaldecoder("utf-8")("replace")
    )
    parts: list[str] = field(default_factory=list)
    line: str = ""

    def add(self, data: bytes) -> list[str]:
        """Take more; return the lines that are complete by it."""
        text = self.decoder.decode(data, final=not data)
        self.parts.append(text)
        *lines, self.line = (self.line + text).split("\n")
        if not data and self.line:
            lines.append(self.line)
        return lines


def _read(
    process: subprocess.Popen[bytes],
    command: Sequence[str],
    seconds: float,
    progress: Progress,
    secrets: Collection[str],
) -> tuple[str, str]:
    deadline = time.monotonic() + seconds
    output, errors = _Text(), _Text()
    pipes = {process.stdout: output, process.stderr: errors}
    with selectors.DefaultSelector() as selector:
        for pipe, text in pipes.items():
            if pipe is not None:
                selector.register(pipe, selectors.EVENT_READ, text)
        ended = False
        while selector.get_map() or not ended:
            progress.check()
            if time.monotonic() > deadline:
                raise subprocess.TimeoutExpired(list(command), seconds)
            ended = _has_ended(process)
            came = selector.select(_POLL_SECONDS if selector.get_map() and not ended else _SOON_SECONDS)
            if ended and not came:
                break  # what it started may still hold the pipes; it ends with the program
            for key, _ in came:
                data = os.read(key.fd, _CHUNK_BYTES)
                for line in key.data.add(data):
                    if key.data is errors:
                        progress.log(without_credentials(line, secrets))
                if not data:
                    selector.unregister(key.fileobj)
    return "".join(output.parts), "".join(errors.parts)


def _has_ended(process: subprocess.Popen[bytes]) -> bool:
    """Whether the program has ended; it is not reaped by that, so its process group is still its own."""
    return os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def _kill(process: subprocess.Popen[bytes]) -> None:
    """End the program's session; a program that leaves it has left our reach."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return
