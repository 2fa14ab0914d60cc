"""How much a cache keeps, and where."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from treadle.cache.caches.base import BaseCache
from treadle.cache.caches.parts import parts_of
from treadle.cache.care.reading import place_of
from treadle.cache.storages.ports import Entry


@dataclass(frozen=True, slots=True)
class Holding:
    """What a storage keeps.

    Attributes:
        place: Where it is.
        count: Values or records.
        bytes: Of all of them.
        oldest: When the first of them was written, in seconds since 1970 UTC; None if there are none.
        used: When one was last asked for, in the same way.
    """

    place: str
    count: int
    bytes: int
    oldest: float | None
    used: float | None


@dataclass(frozen=True, slots=True)
class PartStatistics:
    """What a plain cache within a cache keeps.

    Attributes:
        name: Where it stands in the cache; see `Part`.
        values: Its values.
        calls: Its records.
        is_changeable: Whether anything may be removed there.
    """

    name: str
    values: Holding
    calls: Holding
    is_changeable: bool


def statistics(cache: BaseCache) -> list[PartStatistics]:
    """Count what a cache keeps; storages are listed, nothing is read.

    Raises:
        CacheUnavailable: A storage cannot be read now.
    """
    return [
        PartStatistics(
            part.name,
            _holding(place_of(part, part.cache.values), part.cache.values.entries()),
            _holding(place_of(part, part.cache.calls), part.cache.calls.entries()),
            part.is_changeable,
        )
        for part in parts_of(cache)
    ]


def _holding(place: str, entries: Iterable[Entry]) -> Holding:
    count = size = 0
    oldest, used = float("inf"), 0.0
    for entry in entries:
        count += 1
        size += entry.size
        oldest, used = min(oldest, entry.saved), max(used, entry.used)
    return Holding(place, count, size, oldest if count else None, used if count else None)
