"""Records of calls in SQLite or PostgreSQL."""

from __future__ import annotations

import itertools
import time
import weakref
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

from treadle.cache.damage import Damaged, WrittenByNewer
from treadle.cache.keys.digest import DIGEST_LENGTH, Digest
from treadle.cache.leases.sql import LEASES, SqlLeases
from treadle.cache.record_json import decode_record, encode_record
from treadle.cache.records import CallRecord
from treadle.cache.storages.matching import matches
from treadle.cache.storages.ports import Entry, Lease, Template
from treadle.cache.storages.spelling import spelled
from treadle.cache.storages.sql.database import Database, Parameters
from treadle.cache.storages.sql.finding import Finder, storable, version_text
from treadle.cache.storages.sql.tables import CALLS, RESULT
from treadle.cache.storages.sql.touches import Touches
from treadle.cache.troubles import Troubles
from treadle.cache.values.envelope import Kind, Letter, enclose, open_envelope
from treadle.cache.values.keyring import Keyring
from treadle.errors import CacheUnavailable, NotCached

SHOWN_KEYS = 16
"""Keys that a search by their beginning returns at most."""

_ENTRIES_AT_ONCE = 1000
_SAVED_AT_ONCE = 1000
_SIZES = (1, 8, 64, 512)
"""How many keys one statement asks for: what is left over is filled up."""

_LOAD = "SELECT record FROM treadle_calls WHERE key = :key"
_LOAD_MANY = "SELECT key, record FROM treadle_calls WHERE key IN (KEYS)"
_CONTAINS = "SELECT 1 FROM treadle_calls WHERE key = :key"
_SAVE = """
INSERT INTO treadle_calls (key, name, module, version, code, created, used, record)
VALUES (:key, :name, :module, :version, :code, :created, :used, :record)
ON CONFLICT (key) DO UPDATE SET name = excluded.name, module = excluded.module, version = excluded.version,
code = excluded.code, created = excluded.created, used = excluded.used, record = excluded.record
"""
_DROP_ARGUMENTS = """
DELETE FROM treadle_arguments WHERE call = (SELECT id FROM treadle_calls WHERE key = :key)
"""
_ADD_ARGUMENT = """
INSERT INTO treadle_arguments (call, name, digest, created)
SELECT id, :name, :digest, :created FROM treadle_calls WHERE key = :key
"""
_EVICT = "DELETE FROM treadle_calls WHERE key = :key RETURNING length(record)"
_PUT_ASIDE = """
INSERT INTO treadle_quarantine (key, found, record)
SELECT key, :found, record FROM treadle_calls WHERE key = :key AND record = :record
"""
_DROP_DAMAGED = "DELETE FROM treadle_calls WHERE key = :key AND record = :record"
_DROP_STRAYS = """
DELETE FROM treadle_arguments
WHERE call = (SELECT id FROM treadle_calls WHERE key = :key AND record = :record)
"""
_ENTRIES = """
SELECT id, key, length(record), created, used FROM treadle_calls WHERE id > :id ORDER BY id LIMIT :limit
"""
_SIZE = "SELECT length(record) FROM treadle_calls WHERE key = :key"
_STARTING_WITH = """
SELECT key FROM treadle_calls WHERE key >= :first AND key <= :last ORDER BY key LIMIT :limit
"""


class SqlCalls:
    """Records in a database that many threads, processes and, with PostgreSQL, machines share.

    Args:
        url: A path, `sqlite:///<path>`, `sqlite://` for one in memory, or `postgresql://…`.
        keyring: Signs and verifies records.

    Attributes:
        database: Where they are.
        leases: The leases of those who share it.
        troubles: What went wrong without failing a call.

    Raises:
        SettingsInvalid: The URL is none, or of another kind of database.
    """

    def __init__(self, url: str | Path = "sqlite://", keyring: Keyring | None = None) -> None:
        self._given = (url, keyring)
        self._keyring = keyring or Keyring()
        self.database = Database(url, LEASES, CALLS)
        self.leases = SqlLeases(self.database)
        self.troubles = Troubles(self.database.place)
        self._touches = Touches(self.database, self.troubles)
        self._finder = Finder(self.database)
        write = self.database.statement
        self._load = write(_LOAD)
        self._load_many = {
            size: write(_LOAD_MANY.replace("KEYS", ", ".join(f":key{number}" for number in range(size))))
            for size in _SIZES
        }
        self._contains = write(_CONTAINS)
        self._save = write(_SAVE)
        self._drop_arguments = write(_DROP_ARGUMENTS)
        self._add_argument = write(_ADD_ARGUMENT)
        self._evict = write(_EVICT)
        self._put_aside = [write(words) for words in (_PUT_ASIDE, _DROP_STRAYS, _DROP_DAMAGED)]
        self._entries = write(_ENTRIES)
        self._starting_with = write(_STARTING_WITH)
        self._size = write(_SIZE)
        weakref.finalize(self, self._touches.write)

    def save(self, record: CallRecord, *, lease: Lease | None = None) -> None:
        """Keep a record; see `CallStorage`."""
        row = self._row(record)
        with self.database.writing() as cursor:
            if lease is not None:
                self.leases.confirm(cursor, lease)
            cursor.execute(self._save, row)
            cursor.execute(self._drop_arguments, row)
            cursor.executemany(self._add_argument, _argument_rows(record))

    def save_many(self, records: Iterable[CallRecord]) -> None:
        """Keep records in one transaction; see `SavesMany`."""
        waiting = iter(records)
        with self.database.writing() as cursor:
            while some := list(itertools.islice(waiting, _SAVED_AT_ONCE)):
                rows = [self._row(record) for record in some]
                cursor.executemany(self._save, rows)
                cursor.executemany(self._drop_arguments, rows)
                arguments = [row for record in some for row in _argument_rows(record)]
                cursor.executemany(self._add_argument, arguments)

    def _row(self, record: CallRecord) -> Parameters:
        letter = Letter((encode_record(record),), "json")
        parts = enclose(letter, Kind.RECORD, record.key, keyring=self._keyring)
        return {
            "key": record.key.raw,
            "name": storable(record.name),
            "module": None if record.module is None else storable(record.module),
            "version": version_text(record.version),
            "code": None if record.code is None else record.code.raw,
            "created": record.created,
            "used": time.time(),
            "record": b"".join(parts),
        }

    def load(self, key: Digest) -> CallRecord:
        """Return a record; see `CallStorage`."""
        with self.database.reading() as cursor:
            cursor.execute(self._load, {"key": key.raw})
            row = cursor.fetchone()
        if row is None:
            raise NotCached(f"There is no record of the call {key}.")
        return self._opened(key, row[0])

    def load_many(self, keys: Iterable[Digest]) -> dict[Digest, CallRecord]:
        """Return the records that are there of these keys; see `CallStorage`."""
        wanted = list(dict.fromkeys(keys))
        found: dict[Digest, CallRecord] = {}
        for start in range(0, len(wanted), _SIZES[-1]):
            some = wanted[start : start + _SIZES[-1]]
            size = next(size for size in _SIZES if size >= len(some))
            some += some[-1:] * (size - len(some))
            with self.database.reading() as cursor:
                cursor.execute(
                    self._load_many[size], {f"key{number}": key.raw for number, key in enumerate(some)}
                )
                rows = cursor.fetchall()
            found.update(self._sound(rows))
        return found

    def contains(self, key: Digest) -> bool:
        """Whether there is a record."""
        with self.database.reading() as cursor:
            cursor.execute(self._contains, {"key": key.raw})
            return cursor.fetchone() is not None

    def evict(self, key: Digest) -> int:
        """Remove a record; see `CallStorage`."""
        with self.database.writing() as cursor:
            cursor.execute(self._drop_arguments, {"key": key.raw})
            cursor.execute(self._evict, {"key": key.raw})
            row = cursor.fetchone()
        return 0 if row is None else int(row[0])

    def find(self, template: Template) -> Iterator[CallRecord]:
        """Yield the matching records; see `CallStorage`."""
        for page in self._finder.pages(template):
            for _, record in self._sound(page):
                if matches(record, template):
                    yield record

    def touch(self, keys: Collection[Digest]) -> None:
        """Note that records were used just now."""
        self._touches.note(keys)

    def entries(self) -> Iterator[Entry]:
        """Yield what is there; see `CallStorage`."""
        self._touches.write()
        last = 0
        while True:
            with self.database.reading() as cursor:
                cursor.execute(self._entries, {"id": last, "limit": _ENTRIES_AT_ONCE})
                rows = cursor.fetchall()
            for _, key, size, created, used in rows:
                yield Entry(Digest(key.hex()), size, created, used)
            if len(rows) < _ENTRIES_AT_ONCE:
                return
            last = rows[-1][0]

    def starting_with(self, prefix: str) -> list[Digest]:
        """Return the keys that begin so; see `CallStorage`."""
        lower = prefix.lower()
        try:
            first = bytes.fromhex(lower.ljust(DIGEST_LENGTH, "0"))
            last = bytes.fromhex(lower.ljust(DIGEST_LENGTH, "f"))
        except ValueError:
            return []
        with self.database.reading() as cursor:
            cursor.execute(self._starting_with, {"first": first, "last": last, "limit": SHOWN_KEYS})
            return [Digest(key.hex()) for (key,) in cursor.fetchall()]

    def size(self, key: Digest) -> int:
        """Return the bytes of a record, 0 if it is not there."""
        with self.database.reading() as cursor:
            cursor.execute(self._size, {"key": key.raw})
            row = cursor.fetchone()
        return 0 if row is None else int(row[0])

    def to_config(self) -> dict[str, object]:
        """Return its table in a configuration."""
        return {"type": "sql", "url": str(self._given[0]), **spelled({"secret_key": self._keyring})}

    def close(self) -> None:
        """Write what is still to be written and close all connections."""
        self._touches.write()
        self.database.close()

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), self._given

    def _opened(self, key: Digest, data: bytes) -> CallRecord:
        """Return the record in a row; raises NotCached where there is no sound one."""
        try:
            letter = open_envelope(data, Kind.RECORD, key, self._keyring)
            record = _decoded(letter, key)
        except Damaged as damage:
            self._quarantine(key, data, damage)
            raise NotCached(f"The record of the call {key} was damaged.") from damage
        except WrittenByNewer as newer:
            raise NotCached(str(newer)) from newer
        return record

    def _sound(self, rows: Iterable[tuple[bytes, bytes]]) -> Iterator[tuple[Digest, CallRecord]]:
        for raw, data in rows:
            key = Digest(raw.hex())
            try:
                yield key, self._opened(key, data)
            except NotCached:
                continue

    def _quarantine(self, key: Digest, data: bytes, damage: Damaged) -> None:
        row: Parameters = {"key": key.raw, "record": data, "found": time.time()}
        where = "was moved to the table treadle_quarantine"
        try:
            with self.database.writing() as cursor:
                for statement in self._put_aside:
                    cursor.execute(statement, row)
        except CacheUnavailable as error:
            where = f"stays there: {error.detail}"
        self.troubles.tell(
            "damaged", f"The record {key} in {self.database.place} is damaged and {where}. {damage}"
        )


def _decoded(letter: Letter, key: Digest) -> CallRecord:
    record = decode_record(bytes(letter.payload))
    if record.key != key:
        raise Damaged("It is the record of another call.")
    return record


def _argument_rows(record: CallRecord) -> list[Parameters]:
    facets = {storable(argument.name): argument.key.raw for argument in record.arguments}
    if record.result_key is not None:
        facets[RESULT] = record.result_key.raw
    return [
        {"key": record.key.raw, "name": name, "digest": digest, "created": record.created}
        for name, digest in facets.items()
    ]
