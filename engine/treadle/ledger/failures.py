"""What a database driver or the file system says, as an error of ours."""

from __future__ import annotations

import errno
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from treadle.errors import LedgerBusy, LedgerError, StorageFull, TreadleError

_ERRORS: dict[str, tuple[type[TreadleError], str, str]] = {
    "busy": (
        LedgerBusy,
        "Another process held the ledger {place} for more than {seconds:g} s.",
        "Repeat the command once the other process has finished writing.",
    ),
    "full": (
        StorageFull,
        "The ledger {place} could not be written: the disk is full, or a quota is used up.",
        "Free some space, then repeat the command: everything recorded before is kept.",
    ),
    "read-only": (
        StorageFull,
        "The ledger {place} may not be written or opened.",
        "Make it writable for you, or set TREADLE_HOME to a folder that is.",
    ),
    "foreign": (
        LedgerError,
        "{place} is not a ledger: it is no database at all.",
        "Move the file away, or set TREADLE_LEDGER_URL to another one.",
    ),
    "damaged": (LedgerError, "The ledger {place} is damaged.", "Restore it from a backup."),
    "away": (
        LedgerError,
        "The database server of the ledger {place} cannot be reached, or does not let Treadle in.",
        "See that it runs, that the database exists, and that TREADLE_LEDGER_URL is right.",
    ),
}
_OTHER: tuple[type[TreadleError], str, str] = (
    LedgerError,
    "The ledger {place} could not be read or written.",
    "",
)

_SQLITE_WRITE_FAILURES = frozenset(
    {
        sqlite3.SQLITE_IOERR_WRITE,
        sqlite3.SQLITE_IOERR_FSYNC,
        sqlite3.SQLITE_IOERR_TRUNCATE,
        sqlite3.SQLITE_IOERR_SHMSIZE,
    }
)
"""What SQLite says for a quota that is used up; it calls a disk full only where the system says so."""

_SQLITE_FAILURES: dict[int, str] = {
    sqlite3.SQLITE_BUSY: "busy",
    sqlite3.SQLITE_LOCKED: "busy",
    sqlite3.SQLITE_FULL: "full",
    sqlite3.SQLITE_READONLY: "read-only",
    sqlite3.SQLITE_CANTOPEN: "read-only",
    sqlite3.SQLITE_NOTADB: "foreign",
    sqlite3.SQLITE_CORRUPT: "damaged",
}
_POSTGRESQL_FAILURES: dict[str, str] = {
    "55P03": "busy",  # lock_not_available
    "40P01": "busy",  # deadlock_detected
    "40001": "busy",  # serialization_failure
    "53100": "full",  # disk_full
    "25006": "read-only",  # read_only_sql_transaction
    "42501": "read-only",  # insufficient_privilege
    "53300": "away",  # too_many_connections
    "57P01": "away",  # admin_shutdown
    "57P02": "away",  # crash_shutdown
    "57P03": "away",  # cannot_connect_now
    "57P05": "away",  # idle_session_timeout
}
_FILE_FAILURES: dict[int, str] = {
    errno.ENOSPC: "full",
    errno.EDQUOT: "full",
    errno.EROFS: "read-only",
    errno.EACCES: "read-only",
    errno.EPERM: "read-only",
}


@contextmanager
def translated(place: str, busy_seconds: float) -> Iterator[None]:
    """Raise errors of the database as errors of ours that name `place`.

    Raises:
        LedgerBusy: Another process held the ledger for longer than `busy_seconds`.
        StorageFull: No space is left, or the ledger may not be written.
        LedgerError: The database server is away, or anything else that the database refuses.
    """
    try:
        yield
    except PoolTimeout as error:
        raise _error("busy", place, busy_seconds, str(error)) from error
    except DBAPIError as error:
        raise _error(_kind(error.orig), place, busy_seconds, str(error.orig)) from error


@contextmanager
def opening(place: str, busy_seconds: float) -> Iterator[None]:
    """Like `translated`, also for what the file system and SQLite itself say while a ledger is opened."""
    try:
        with translated(place, busy_seconds):
            yield
    except sqlite3.Error as error:
        raise _error(_kind(error), place, busy_seconds, str(error)) from error
    except OSError as error:
        raise _error(_FILE_FAILURES.get(error.errno or 0), place, busy_seconds, str(error)) from error


def _kind(cause: BaseException | None) -> str | None:
    if isinstance(cause, sqlite3.Error):
        code = getattr(cause, "sqlite_errorcode", 0)
        return "full" if code in _SQLITE_WRITE_FAILURES else _SQLITE_FAILURES.get(code & 0xFF)
    state: str | None = getattr(cause, "sqlstate", "")
    if state is None and type(cause).__name__ == "OperationalError":
        return "away"  # only a server that was reached gives a state
    return _POSTGRESQL_FAILURES.get(state or "")


def _error(kind: str | None, place: str, busy_seconds: float, detail: str) -> TreadleError:
    made, what, remedy = _ERRORS.get(kind or "", _OTHER)
    return made(what.format(place=place, seconds=busy_seconds), remedy=remedy, detail=detail)
