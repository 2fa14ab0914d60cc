"""All records of a storage, and where storages are."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import TypeVar

from treadle.cache.caches.parts import Part
from treadle.cache.caches.ssh import Ssh
from treadle.cache.config.rows import without_password
from treadle.cache.records import CallRecord
from treadle.cache.storages.ports import CallStorage, Configured, Entry, ValueStorage

Progress = Callable[[int, int], None]
"""Is told how much is done, and of how much."""

_AT_ONCE = 500
T = TypeVar("T")


def silent(done: int, total: int) -> None:
    """Tell nobody."""
    del done, total


def read_records(
    calls: CallStorage, entries: Iterable[Entry], progress: Progress = silent
) -> Iterator[tuple[Entry, CallRecord | None]]:
    """Yield records with what their storage says of them; None where one cannot be read.

    A damaged one is put aside and gone after that; one that a newer Treadle wrote stays.
    """
    listed = list(entries)
    done = 0
    for batch in batches(listed):
        found = calls.load_many([entry.digest for entry in batch])
        yield from ((entry, found.get(entry.digest)) for entry in batch)
        done += len(batch)
        progress(done, len(listed))


def batches(items: Iterable[T], size: int = _AT_ONCE) -> Iterator[list[T]]:
    """Yield items in lists of at most so many."""
    left = iter(items)
    while batch := list(islice(left, size)):
        yield batch


def is_elsewhere(part: Part) -> bool:
    """Whether a part is on another machine, where it is looked after."""
    return isinstance(part.cache, Ssh)


def place_of(part: Part, storage: ValueStorage | CallStorage) -> str:
    """Return where a storage of a part is, for people: its folder, URL or host, else its type."""
    if isinstance(part.cache, Ssh):
        return str(part.cache.to_config()["host"])
    table = storage.to_config() if isinstance(storage, Configured) else {}
    place = table.get("root") or table.get("url") or table.get("type") or type(storage).__name__
    return without_password(str(place))
