"""Garbage collection: values that no record needs any more."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from treadle.cache.caches.base import BaseCache
from treadle.cache.caches.holdings import GRACE_SECONDS
from treadle.cache.caches.parts import Part, parts_of
from treadle.cache.caches.references import reachable, values_of
from treadle.cache.care.reading import Progress, is_elsewhere, place_of, read_records, silent
from treadle.cache.keys.digest import Digest
from treadle.cache.storages.ports import Sweepable
from treadle.errors import CacheRefused


@dataclass(frozen=True, slots=True)
class Collected:
    """What was removed of one storage of values, or would be.

    Attributes:
        place: Where it is.
        values: How many went.
        bytes: What they took, with what processes that died had left half written.
        kept: How many stay.
    """

    place: str
    values: int
    bytes: int
    kept: int


def collect_garbage(
    cache: BaseCache,
    *,
    dry_run: bool = False,
    clock: Callable[[], float] = time.time,
    progress: Progress = silent,
) -> list[Collected]:
    """Remove values that neither a record nor a running call needs, and that are ten minutes old.

    Layers that can only be read, and caches on other machines, are left alone.

    Args:
        cache: The cache.
        dry_run: Remove nothing.
        clock: Seconds since 1970 UTC.
        progress: Is told how many records have been read, then how many values are removed.

    Raises:
        CacheRefused: A record was written by a newer Treadle, so nobody knows here what it needs.
        CacheUnavailable: A storage cannot be read or written now.
    """
    return [
        _collect(part, dry_run=dry_run, latest=clock() - GRACE_SECONDS, progress=progress)
        for part in parts_of(cache)
        if part.is_changeable and not is_elsewhere(part)
    ]


def _collect(part: Part, *, dry_run: bool, latest: float, progress: Progress) -> Collected:
    storage = part.cache.values
    entries = list(storage.entries())
    needed = _needed(part, progress)
    young = {entry.digest for entry in storage.entries() if entry.saved >= latest}
    stay = reachable(needed | young, storage.children)
    garbage = [entry for entry in entries if entry.digest not in stay]
    freed = 0
    for done, entry in enumerate(garbage):
        progress(done, len(garbage))
        freed += entry.size if dry_run else storage.evict(entry.digest)
    if not dry_run:
        both = (storage, part.cache.calls)
        freed += sum(swept.sweep() for swept in both if isinstance(swept, Sweepable))
    return Collected(place_of(part, storage), len(garbage), freed, len(entries) - len(garbage))


def _needed(part: Part, progress: Progress) -> set[Digest]:
    """Values of records and of calls that are running now."""
    calls = part.cache.calls
    needed = calls.leases.kept()
    for entry, record in read_records(calls, calls.entries(), progress):
        if record is not None:
            needed |= values_of(record)
        elif calls.contains(entry.digest):
            raise CacheRefused(
                f"The record of the call {entry.digest} in {place_of(part, calls)} cannot be read here.",
                remedy="It was written by a newer Treadle: collect garbage with that one.",
            )
    return needed | calls.leases.kept()
