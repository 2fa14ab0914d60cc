"""The database that records and leases are kept in: opening it, and the two ways to use it.

Statements go straight to the driver: SQLAlchemy would take longer to import than most scripts take to find
all their calls, and longer for a statement than a hit may take.
"""

from __future__ import annotations

import os
import threading
import time
import weakref
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from treadle.cache.storages.sql.drivers import Connection, Cursor, Driver, Parameters
from treadle.cache.storages.sql.sqlite import SqliteFile, SqliteMemory
from treadle.errors import CacheUnavailable, SettingsInvalid

__all__ = ["Cursor", "Database", "Parameters", "Schema"]

BUSY_SECONDS = 10.0
"""How long to wait for another process's transaction before the call is computed instead."""

AWAY_SECONDS = 5.0
"""So long nobody asks for a connection or waits to write again after it was in vain: each call would wait."""

_IN_MEMORY = ":memory:"
_POSTGRESQL = ("postgresql", "postgres", "postgresql+psycopg", "postgresql+psycopg2")
_MOST_IDLE = 8
_MAKE_VERSIONS = "CREATE TABLE IF NOT EXISTS treadle_schema (name TEXT PRIMARY KEY, version INTEGER NOT NULL)"
_VERSIONS = "SELECT name, version FROM treadle_schema"
_ADD_VERSION = "INSERT INTO treadle_schema (name, version) VALUES (:name, :version) ON CONFLICT DO NOTHING"


@dataclass(frozen=True, slots=True)
class Schema:
    """Tables that are made together.

    Attributes:
        name: Their name among the versions.
        version: Their version; a database that has a higher one is left alone.
        statements: What makes them, in the words of `Database.statement`.
    """

    name: str
    version: int
    statements: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Idle:
    connection: Connection
    opened: float
    returned: float


@dataclass(frozen=True, slots=True)
class _Refusal:
    until: float
    reason: str


class Database:
    """A database that many threads and processes share; opened, and its tables made, when it is first used.

    It may be pickled, and used on after a fork.

    Args:
        url: A path, `sqlite:///<path>`, `sqlite://` or `:memory:` for one in memory, or `postgresql://…`.
        schemas: The tables that it must have.
        busy_seconds: How long to wait for another process's transaction.

    Attributes:
        place: The file, or the URL without its password, as errors name it.
        dialect: `sqlite` or `postgresql`.
        is_shared: Whether it is a file that other machines may write to as well.

    Raises:
        SettingsInvalid: The URL is none, or of another kind of database.
    """

    def __init__(self, url: str | Path, *schemas: Schema, busy_seconds: float = BUSY_SECONDS) -> None:
        self._given = (url, schemas, busy_seconds)
        self._driver = _driver_for(url, busy_seconds)
        self._busy_seconds = busy_seconds
        self._schemas = schemas
        self.dialect = self._driver.dialect
        self.place = self._driver.place
        self.is_shared = self._driver.is_shared
        self._idle: deque[_Idle] = deque()
        self._one = threading.RLock() if self._driver.is_single else None
        self._opening = threading.Lock()
        self._is_open = False
        self._away: _Refusal | None = None
        self._busy: _Refusal | None = None
        _everywhere.add(self)
        weakref.finalize(self, _close_all, self._idle)

    def statement(self, words: str) -> str:
        """Write a statement down as the driver takes it.

        Args:
            words: The statement. Parameters are `:name`; NUMBERED is the type of a key that the database
                gives, COUNTED of one that it never gives twice, BYTES that of digests and records. CLUSTERED
                follows a table that lies in the order of its key.
        """
        return self._driver.written(words)

    @contextmanager
    def reading(self) -> Iterator[Cursor]:
        """Execute statements each of which stands for itself.

        Raises:
            CacheUnavailable: It cannot be opened or read now.
        """
        with self._connected() as connection:
            yield connection.cursor()

    @contextmanager
    def writing(self) -> Iterator[Cursor]:
        """Execute statements all of which are kept at the end, or none if the block raises.

        Raises:
            CacheUnavailable: It cannot be opened or written now.
        """
        self._refuse_until(self._busy)
        with self._connected() as connection:
            cursor = connection.cursor()
            self._begin(cursor)
            try:
                yield cursor
                connection.commit()
            except BaseException:
                connection.rollback()
                raise

    def close(self) -> None:
        """Close the connections that nobody uses; used again, it is opened again."""
        with self._opening:
            self._is_open = self._driver.is_single and self._is_open
            _close_all(self._idle)

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuild, self._given

    @contextmanager
    def _connected(self) -> Iterator[Connection]:
        if self._one is not None:
            self._one.acquire()
        try:
            taken = self._take()
            try:
                yield taken.connection
            except BaseException:
                if self._one is None:
                    taken.connection.close()
                raise
            self._give_back(taken)
        except self._driver.failures as error:
            raise self._unavailable(str(error)) from error
        finally:
            if self._one is not None:
                self._one.release()

    def _begin(self, cursor: Cursor) -> None:
        """Begin to write; where that is waited for in vain, nobody waits again for a while."""
        began = time.monotonic()
        try:
            cursor.execute(self._driver.begin)
        except self._driver.failures as error:
            now = time.monotonic()
            if now - began > self._busy_seconds / 2:
                self._busy = _Refusal(now + AWAY_SECONDS, str(error))
            raise
        self._busy = None

    def _take(self) -> _Idle:
        self._refuse_until(self._away)
        try:
            if not self._is_open:
                self._open()
            taken = self._take_idle() or self._connect()
        except self._driver.failures as error:
            self._away = _Refusal(time.monotonic() + AWAY_SECONDS, str(error))
            raise
        self._away = None
        return taken

    def _take_idle(self) -> _Idle | None:
        while True:
            try:
                idle = self._idle.pop()
            except IndexError:
                return None
            now = time.monotonic()
            if self._driver.is_usable(idle.connection, age=now - idle.opened, idle=now - idle.returned):
                return idle
            idle.connection.close()

    def _connect(self) -> _Idle:
        now = time.monotonic()
        return _Idle(self._driver.connect(), now, now)

    def _give_back(self, taken: _Idle) -> None:
        if self._one is not None:
            return
        if len(self._idle) < _MOST_IDLE:
            self._idle.append(_Idle(taken.connection, taken.opened, time.monotonic()))
        else:
            taken.connection.close()

    def _open(self) -> None:
        with self._opening:
            if self._is_open:
                return
            taken = self._connect()
            try:
                if not self._has_tables(taken.connection.cursor()):
                    self._driver.prepare_schema(taken.connection)
                    self._make_tables(taken.connection)
            except BaseException:
                if self._one is None:
                    taken.connection.close()
                raise
            self._give_back(taken)
            self._is_open = True

    def _has_tables(self, cursor: Cursor) -> bool:
        cursor.execute(self._driver.has_schema)
        if cursor.fetchone() == (0,):
            return False
        cursor.execute(_VERSIONS)
        versions: dict[str, int] = dict(cursor.fetchall())
        for schema in self._schemas:
            if versions.get(schema.name, 0) > schema.version:
                raise CacheUnavailable(
                    f"The cache's database {self.place} was written by a newer Treadle.",
                    remedy="Use that one, or another place for this one's calls.",
                )
        return all(schema.name in versions for schema in self._schemas)

    def _make_tables(self, connection: Connection) -> None:
        cursor: Cursor = connection.cursor()
        cursor.execute(self._driver.begin)
        try:
            self._driver.lock_schema(cursor)
            cursor.execute(_MAKE_VERSIONS)
            for schema in self._schemas:
                for words in schema.statements:
                    cursor.execute(self.statement(words))
                cursor.execute(self.statement(_ADD_VERSION), {"name": schema.name, "version": schema.version})
            connection.commit()
        except BaseException:
            connection.rollback()
            raise

    def _refuse_until(self, refusal: _Refusal | None) -> None:
        if refusal is not None and time.monotonic() < refusal.until:
            raise self._unavailable(refusal.reason)

    def _unavailable(self, detail: str) -> CacheUnavailable:
        return CacheUnavailable(
            f"The cache's database {self.place} cannot be read or written now.",
            remedy="Calls are computed meanwhile.",
            detail=detail,
        )

    def _forget_connections(self) -> None:
        """Leave the connections to the process that this one is a fork of: not even closing them is safe."""
        _of_parents.extend(self._idle)
        self._idle.clear()
        self._driver.forget()
        self._opening = threading.Lock()
        self._one = threading.RLock() if self._one is not None else None
        self._is_open = False


_everywhere: weakref.WeakSet[Database] = weakref.WeakSet()
_of_parents: list[_Idle] = []


def _after_fork() -> None:
    for database in _everywhere:
        database._forget_connections()


os.register_at_fork(after_in_child=_after_fork)


def _close_all(idle: deque[_Idle]) -> None:
    while idle:
        idle.pop().connection.close()


def _rebuild(url: str | Path, schemas: tuple[Schema, ...], busy_seconds: float) -> Database:
    return Database(url, *schemas, busy_seconds=busy_seconds)


def _driver_for(url: str | Path, busy_seconds: float) -> Driver:
    if url == _IN_MEMORY:
        return SqliteMemory()
    if isinstance(url, Path) or not ("://" in url or url.startswith("sqlite:")):
        return SqliteFile(Path(url).expanduser().absolute(), busy_seconds)
    kind, _, place = url.partition(":")
    if kind in _POSTGRESQL:
        from treadle.cache.storages.sql.postgresql import Postgresql

        return Postgresql(f"postgresql:{place}", busy_seconds)
    if kind not in {"sqlite", "sqlite+pysqlite"}:
        raise SettingsInvalid(f"The cache does not keep calls in {kind}.", remedy="Use sqlite or postgresql.")
    path, options, _ = place.removeprefix("//").removeprefix("/").partition("?")
    if options:
        raise SettingsInvalid(
            "The URL of the cache's calls has options, which SQLite files of the cache have not.",
            remedy="Write it as sqlite:////absolute/path/calls.db.",
        )
    if path in {"", _IN_MEMORY}:
        return SqliteMemory()
    return SqliteFile(Path(path).expanduser().absolute(), busy_seconds)
