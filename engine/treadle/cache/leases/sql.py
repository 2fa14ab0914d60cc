"""Leases among all who use one database.

A token is the number of a row, and no number is given twice, so a row may go as soon as its lease is given
back. Every time is by one clock: PostgreSQL's own, or that of the host whose processes share the SQLite file.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from pathlib import Path

from treadle.cache.keys.digest import Digest
from treadle.cache.leases.holder import this_host, this_thread
from treadle.cache.storages.ports import Lease
from treadle.cache.storages.sql.database import Cursor, Database, Parameters, Schema
from treadle.errors import CacheRefused

CLOCK_STEP_SECONDS = 1.0
"""By how much a clock may be set back without ending the leases that were taken before."""

_TABLE = """
CREATE TABLE IF NOT EXISTS treadle_leases (
    token COUNTED,
    key BYTES NOT NULL UNIQUE,
    host TEXT NOT NULL,
    holder TEXT NOT NULL,
    until DOUBLE PRECISION NOT NULL,
    seconds DOUBLE PRECISION NOT NULL,
    keeping BYTES NOT NULL
)
"""
LEASES = Schema("leases", 1, (_TABLE,))

_NOW = {"sqlite": ":now", "postgresql": "extract(epoch FROM clock_timestamp())"}
_RUNNING = "(until > NOW AND until <= NOW + seconds + :step)"
"""One that lies further in the future than it is long was taken before the clock was set back."""

_END = "DELETE FROM treadle_leases WHERE key = :key AND NOT RUNNING"
_END_OF_THIS_HOST = "DELETE FROM treadle_leases WHERE key = :key AND NOT RUNNING AND host = :host"
_TAKE = """
INSERT INTO treadle_leases (key, host, holder, until, seconds, keeping)
VALUES (:key, :host, :holder, NOW + :seconds, :seconds, :keeping)
ON CONFLICT (key) DO NOTHING RETURNING token
"""
_HOST = "SELECT host FROM treadle_leases WHERE key = :key"
_RENEW = """
UPDATE treadle_leases SET until = NOW + :seconds, seconds = :seconds
WHERE token = :token AND key = :key RETURNING token
"""
_RELEASE = "DELETE FROM treadle_leases WHERE token = :token AND key = :key"
_HOLDS = "SELECT token FROM treadle_leases WHERE token = :token AND key = :key"
_CONFIRM = {"sqlite": _HOLDS, "postgresql": _HOLDS + " FOR SHARE"}
_KEPT = "SELECT keeping FROM treadle_leases WHERE RUNNING"

_DIGEST_BYTES = 32


class SqlLeases:
    """Leases in a database, which may be that of the calls.

    Args:
        database: Where they are, with the schema `LEASES` among its own.
        clock: Seconds since 1970 by the host's clock; PostgreSQL uses its own.
    """

    def __init__(self, database: Database, *, clock: Callable[[], float] = time.time) -> None:
        self.database = database
        self._clock = clock
        self._end = self._written(_END_OF_THIS_HOST if database.is_shared else _END)
        self._take = self._written(_TAKE)
        self._host = self._written(_HOST)
        self._renew = self._written(_RENEW)
        self._release = self._written(_RELEASE)
        self._holds = self._written(_HOLDS)
        self._confirm = self._written(_CONFIRM[database.dialect])
        self._kept = self._written(_KEPT)

    @classmethod
    def at(cls, file: Path) -> SqlLeases:
        """Leases in a SQLite file of their own, which is made when the first is taken."""
        return cls(Database(file, LEASES))

    def acquire(self, key: Digest, *, seconds: float, keeping: Collection[Digest] = ()) -> Lease | None:
        """Take the lease of a call, if it is free; see `Leases`.

        Raises:
            CacheRefused: Another machine runs the call, and the two share no clock.
            CacheUnavailable: The database cannot be written now.
        """
        holder = this_thread()
        taken: Parameters = {
            "key": key.raw,
            "host": this_host(),
            "holder": holder,
            "seconds": seconds,
            "keeping": b"".join(digest.raw for digest in keeping),
            **self._time(),
        }
        with self.database.writing() as cursor:
            cursor.execute(self._end, taken)
            cursor.execute(self._take, taken)
            row = cursor.fetchone()
            if row is None:
                if self.database.is_shared:
                    self._refuse_other_hosts(cursor, key)
                return None
            (token,) = row
        return Lease(key, token, holder)

    def renew(self, leases: Collection[Lease], *, seconds: float) -> set[Digest]:
        """Make leases last so long from now; see `Leases`.

        Raises:
            CacheUnavailable: The database cannot be written now.
        """
        held = set()
        with self.database.writing() as cursor:
            for lease in leases:
                cursor.execute(self._renew, {**_named(lease), "seconds": seconds, **self._time()})
                if cursor.fetchone() is not None:
                    held.add(lease.key)
        return held

    def holds(self, lease: Lease) -> bool:
        """Whether nobody has taken it over; raises CacheUnavailable."""
        with self.database.reading() as cursor:
            cursor.execute(self._holds, _named(lease))
            return cursor.fetchone() is not None

    def release(self, lease: Lease) -> None:
        """Give it back, if nobody has taken it over; raises CacheUnavailable."""
        with self.database.reading() as cursor:
            cursor.execute(self._release, _named(lease))

    def kept(self) -> set[Digest]:
        """Return the values that calls now running need; raises CacheUnavailable."""
        with self.database.reading() as cursor:
            cursor.execute(self._kept, self._time())
            rows = cursor.fetchall()
        return {digest for (keeping,) in rows for digest in _digests(keeping)}

    def confirm(self, cursor: Cursor, lease: Lease) -> None:
        """Let nobody take the lease over before the transaction ends.

        Args:
            cursor: Of a writing transaction of the same database.
            lease: The lease.

        Raises:
            CacheRefused: Somebody has taken it over.
        """
        cursor.execute(self._confirm, _named(lease))
        if cursor.fetchone() is None:
            raise CacheRefused(
                f"The call {lease.key[:12]} took longer than its lease; another has run it since."
            )

    def _written(self, words: str) -> str:
        whole = words.replace("RUNNING", _RUNNING).replace("NOW", _NOW[self.database.dialect])
        return self.database.statement(whole)

    def _time(self) -> Parameters:
        if self.database.dialect == "postgresql":
            return {"step": CLOCK_STEP_SECONDS}
        return {"step": CLOCK_STEP_SECONDS, "now": self._clock()}

    def _refuse_other_hosts(self, cursor: Cursor, key: Digest) -> None:
        cursor.execute(self._host, {"key": key.raw})
        row = cursor.fetchone()
        if row is not None and row[0] != this_host():
            raise CacheRefused(
                f"{row[0]} runs the same call, but {self.database.place} lies on a network file system, "
                "where machines cannot wait for each other.",
                remedy="Keep the calls in PostgreSQL.",
            )

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.database,)


def _named(lease: Lease) -> dict[str, int | bytes]:
    """Both, since a database that was thrown away begins to count anew."""
    return {"token": lease.token, "key": lease.key.raw}


def _digests(keeping: bytes) -> list[Digest]:
    starts = range(0, len(keeping), _DIGEST_BYTES)
    return [Digest(keeping[start : start + _DIGEST_BYTES].hex()) for start in starts]
