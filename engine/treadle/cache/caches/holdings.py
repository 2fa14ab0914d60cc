"""What a limited cache knows of its storages: sizes, last uses, and which values are still needed.

Storages are listed, which reads no record, when something is recorded for the first time; records are read
when something has to go for the first time. Both are kept up to date from then on, and what other processes
did is seen when the storages are listed again.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING

from treadle.cache.caches.references import References, values_of
from treadle.cache.keys.digest import Digest
from treadle.cache.records import CallRecord
from treadle.cache.storages.ports import Entry, Measured

if TYPE_CHECKING:
    from treadle.cache.caches.cache import Cache

GRACE_SECONDS = 600
"""Values younger than this may belong to a call that is not recorded yet."""

_LISTED_SECONDS = 60
_READ_AT_ONCE = 1000
_RECORD_BYTES = 512
"""What a record is taken to need until its storage is listed, where that cannot say."""


class Holdings:
    """Records of a cache in the order of their last use, and the bytes that they and their values take.

    Args:
        cache: The cache.
        by_bytes: Whether sizes matter.
        clock: Seconds since 1970 UTC.

    Attributes:
        records: What is known of each record, the least recently used first.
        bytes: Of all records and of the values that they need.
    """

    def __init__(self, cache: Cache, *, by_bytes: bool, clock: Callable[[], float]) -> None:
        self.records: OrderedDict[Digest, Entry] = OrderedDict()
        self.bytes = 0
        self._cache = cache
        self._by_bytes = by_bytes
        self._clock = clock
        self._used: dict[Digest, float] = {}
        self._values: dict[Digest, Entry] = {}
        self._needs: dict[Digest, frozenset[Digest]] = {}
        self._references: References | None = None
        self._listed = -1.0
        self._recorded = 0

    def use(self, key: Digest) -> None:
        """Note that a record was used just now."""
        now = self._clock()
        if key in self.records:
            self.records[key] = replace(self.records[key], used=now)
            self.records.move_to_end(key)
        else:
            self._used[key] = now

    def note(self, record: CallRecord) -> bool:
        """Note that a record was written just now; return whether the storages were listed for it."""
        self._recorded += 1
        listed = self._is_old()
        if listed:
            self._list()
        before = self.records.pop(record.key, None)
        now = self._clock()
        size = before.size if before is not None and listed else self._record_size(record.key)
        entry = Entry(record.key, size, now, now)
        self.records[record.key] = entry
        self.bytes += entry.size - (before.size if before else 0)
        self._measure(values_of(record))
        if self._references is not None:
            former = self._needs.pop(record.key, frozenset())
            self._need(record.key, values_of(record))
            self.bytes -= sum(self._size(value) for value in self._references.remove(former))
        return listed

    def forget(self, key: Digest) -> list[Digest]:
        """Take note that a record is gone; return the values that none of the others needs."""
        entry = self.records.pop(key, None)
        if entry is not None:
            self.bytes -= entry.size
        if self._references is None:
            return []
        unneeded = self._references.remove(self._needs.pop(key, ()))
        self.bytes -= sum(self._size(value) for value in unneeded)
        return unneeded

    def read(self) -> bool:
        """Read every record for the values that it needs; return False if that was done before."""
        if self._references is not None:
            return False
        self._references = References(self._cache.values.children)
        self.bytes = sum(entry.size for entry in self.records.values())
        self._read(self.records)
        return True

    def own_bytes(self, record: CallRecord) -> int:
        """Return what a record and its values take, as if no other needed them."""
        alone = References(self._cache.values.children).add(values_of(record))
        return self.records[record.key].size + sum(self._size(value) for value in alone)

    def orphans(self) -> list[Digest]:
        """Return values that no record needs, but for those of calls that may be under way."""
        needed, latest = self._references, self._clock() - GRACE_SECONDS
        return [
            value
            for value, entry in self._values.items()
            if needed is not None and value not in needed and entry.saved < latest
        ]

    def freed(self, value: Digest) -> None:
        """Note that a value was removed."""
        self._values.pop(value, None)

    def _is_old(self) -> bool:
        if self._listed < 0 or time.monotonic() - self._listed > _LISTED_SECONDS:
            return True
        measured = isinstance(self._cache.values, Measured) or not self._by_bytes
        return self._recorded > len(self.records) // (8 if measured else 16)

    def _list(self) -> None:
        entries = [self._with_own_use(entry) for entry in self._cache.calls.entries()]
        gone = self.records.keys() - {entry.digest for entry in entries}
        self.records = OrderedDict(
            (entry.digest, entry) for entry in sorted(entries, key=lambda entry: entry.used)
        )
        if self._by_bytes:
            self._values = {entry.digest: entry for entry in self._cache.values.entries()}
        self.bytes = sum(entry.size for entry in entries)
        if self._references is None:
            self.bytes += sum(entry.size for entry in self._values.values())
        else:
            for key in gone:
                self._references.remove(self._needs.pop(key, ()))
            self.bytes += sum(self._size(value) for value in self._values if value in self._references)
            self._read(key for key in self.records if key not in self._needs)
        self._used.clear()
        self._listed = time.monotonic()
        self._recorded = 0

    def _with_own_use(self, entry: Entry) -> Entry:
        known = self.records.get(entry.digest)
        used = known.used if known is not None else self._used.get(entry.digest, 0.0)
        return replace(entry, used=used) if used > entry.used else entry

    def _read(self, keys: Iterable[Digest]) -> None:
        for batch in _batches(keys):
            for key, record in self._cache.calls.load_many(batch).items():
                self._need(key, values_of(record))

    def _need(self, key: Digest, values: frozenset[Digest]) -> None:
        if self._references is not None and key not in self._needs:
            self._needs[key] = values
            self.bytes += sum(self._size(value) for value in self._references.add(values))

    def _measure(self, values: Iterable[Digest]) -> None:
        """Learn the sizes of values that were written just now, as far as that can be told."""
        storage = self._cache.values
        if not (self._by_bytes and isinstance(storage, Measured)):
            return
        now = self._clock()
        for value in References(storage.children).add(set(values) - self._values.keys()):
            if value not in self._values:
                self._values[value] = Entry(value, storage.size(value), now, now)
                if self._references is None:
                    self.bytes += self._values[value].size

    def _size(self, value: Digest) -> int:
        entry = self._values.get(value)
        return entry.size if entry is not None else 0

    def _record_size(self, key: Digest) -> int:
        calls = self._cache.calls
        return calls.size(key) if isinstance(calls, Measured) else _RECORD_BYTES


def _batches(keys: Iterable[Digest]) -> Iterator[list[Digest]]:
    left = iter(list(keys))
    while batch := list(islice(left, _READ_AT_ONCE)):
        yield batch
