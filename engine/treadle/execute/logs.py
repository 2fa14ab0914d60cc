"""The log store: what units print, one file and one index a slot and step.

A slot runs one unit at a time. The unit's processes write straight into the slot's store, at its end, so what
a running unit prints is there at once and nothing is copied. The index gets a line as each unit starts: the
unit's index in its step, the attempt, and where in the store its part begins. A part ends where the next one
begins. A unit that was forked in vain and run again as a fresh process has two lines; the latter counts.
"""

from __future__ import annotations

import codecs
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

STORE_ENDING = ".log"
INDEX_ENDING = ".index"
CHUNK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class LogPart:
    """Where the output of one unit is; offset and length in bytes."""

    file: Path
    offset: int
    length: int


@dataclass(frozen=True, slots=True)
class IndexEntry:
    """A unit in an index: its index in the step, the attempt, where its part begins in bytes."""

    unit: int
    attempt: int
    offset: int


@dataclass(frozen=True, slots=True)
class LogPiece:
    """Some text that a unit has printed.

    Attributes:
        step: The step's name as it stands in file names.
        unit: Index of the unit in its step.
        attempt: The attempt.
        text: What is new; bytes that are not UTF-8 are replaced.
    """

    step: str
    unit: int
    attempt: int
    text: str


class LogStore:
    """A slot's store for one step, for one thread; nothing is opened before the first unit begins.

    Args:
        folder: The run's log folder.
        step: Name of the step, fit for a file name.
        slot: Name of the slot: no other writes under it while this store is open.
    """

    def __init__(self, folder: Path, step: str, slot: str) -> None:
        self.file = folder / f"{step}.{slot}{STORE_ENDING}"
        self._index_file = self.file.with_suffix(INDEX_ENDING)
        self._store = -1
        self._index = -1

    def begin(self, unit: int, attempt: int) -> int:
        """Write into the index that a unit starts; return where its part begins.

        Raises:
            OSError: Store or index cannot be opened or written.
        """
        if self._store < 0:
            self._store = _open(self.file)
        if self._index < 0:
            self._index = _open(self._index_file)
        offset = os.fstat(self._store).st_size
        os.write(self._index, b"%d %d %d\n" % (unit, attempt, offset))
        return offset

    def part_from(self, offset: int) -> LogPart:
        """Return the part of the unit that began there and has ended."""
        return LogPart(self.file, offset, os.fstat(self._store).st_size - offset)

    def close(self) -> None:
        """Close both files."""
        for descriptor in (self._store, self._index):
            if descriptor >= 0:
                os.close(descriptor)
        self._store = self._index = -1


def _open(file: Path) -> int:
    return os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)


def read_log(file: Path, offset: int, length: int) -> str:
    """Return one unit's part of a log store; bytes that are not UTF-8 are replaced.

    Raises:
        OSError: The file cannot be read.
    """
    with file.open("rb") as stream:
        stream.seek(offset)
        return stream.read(length).decode(errors="replace")


def stores(folder: Path) -> list[Path]:
    """Return the log stores in a run's log folder, in order of steps."""
    return sorted(folder.glob(f"*{STORE_ENDING}"))


def step_of(store: Path) -> str:
    """Return the step's name as it stands in a store's name."""
    return store.name.split(".", 1)[0]


def read_index(store: Path) -> Iterator[IndexEntry]:
    """Yield the units of a store in the order they started; a line that is being written is passed over."""
    try:
        stream = store.with_suffix(INDEX_ENDING).open("rb")
    except FileNotFoundError:
        return
    with stream:
        for line in stream:
            entry = _parsed(line)
            if entry is not None:
                yield entry


def find_part(folder: Path, step: str, unit: int) -> LogPart | None:
    """Return where a unit's latest attempt prints to, from the indexes alone; None if it has not begun.

    For a unit that runs, whose part still grows; the record of one that has ended says where its part is.

    Raises:
        OSError: A file cannot be read.
    """
    latest: tuple[int, LogPart] | None = None
    for store in stores(folder):
        if step_of(store) == step:
            for entry, end in _with_ends(store):
                if entry.unit == unit and (latest is None or entry.attempt >= latest[0]):
                    latest = entry.attempt, LogPart(store, entry.offset, end - entry.offset)
    return latest[1] if latest else None


def _with_ends(store: Path) -> Iterator[tuple[IndexEntry, int]]:
    before: IndexEntry | None = None
    for entry in read_index(store):
        if before is not None:
            yield before, entry.offset
        before = entry
    if before is not None:
        yield before, store.stat().st_size


def _parsed(line: bytes) -> IndexEntry | None:
    words = line.split()
    if not line.endswith(b"\n") or len(words) != 3 or not all(map(bytes.isdigit, words)):
        return None
    return IndexEntry(*map(int, words))


def _new_decoder() -> codecs.IncrementalDecoder:
    """Return one that keeps the begin of a character until it has the rest."""
    return codecs.getincrementaldecoder("utf-8")(errors="replace")


class LogTail:
    """Follows all log stores of a run as they grow.

    Args:
        folder: The run's log folder.
        from_start: Whether what is there already is new too.
    """

    def __init__(self, folder: Path, *, from_start: bool = False) -> None:
        self._folder = folder
        self._tails: dict[Path, _StoreTail] = {}
        if not from_start:
            for store in stores(folder):
                self._tails[store] = _StoreTail(store, skip=True)

    def read(self) -> list[LogPiece]:
        """Return what was printed since the last call, at most a megabyte a store; empty if nothing was.

        Raises:
            OSError: A file cannot be read.
        """
        for store in stores(self._folder):
            if store not in self._tails:
                self._tails[store] = _StoreTail(store)
        return [piece for tail in self._tails.values() for piece in tail.read()]


class _StoreTail:
    """Follows one store; `skip` passes over what is there already."""

    def __init__(self, store: Path, *, skip: bool = False) -> None:
        self._store = store
        self._at = store.stat().st_size if skip else 0
        self._index_at = 0
        self._current: IndexEntry | None = None
        self._decoder = _new_decoder()
        self._ahead: list[IndexEntry] = []

    def read(self) -> list[LogPiece]:
        with self._store.open("rb") as stream:
            stream.seek(self._at)
            data = stream.read(CHUNK_BYTES)
        if not data:
            return []
        self._read_index()  # after the store: a unit's line is written before anything it prints
        begin, end = self._at, self._at + len(data)
        pieces = []
        while begin < end:
            while self._ahead and self._ahead[0].offset <= begin:
                self._current = self._ahead.pop(0)
                self._decoder = _new_decoder()
            stop = min(end, self._ahead[0].offset) if self._ahead else end
            text = data[begin - self._at : stop - self._at]
            if self._current is not None:
                piece = self._decoder.decode(text)
                pieces.append(
                    LogPiece(step_of(self._store), self._current.unit, self._current.attempt, piece)
                )
            begin = stop
        self._at = end
        return pieces

    def _read_index(self) -> None:
        try:
            stream = self._store.with_suffix(INDEX_ENDING).open("rb")
        except FileNotFoundError:
            return
        with stream:
            stream.seek(self._index_at)
            for line in stream:
                if not line.endswith(b"\n"):
                    break
                self._index_at += len(line)
                entry = _parsed(line)
                if entry is not None:
                    self._ahead.append(entry)
