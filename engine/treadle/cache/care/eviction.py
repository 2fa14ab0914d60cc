"""Removing calls by what they are, how old they are, and how long nobody asked for them."""

from __future__ import annotations

from dataclasses import dataclass, replace

from treadle.cache.caches.base import BaseCache
from treadle.cache.caches.parts import Part, parts_of
from treadle.cache.caches.references import References, values_of
from treadle.cache.care.reading import Progress, is_elsewhere, place_of, read_records, silent
from treadle.cache.keys.digest import Digest
from treadle.cache.records import CallRecord
from treadle.cache.storages.ports import Entry
from treadle.errors import UsageError


@dataclass(frozen=True, slots=True)
class Condition:
    """Which calls are meant; all of what is given has to hold.

    Attributes:
        function: Qualified name of the function, alone or after its module and a dot.
        key: The key of one call, or at least 4 characters that no other key begins with.
        recorded_before: Time of recording, in seconds since 1970 UTC.
        unused_since: Time of the last use, in the same way.
        down_to: Only so many of them, the least recently used first, that a cache then takes no more bytes.
    """

    function: str | None = None
    key: str | None = None
    recorded_before: float | None = None
    unused_since: float | None = None
    down_to: int | None = None

    @property
    def is_empty(self) -> bool:
        """Whether it would mean every call."""
        parts = (self.function, self.key, self.recorded_before, self.unused_since, self.down_to)
        return all(part is None for part in parts)

    def holds(self, entry: Entry, record: CallRecord) -> bool:
        """Whether a call is meant, sizes apart."""
        return (
            (self.function is None or self.function in (record.name, f"{record.module}.{record.name}"))
            and (self.key is None or record.key.startswith(self.key.lower()))
            and (self.recorded_before is None or record.created < self.recorded_before)
            and (self.unused_since is None or entry.used < self.unused_since)
        )


@dataclass(frozen=True, slots=True)
class Evicted:
    """What was removed of one cache, or would be.

    Attributes:
        place: Where its records are.
        calls: How many went.
        values: How many went that no other call needs.
        bytes: What all of them took.
    """

    place: str
    calls: int
    values: int
    bytes: int


def evict_calls(
    cache: BaseCache, condition: Condition, *, dry_run: bool = False, progress: Progress = silent
) -> list[Evicted]:
    """Remove calls, and the values that no other call needs.

    Layers that can only be read, and caches on other machines, are left alone.

    Args:
        cache: The cache.
        condition: Which calls.
        dry_run: Remove nothing.
        progress: Is told how many records have been read, then how many calls are removed.

    Raises:
        UsageError: The condition is empty.
        NotCached: No call has that key.
        AmbiguousKey: Several keys begin like that, or it is too short.
        CacheUnavailable: A storage cannot be read or written now.
    """
    if condition.is_empty:
        raise UsageError(
            "Nothing says which calls are to go.", remedy="Name a function, a key, an age or a size."
        )
    if condition.key is not None:
        condition = replace(condition, key=cache.expand(condition.key))
    return [
        _evict(part, condition, dry_run=dry_run, progress=progress)
        for part in parts_of(cache)
        if part.is_changeable and not is_elsewhere(part)
    ]


def _evict(part: Part, condition: Condition, *, dry_run: bool, progress: Progress) -> Evicted:
    calls, values = part.cache.calls, part.cache.values
    sizes = {entry.digest: entry.size for entry in values.entries()}
    references = References(values.children)
    meant: list[tuple[Entry, frozenset[Digest]]] = []
    taken = 0
    for entry, record in read_records(calls, calls.entries(), progress):
        if record is not None:
            new = references.add(values_of(record))
            taken += entry.size + sum(sizes.get(value, 0) for value in new)
            if condition.holds(entry, record):
                meant.append((entry, values_of(record)))
    running = calls.leases.kept()
    gone_calls = gone_values = freed = 0
    for done, (entry, needs) in enumerate(sorted(meant, key=lambda found: found[0].used)):
        progress(done, len(meant))
        if condition.down_to is not None and taken - freed <= condition.down_to:
            break
        unneeded = [value for value in references.remove(needs) if value not in running]
        if not dry_run:
            calls.evict(entry.digest)
            for value in unneeded:
                values.evict(value)
        gone_calls += 1
        gone_values += len(unneeded)
        freed += entry.size + sum(sizes.get(value, 0) for value in unneeded)
    return Evicted(place_of(part, calls), gone_calls, gone_values, freed)
