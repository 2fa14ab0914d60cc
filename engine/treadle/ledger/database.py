"""The ledger's database: opening it, and the two kinds of transaction.

The one place that knows how SQLite and PostgreSQL differ.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeAlias

from sqlalchemy import URL, Connection, Engine, create_engine, event, func, make_url, select
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import ArgumentError, NoSuchModuleError
from sqlalchemy.pool import ConnectionPoolEntry, PoolProxiedConnection

from treadle.errors import SettingsInvalid
from treadle.ledger.compaction import Compaction, compact
from treadle.ledger.failures import opening, translated
from treadle.ledger.migrations import schema_is_current, upgrade

Transaction: TypeAlias = Connection
"""What the query functions take: an open transaction."""

_WRITING = "treadle_writing"
_MIGRATION_LOCK = 0x747265


def database_time(tx: Transaction) -> datetime:
    """The time by the database's own clock, which all processes share; aware and in UTC."""
    if tx.dialect.name == "sqlite":
        text: str = tx.scalars(select(func.strftime("%Y-%m-%dT%H:%M:%f+00:00", "now"))).one()
        return datetime.fromisoformat(text)
    present: datetime = tx.scalars(select(func.clock_timestamp())).one()
    return present.astimezone(UTC)


def sqlite_url(file: Path) -> str:
    """The ledger URL of a SQLite file."""
    return URL.create("sqlite", database=os.fspath(file)).render_as_string()


class Ledger:
    """The durable record of everything, in a database that several processes share.

    Opening creates the database, or brings an older one up to date. Close it, or use it as a
    context manager.

    Args:
        url: SQLAlchemy URL, `sqlite:///<absolute path>` or `postgresql+psycopg://…`.
        busy_seconds: How long to wait for another process's transaction.

    Attributes:
        place: The file, or the URL without its password, as errors name it.

    Raises:
        SettingsInvalid: The URL is none, names no file, or needs a driver that is not installed.
        SchemaTooNew: A newer Treadle wrote this ledger.
        LedgerBusy: Another process held it for too long; like the next two, from every transaction too.
        StorageFull: No space is left, or it may not be written.
        LedgerError: Anything else that the database refuses.
    """

    def __init__(self, url: str, *, busy_seconds: float = 30.0) -> None:
        self._busy_seconds = busy_seconds
        parsed = _parse(url)
        self.place = parsed.database or "" if _is_sqlite(parsed) else parsed.render_as_string()
        with opening(self.place, busy_seconds):
            if _is_sqlite(parsed):
                _create_file(Path(self.place))
            self._engine = _engine(parsed, busy_seconds)
            try:
                self._migrate()
            except BaseException:
                self._engine.dispose()
                raise

    @contextmanager
    def reading(self) -> Iterator[Transaction]:
        """A transaction that sees one consistent state and may change nothing."""
        engine = self._engine
        if engine.dialect.name == "postgresql":
            engine = engine.execution_options(postgresql_readonly=True, isolation_level="REPEATABLE READ")
        with self._translated(), engine.begin() as transaction:
            yield transaction

    @contextmanager
    def writing(self) -> Iterator[Transaction]:
        """A transaction that is committed at the end, or undone if the block raises.

        On SQLite it holds the only write lock from its start: keep it short.
        """
        engine = self._engine.execution_options(**{_WRITING: True})
        with self._translated(), engine.begin() as transaction:
            yield transaction

    def compact(self, *, in_use: bool) -> Compaction:
        """Give back the space of deleted rows and refresh the statistics by which queries are planned.

        Args:
            in_use: Some process writes again and again, as drivers do; SQLite's file is then not written
                anew, since nobody else could write meanwhile.
        """
        with self._translated():
            return compact(self._engine, in_use=in_use)

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()

    def __enter__(self) -> Ledger:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _translated(self) -> AbstractContextManager[None]:
        return translated(self.place, self._busy_seconds)

    def _migrate(self) -> None:
        with self.reading() as transaction:
            if schema_is_current(transaction, self.place):
                return
        if self._engine.dialect.name == "sqlite":
            _use_wal(self._engine, self._busy_seconds)
        with self.writing() as transaction:
            if transaction.dialect.name == "postgresql":
                transaction.execute(select(func.pg_advisory_xact_lock(_MIGRATION_LOCK)))
            if not schema_is_current(transaction, self.place):
                upgrade(transaction)


def _parse(url: str) -> URL:
    try:
        parsed = make_url(url)
        parsed.get_dialect().import_dbapi()
    except (NoSuchModuleError, ModuleNotFoundError) as error:
        raise SettingsInvalid(
            "The ledger's URL wants a database whose driver is not installed.",
            remedy="Use sqlite or postgresql+psycopg; the latter is in treadle[postgresql].",
            detail=str(error),
        ) from error
    except ArgumentError as error:
        raise SettingsInvalid(
            "The ledger's URL cannot be read.", remedy="Write it as sqlite:////absolute/path/ledger.db."
        ) from error
    if _is_sqlite(parsed) and not (parsed.database and Path(parsed.database).is_absolute()):
        raise SettingsInvalid(
            f"The ledger's URL {parsed.render_as_string()} names no file by its absolute path.",
            remedy="Write it as sqlite:////absolute/path/ledger.db.",
        )
    return parsed


def _is_sqlite(url: URL) -> bool:
    return url.get_backend_name() == "sqlite"


def _create_file(file: Path) -> None:
    """Create the file before SQLite does, so that nobody else can ever read it."""
    if file.exists():
        return
    missing = [folder for folder in file.parents if not folder.exists()]
    for folder in reversed(missing):
        folder.mkdir(mode=0o700, exist_ok=True)
    os.close(os.open(file, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))


def _engine(url: URL, busy_seconds: float) -> Engine:
    if not _is_sqlite(url):
        engine = create_engine(url, pool_pre_ping=True)
        if engine.dialect.name == "postgresql":
            event.listen(engine, "connect", _bounded_waits(busy_seconds))
        return engine
    engine = create_engine(url, connect_args={"timeout": busy_seconds})
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _bounded_waits(busy_seconds: float) -> Callable[[DBAPIConnection, ConnectionPoolEntry], None]:
    milliseconds = max(1, round(busy_seconds * 1000))  # 0 would be for ever

    def prepare(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
        cursor = connection.cursor()
        cursor.execute(f"SET lock_timeout = {milliseconds}")
        cursor.close()
        connection.commit()

    return prepare


def _prepare_sqlite(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
    """Take transactions out of the driver's hands (it would begin them too late) into ours."""
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    """Lock for writing at once: a lock asked for later can fail, however long one waits."""
    writing = connection.get_execution_options().get(_WRITING, False)
    connection.exec_driver_sql(f"PRAGMA query_only = {'OFF' if writing else 'ON'}")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")


def _use_wal(engine: Engine, busy_seconds: float) -> None:
    """Let readers and a writer work side by side; kept in the file.

    The switch fails at once where another process is reading, whatever the busy timeout.
    """
    deadline = time.monotonic() + busy_seconds
    connection = engine.raw_connection()
    try:
        while not _switched_to_wal(connection, last_try=time.monotonic() > deadline):
            time.sleep(0.01)
    finally:
        connection.close()


def _switched_to_wal(connection: PoolProxiedConnection, *, last_try: bool) -> bool:
    try:
        connection.cursor().execute("PRAGMA journal_mode = WAL")
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or last_try:
            raise
        return False
    return True
