"""What every task can be asked to do while it runs: take time, make noise, misbehave, die."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from treadle_tasks_mock.arguments import COUNT, FLAG, NUMBER, TEXT, TEXTS, Argument

if TYPE_CHECKING:
    from types import SimpleNamespace

BEHAVIOUR = (
    Argument("sleep_seconds", NUMBER, 0, "Sleep so long."),
    Argument("cpu_seconds", NUMBER, 0, "Keep a processor busy so long."),
    Argument("memory_mb", COUNT, 0, "Hold so much memory (millions of bytes, all touched) meanwhile."),
    Argument("wait_for_file", TEXT, None, "Then wait until this file exists."),
    Argument("wait_seconds", NUMBER, 60, "Give up waiting, and fail, after so long."),
    Argument("stdout", TEXT, None, "Print this line to standard output."),
    Argument("stderr", TEXT, None, "Print this line to standard error."),
    Argument("print_lines", COUNT, 0, "Print so many numbered lines, in turn to both streams."),
    Argument("print_environment", TEXTS, [], "Print these environment variables as NAME=value."),
    Argument("write_file", TEXT, None, "Write this file; a relative path starts at the item's folder."),
    Argument("file_size", COUNT, 0, "Size in bytes of the file to write."),
    Argument("record_file", TEXT, None, "Append a JSON line to this file: zarr_url, pid and start time."),
    Argument("child_seconds", NUMBER, 0, "Leave a child process behind that sleeps so long; print its pid."),
    Argument("child_detached", FLAG, True, "Give that child a session of its own."),
    Argument("child_keeps_output", FLAG, True, "Let that child keep both streams open."),
    Argument("fail_on", TEXTS, [], "Fail if an item's URL ends in one of these; an empty text fits all."),
    Argument("fail_first", COUNT, 0, "Fail only the first so many attempts; 0 means always."),
    Argument(
        "failure",
        {"type": "string", "enum": ["exception", "exit", "signal"]},
        "exception",
        "How to fail: raise an exception, exit with a status, or die of a signal.",
    ),
    Argument("exit_code", {"type": "integer", "minimum": 1, "maximum": 255}, 3, "Status to exit with."),
    Argument("signal", {"type": "string", "pattern": "^SIG[A-Z0-9]+$"}, "SIGKILL", "Signal to die of."),
    Argument("raw_output", TEXT, None, "Write this text as the out file; {zarr_url} stands for the item."),
    Argument("raw_output_on", TEXTS, [""], "Only if an item's URL ends in one of these."),
)


class ChosenFailure(Exception):
    """The failure that was asked for."""


def behave(asked: SimpleNamespace, items: list[str], folder: Path) -> None:
    """Do what was asked for, in the order of `BEHAVIOUR`, failure last.

    Args:
        asked: A value for each argument in `BEHAVIOUR`.
        items: URLs of the items that the unit works on.
        folder: The item's folder, or the dataset's where the unit has no single item.
    """
    if asked.record_file is not None:
        _record(Path(asked.record_file), items)
    _speak(asked)
    if asked.write_file is not None:
        _write(folder / asked.write_file, asked.file_size)
    if asked.child_seconds > 0:
        _leave_child(asked)
    _use(asked)
    if asked.wait_for_file is not None:
        _wait(Path(asked.wait_for_file), asked.wait_seconds)
    chosen = [url for url in items if ends_in(url, asked.fail_on)]
    if chosen and (asked.fail_first == 0 or _attempt(folder) <= asked.fail_first):
        _fail(asked, chosen)


def ends_in(url: str, endings: Iterable[str]) -> bool:
    """Whether a URL ends in one of some texts."""
    return url.endswith(tuple(endings))


def _record(path: Path, items: list[str]) -> None:
    """One write in append mode, so that lines of units at the same time do not mix."""
    line = {"zarr_url": items[0] if len(items) == 1 else None, "pid": os.getpid(), "started": time.time()}
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab", buffering=0) as file:
        file.write(json.dumps(line).encode() + b"\n")


def _speak(asked: SimpleNamespace) -> None:
    if asked.stdout is not None:
        sys.stdout.write(asked.stdout + "\n")
    sys.stdout.writelines(f"{name}={os.environ.get(name, '')}\n" for name in asked.print_environment)
    sys.stdout.flush()
    if asked.stderr is not None:
        sys.stderr.write(asked.stderr + "\n")
    for number in range(asked.print_lines):
        stream = sys.stderr if number % 2 else sys.stdout
        stream.write(f"line {number}\n")
        stream.flush()


def _write(path: Path, size: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x" * size)


def _leave_child(asked: SimpleNamespace) -> None:
    stream = None if asked.child_keeps_output else subprocess.DEVNULL
    child = subprocess.Popen(
        [sys.executable, "-c", f"import time; time.sleep({asked.child_seconds})"],
        stdin=subprocess.DEVNULL,
        stdout=stream,
        stderr=stream,
        start_new_session=asked.child_detached,
    )
    sys.stdout.write(f"child {child.pid}\n")
    sys.stdout.flush()


def _use(asked: SimpleNamespace) -> None:
    held = bytearray(asked.memory_mb * 1_000_000)
    pages = len(range(0, len(held), 4096))
    held[::4096] = b"x" * pages
    until = time.process_time() + asked.cpu_seconds
    while time.process_time() < until:
        pass
    time.sleep(asked.sleep_seconds)
    del held


def _wait(path: Path, seconds: float) -> None:
    until = time.monotonic() + seconds
    while not path.exists():
        if time.monotonic() > until:
            raise TimeoutError(f"{path} did not appear within {seconds} s")
        time.sleep(0.02)


def _attempt(folder: Path) -> int:
    """Number of this attempt, counted in the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".attempts").open("ab", buffering=0) as file:
        file.write(b".")
        return file.tell()


def _fail(asked: SimpleNamespace, chosen: list[str]) -> None:
    what = f"asked to fail on {', '.join(chosen)}"
    if asked.failure == "exception":
        raise ChosenFailure(what)
    sys.stderr.write(what + "\n")
    sys.stderr.flush()
    if asked.failure == "signal":
        os.kill(os.getpid(), getattr(signal, asked.signal))
    sys.exit(asked.exit_code)
