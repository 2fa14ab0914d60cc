"""Storages in memory that count what they are asked for, and calls to keep in them."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field

import pytest
from blake3 import blake3

from treadle.cache.caches.base import BaseCache
from treadle.cache.caches.cache import Cache
from treadle.cache.keys.digest import Digest
from treadle.cache.records import CallRecord, SealedCall
from treadle.cache.storages.ports import Entry, Lease, Template
from treadle.errors import CacheUnavailable, NotCached


def digest(text: str) -> Digest:
    return Digest(blake3(text.encode()).hexdigest())


def sealed(name: str) -> SealedCall:
    return SealedCall(digest(name), name, "tests", None, None, {}, {})


@dataclass
class NoLeases:
    keeping: set[Digest] = field(default_factory=set)

    def acquire(self, key: Digest, *, seconds: float, keeping: Collection[Digest] = ()) -> Lease | None:
        del seconds, keeping
        return Lease(key, 1, "test")

    def renew(self, leases: Collection[Lease], *, seconds: float) -> set[Digest]:
        del seconds
        return {lease.key for lease in leases}

    def holds(self, lease: Lease) -> bool:
        del lease
        return True

    def release(self, lease: Lease) -> None:
        del lease

    def kept(self) -> set[Digest]:
        return self.keeping


@dataclass
class CountedValues:
    """Lists of text; each text but the first is a child that is kept for itself.

    The size of a value is the length of its first text.
    """

    clock: Callable[[], float]
    held: dict[Digest, list[str]] = field(default_factory=dict)
    saved: dict[Digest, float] = field(default_factory=dict)

    def save(self, value: object) -> Digest:
        assert isinstance(value, list)
        address = digest(repr(value))
        self.held[address] = value
        self.saved[address] = self.clock()
        for child in value[1:]:
            self.save([child])
        return address

    def load(self, address: Digest) -> object:
        if address not in self.held:
            raise NotCached(f"no value {address}")
        return list(self.held[address])

    def contains(self, address: Digest) -> bool:
        return address in self.held

    def evict(self, address: Digest) -> int:
        return len(self.held.pop(address, [""])[0])

    def children(self, address: Digest) -> Collection[Digest]:
        return [digest(repr([child])) for child in self.held.get(address, [])[1:]]

    def entries(self) -> Iterator[Entry]:
        for address, value in list(self.held.items()):
            yield Entry(address, len(value[0]), self.saved[address], self.saved[address])


@dataclass
class CountedCalls:
    """Records of one byte each; `read` counts those that were read. Uses are known to within a minute."""

    clock: Callable[[], float]
    leases: NoLeases = field(default_factory=NoLeases)
    held: dict[Digest, CallRecord] = field(default_factory=dict)
    used: dict[Digest, float] = field(default_factory=dict)
    saved: dict[Digest, float] = field(default_factory=dict)
    read: int = 0
    away: bool = False

    def save(self, record: CallRecord, *, lease: Lease | None = None) -> None:
        del lease
        self._answer()
        self.held[record.key] = record
        self.used[record.key] = self.saved[record.key] = self.clock()

    def load(self, key: Digest) -> CallRecord:
        self._answer()
        self.read += 1
        if key not in self.held:
            raise NotCached(f"no record {key}")
        return self.held[key]

    def load_many(self, keys: Iterable[Digest]) -> dict[Digest, CallRecord]:
        self._answer()
        found = {key: self.held[key] for key in keys if key in self.held}
        self.read += len(found)
        return found

    def contains(self, key: Digest) -> bool:
        self._answer()
        return key in self.held

    def evict(self, key: Digest) -> int:
        self._answer()
        return 1 if self.held.pop(key, None) else 0

    def find(self, template: Template) -> Iterator[CallRecord]:
        self._answer()
        found = [record for record in self.held.values() if template.name in (None, record.name)]
        yield from sorted(found, key=lambda record: -record.created)

    def touch(self, keys: Collection[Digest]) -> None:
        now = self.clock()
        self.used.update({key: now for key in keys if now - self.used[key] > 60})

    def entries(self) -> Iterator[Entry]:
        self._answer()
        for key in list(self.held):
            yield Entry(key, 1, self.saved[key], self.used[key])

    def starting_with(self, prefix: str) -> list[Digest]:
        self._answer()
        return sorted(key for key in self.held if key.startswith(prefix))[:16]

    def _answer(self) -> None:
        if self.away:
            raise CacheUnavailable("It does not answer.")


@dataclass
class Bench:
    """Makes caches over counted storages, and calls in them, by a clock that goes on a second a look."""

    ticks: Iterator[float] = field(default_factory=lambda: itertools.count(1_000_000.0))
    now: float = 1_000_000.0

    def clock(self) -> float:
        self.now = next(self.ticks)
        return self.now

    def wait(self, seconds: float) -> None:
        self.ticks = itertools.count(self.now + seconds)

    def cache(self) -> Cache:
        return Cache(CountedValues(self.clock), CountedCalls(self.clock))

    def record(self, cache: BaseCache, name: str, *parts: str) -> CallRecord:
        """Keep a call of that name that returned a list of these texts."""
        return cache.prepare(sealed(name)).commit(list(parts or (name,)), result_key=None)

    def names(self, cache: BaseCache) -> set[str]:
        return {cached.record.name for cached in cache.find(Template())}

    def key(self, name: str) -> Digest:
        return digest(name)

    def address(self, *parts: str) -> Digest:
        return digest(repr(list(parts)))


@pytest.fixture
def bench() -> Bench:
    return Bench()
