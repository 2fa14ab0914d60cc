"""Whether everything that a cache keeps is sound."""

from __future__ import annotations

from dataclasses import dataclass

from treadle.cache.caches.base import BaseCache
from treadle.cache.caches.parts import Part, parts_of
from treadle.cache.caches.references import reachable
from treadle.cache.care.reading import Progress, is_elsewhere, place_of, read_records, silent
from treadle.cache.keys.digest import Digest
from treadle.cache.records import Stored
from treadle.cache.storages.ports import Checkable


@dataclass(frozen=True, slots=True)
class Verified:
    """What was found in one plain cache.

    Attributes:
        place: Where its values are.
        calls: Records that are sound.
        values: Values that are sound.
        damaged_calls: Records that were damaged, and put aside.
        damaged_values: Values that were damaged, and put aside.
        without_result: Calls whose result is gone: they are misses, and computed again.
        newer: Records that a newer Treadle wrote; they are left alone.
    """

    place: str
    calls: int
    values: int
    damaged_calls: list[Digest]
    damaged_values: list[Digest]
    without_result: list[Digest]
    newer: int

    @property
    def is_sound(self) -> bool:
        """Whether nothing was damaged or gone."""
        return not (self.damaged_calls or self.damaged_values or self.without_result)


def verify(cache: BaseCache, progress: Progress = silent) -> list[Verified]:
    """Read all records and values, compare them with their digests and signatures, and unpickle none of them.

    What is damaged is put aside, as it is when it is asked for. Caches on other machines are left to them.

    Args:
        cache: The cache.
        progress: Is told how much has been read.

    Raises:
        CacheUnavailable: A storage cannot be read now.
    """
    return [_verify(part, progress) for part in parts_of(cache) if not is_elsewhere(part)]


def _verify(part: Part, progress: Progress) -> Verified:
    calls, storage = part.cache.calls, part.cache.values
    listed, values = list(calls.entries()), list(storage.entries())
    total = len(listed) + len(values)
    damaged_values = []
    for at, entry in enumerate(values, start=1):
        if isinstance(storage, Checkable) and not storage.check(entry.digest):
            damaged_values.append(entry.digest)
        progress(at, total)
    damaged_calls, without_result, newer, sound = [], [], 0, 0
    there = {entry.digest for entry in values} - set(damaged_values)
    for done, (entry, record) in enumerate(read_records(calls, listed), start=1):
        progress(len(values) + done, total)
        if record is not None:
            sound += 1
            result = [record.result.digest] if isinstance(record.result, Stored) else []
            if not reachable(result, storage.children) <= there:
                without_result.append(entry.digest)
        elif calls.contains(entry.digest):
            newer += 1
        else:
            damaged_calls.append(entry.digest)
    return Verified(
        place_of(part, storage),
        sound,
        len(there),
        damaged_calls,
        damaged_values,
        without_result,
        newer,
    )
