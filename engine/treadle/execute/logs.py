"""The log store: one file a worker and step, each unit's output in one piece of it."""

from __future__ import annotations

import fcntl
import os
from dataclasses import dataclass
from pathlib import Path

COPY_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class LogPart:
    """Where one unit's output is; no file if it printed nothing. Offset and length in bytes."""

    file: Path | None
    offset: int
    length: int


def append_log(store: Path, output: Path) -> LogPart:
    """Append what a unit printed to the log store.

    Several threads, and processes on one machine, may append at once.

    Args:
        store: File of the worker and step; made if missing, readable by its owner only.
        output: File that the unit's streams were written to; a missing one counts as empty.

    Raises:
        OSError: The store cannot be written; what was written of this part is taken back.
    """
    if not output.exists() or output.stat().st_size == 0:
        return LogPart(None, 0, 0)
    target = os.open(store, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(target, fcntl.LOCK_EX)
        offset = os.lseek(target, 0, os.SEEK_END)
        try:
            _copy(output, target)
        except OSError:
            os.ftruncate(target, offset)
            raise
        return LogPart(store, offset, os.lseek(target, 0, os.SEEK_CUR) - offset)
    finally:
        os.close(target)


def _copy(output: Path, target: int) -> None:
    with output.open("rb", buffering=0) as source:
        while chunk := source.read(COPY_BYTES):
            rest = memoryview(chunk)
            while rest:
                rest = rest[os.write(target, rest) :]


def read_log(file: Path, offset: int, length: int) -> str:
    """Return one unit's part of a log store; bytes that are not UTF-8 are replaced.

    Raises:
        OSError: The file cannot be read.
    """
    with file.open("rb") as stream:
        stream.seek(offset)
        return stream.read(length).decode(errors="replace")
