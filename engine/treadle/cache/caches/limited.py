"""A cache that keeps to limits of records, bytes and age."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import TYPE_CHECKING

from treadle.cache.caches.base import Prepared
from treadle.cache.caches.cached_call import Cached
from treadle.cache.caches.holdings import Holdings
from treadle.cache.caches.over import Over
from treadle.cache.keys.digest import Digest
from treadle.cache.records import CallRecord, Outcome, SealedCall
from treadle.cache.storages.ports import Lease, Template
from treadle.errors import SettingsInvalid

if TYPE_CHECKING:
    from pydantic import JsonValue

    from treadle.cache.caches.cache import Cache


class Limited(Over):
    """Removes what was not used for longest until it keeps to its limits.

    Values that no record needs any more go with their record. A call that is larger than all that may be kept
    is not kept. Whoever opens a cache that lies above its limits finds everything; it shrinks when something
    is recorded.

    Args:
        inner: The cache below.
        max_size: Records.
        max_bytes: Bytes of records and of the values that they need.
        max_age: Seconds since a call was recorded; an older one is a miss.
        clock: Seconds since 1970 UTC.

    Raises:
        SettingsInvalid: A limit is below zero, or there is none.
    """

    inner: Cache

    def __init__(
        self,
        inner: Cache,
        *,
        max_size: int | None = None,
        max_bytes: int | None = None,
        max_age: float | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(inner)
        limits = {"max_size": max_size, "max_bytes": max_bytes, "max_age": max_age}
        for name, limit in limits.items():
            if limit is not None and limit < 0:
                raise SettingsInvalid(f"{name} cannot be {limit}: a limit is not below zero.")
        if all(limit is None for limit in limits.values()):
            raise SettingsInvalid("A limited cache needs one of max_size, max_bytes and max_age.")
        self.max_size = max_size
        self.max_bytes = max_bytes
        self.max_age = max_age
        self._clock = clock
        self._lock = threading.RLock()
        self._holdings = Holdings(inner, by_bytes=max_bytes is not None, clock=clock)

    def lookup(self, key: Digest) -> Cached | None:
        """Ask the cache below; a record that is too old goes."""
        found = self.inner.lookup(key)
        return found if found is not None and self._serve(found) else None

    def lookup_many(self, keys: Collection[Digest]) -> dict[Digest, Cached]:
        """Ask the cache below; records that are too old go."""
        found = self.inner.lookup_many(keys)
        return {key: cached for key, cached in found.items() if self._serve(cached)}

    def contains(self, key: Digest) -> bool:
        """Whether something is kept of a call that is not too old."""
        return self.inner.contains(key) if self.max_age is None else self.lookup(key) is not None

    def find(self, template: Template) -> Iterator[Cached]:
        """Yield what is not too old."""
        return (cached for cached in self.inner.find(template) if not self._is_too_old(cached.record.created))

    def prepare(self, call: SealedCall) -> Prepared:
        """Let the cache below keep it; when it is recorded, other calls may have to go."""
        return _Limiting(self.inner.prepare(call), self)

    def adopt(self, cached: Cached) -> None:
        """Let the cache below keep it; other calls may have to go."""
        self.inner.adopt(cached)
        self.fit(self.inner.calls.load(cached.record.key))

    def evict(self, key: Digest) -> int:
        """Let the cache below remove a record."""
        freed = self.inner.evict(key)
        with self._lock:
            self._holdings.forget(key)
        return freed

    def fit(self, record: CallRecord) -> None:
        """Keep to the limits after a record was written.

        Raises:
            CacheUnavailable: The storage cannot be read or written now.
        """
        with self._lock:
            listed = self._holdings.note(record)
            if self._is_within() and not (listed and self._has_old()):
                return
            listed |= self._holdings.read()
            self._remove_old()
            if listed:
                self._free(self._holdings.orphans())
            if self._is_too_large(record):
                self._remove(record.key)
            while self._holdings.records and not self._is_within():
                self._remove(next(iter(self._holdings.records)))

    def _is_within(self) -> bool:
        held = self._holdings
        return (self.max_size is None or len(held.records) <= self.max_size) and (
            self.max_bytes is None or held.bytes <= self.max_bytes
        )

    def _is_too_large(self, record: CallRecord) -> bool:
        """Whether a record would be alone above the limit."""
        if self.max_bytes is None or self._is_within() or record.key not in self._holdings.records:
            return False
        return self._holdings.own_bytes(record) > self.max_bytes

    def _has_old(self) -> bool:
        return any(self._is_too_old(entry.saved) for entry in self._holdings.records.values())

    def _remove_old(self) -> None:
        for entry in list(self._holdings.records.values()):
            if self._is_too_old(entry.saved):
                self._remove(entry.digest)

    def _remove(self, key: Digest) -> None:
        self.inner.calls.evict(key)
        self._free(self._holdings.forget(key))

    def _free(self, values: Collection[Digest]) -> None:
        if not values:
            return
        kept = self.inner.calls.leases.kept()
        for value in values:
            if value not in kept:
                self.inner.values.evict(value)
                self._holdings.freed(value)

    def _serve(self, found: Cached) -> bool:
        with self._lock:
            if self._is_too_old(found.record.created):
                self.inner.evict(found.record.key)
                self._holdings.forget(found.record.key)
                return False
            self._holdings.use(found.record.key)
            return True

    def _is_too_old(self, since: float) -> bool:
        return self.max_age is not None and self._clock() - since > self.max_age

    def __reduce__(self) -> tuple[object, ...]:
        return (_limited, (self.inner, self.max_size, self.max_bytes, self.max_age, self._clock))


def _limited(
    inner: Cache,
    max_size: int | None,
    max_bytes: int | None,
    max_age: float | None,
    clock: Callable[[], float],
) -> Limited:
    return Limited(inner, max_size=max_size, max_bytes=max_bytes, max_age=max_age, clock=clock)


class _Limiting(Prepared):
    """A call under way that may push others out."""

    def __init__(self, call: Prepared, limited: Limited) -> None:
        self._call = call
        self._limited = limited

    @property
    def kept(self) -> Collection[Digest]:
        """What the call needs until it is recorded."""
        return self._call.kept

    def commit(
        self,
        result: object,
        *,
        result_key: Digest | None,
        outcome: Outcome = Outcome.RETURNED,
        metadata: Mapping[str, JsonValue] | None = None,
        lease: Lease | None = None,
    ) -> CallRecord:
        """Keep result and record, and make room for them."""
        record = self._call.commit(
            result, result_key=result_key, outcome=outcome, metadata=metadata, lease=lease
        )
        self._limited.fit(record)
        return record

    def abandon(self) -> None:
        """Keep nothing of it."""
        self._call.abandon()
