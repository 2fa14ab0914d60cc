"""SQLite: files, and databases in memory."""

from __future__ import annotations

import os
import sqlite3
import time
from pathlib import Path

from treadle.cache.storages.mounts import is_shared
from treadle.cache.storages.sql.drivers import Connection, Cursor

_FROZEN_SECONDS = 60
"""So often a file is opened again, since one that is read without a lock shows nothing new."""

_TYPES = {
    "COUNTED": "INTEGER PRIMARY KEY AUTOINCREMENT",
    "NUMBERED": "INTEGER PRIMARY KEY",
    "BYTES": "BLOB",
    "CLUSTERED": "WITHOUT ROWID",
}


class _Sqlite:
    dialect = "sqlite"
    begin = "BEGIN IMMEDIATE"  # a lock that is asked for later can fail, however long one waits
    has_schema = "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = 'treadle_schema'"
    failures: tuple[type[Exception], ...] = (sqlite3.Error, OSError)

    def written(self, words: str) -> str:
        """Put the types in; parameters stay as they are."""
        for name, kind in _TYPES.items():
            words = words.replace(name, kind)
        return words

    def lock_schema(self, cursor: Cursor) -> None:
        """The transaction holds the only lock already."""


class SqliteFile(_Sqlite):
    """A file, which is made with its folder when it is first opened.

    Args:
        file: The file.
        busy_seconds: How long to wait for another process's transaction.
    """

    is_single = False

    def __init__(self, file: Path, busy_seconds: float) -> None:
        self._file = file
        self._busy_seconds = busy_seconds
        self.place = os.fspath(file)
        self.is_shared = is_shared(file)

    def connect(self) -> Connection:
        """Open it; one that nobody here could change is read as it lies there, without a lock.

        What its owner writes meanwhile may be missed or read by halves, which records tell of.
        """
        folder = self._file.parent
        log = self._file.with_name(f"{self._file.name}-wal")
        if not self._file.exists():
            folder.mkdir(parents=True, exist_ok=True)
            words = ""
        else:
            words = "" if os.access(folder, os.W_OK) or log.exists() else "?immutable=1"
        connection = sqlite3.connect(
            f"{self._file.as_uri()}{words}",
            uri=True,
            timeout=self._busy_seconds,
            isolation_level=None,
            check_same_thread=False,
        )
        if not self.is_shared:
            # With a write-ahead log a power cut damages nothing; records that it takes are computed again.
            connection.execute("PRAGMA synchronous = NORMAL")
        return connection

    def is_usable(self, connection: Connection, *, age: float, idle: float) -> bool:
        """Whether it was opened lately."""
        del connection, idle
        return age < _FROZEN_SECONDS

    def prepare_schema(self, connection: Connection) -> None:
        """Let readers and a writer work side by side, unless other machines may: kept in the file.

        The switch fails at once where another process is reading, whatever the busy timeout.
        """
        if self.is_shared:
            return
        deadline = time.monotonic() + self._busy_seconds
        while True:
            try:
                connection.cursor().execute("PRAGMA journal_mode = WAL")
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                    raise
                time.sleep(0.01)
            else:
                return

    def forget(self) -> None:
        """There is nothing of its own."""


class SqliteMemory(_Sqlite):
    """A database in memory; a fork starts with none."""

    place = "sqlite://"
    is_shared = False
    is_single = True

    def __init__(self) -> None:
        self._connection: sqlite3.Connection | None = None

    def connect(self) -> Connection:
        """Return the one connection that there is."""
        if self._connection is None:
            self._connection = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        return self._connection

    def is_usable(self, connection: Connection, *, age: float, idle: float) -> bool:
        """It is for as long as the process lives."""
        del connection, age, idle
        return True

    def prepare_schema(self, connection: Connection) -> None:
        """Nobody else can have it."""

    def forget(self) -> None:
        """Start with none."""
        self._connection = None
