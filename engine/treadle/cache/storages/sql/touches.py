"""Times of use, gathered in memory and written now and then: a hit writes nothing."""

from __future__ import annotations

import threading
import time
from collections.abc import Collection

from treadle.cache.keys.digest import Digest
from treadle.cache.storages.sql.database import Database, Parameters
from treadle.cache.troubles import Troubles
from treadle.errors import CacheUnavailable

SECONDS_BETWEEN_WRITES = 60.0
MOST_KEYS = 10_000
"""So many are written at once, however early."""

_WRITE = "UPDATE treadle_calls SET used = :used WHERE key = :key AND used < :used"


class Touches:
    """Notes which records were used, and when.

    Args:
        database: Where the records are.
        troubles: Counts what could not be written; nobody is warned, for it is so for all who may only read.
    """

    def __init__(self, database: Database, troubles: Troubles) -> None:
        self._database = database
        self._troubles = troubles
        self._words = database.statement(_WRITE)
        self._used: dict[Digest, float] = {}
        self._lock = threading.Lock()
        self._due = time.monotonic() + SECONDS_BETWEEN_WRITES

    def note(self, keys: Collection[Digest]) -> None:
        """Note that records were used just now."""
        now = time.time()
        with self._lock:
            self._used.update(dict.fromkeys(keys, now))
            is_due = len(self._used) >= MOST_KEYS or time.monotonic() >= self._due
        if is_due:
            self.write()

    def write(self) -> None:
        """Write what was noted; what cannot be written is forgotten."""
        with self._lock:
            used, self._used = self._used, {}
            self._due = time.monotonic() + SECONDS_BETWEEN_WRITES
        if not used:
            return
        rows: list[Parameters] = [{"key": key.raw, "used": when} for key, when in used.items()]
        try:
            with self._database.writing() as cursor:
                cursor.executemany(self._words, rows)
        except CacheUnavailable:
            self._troubles.counts["unwritten uses"] += len(rows)
