"""Storages that keep nothing."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

from blake3 import blake3

from treadle.cache.keys.digest import Digest
from treadle.cache.leases import MemoryLeases
from treadle.cache.records import CallRecord
from treadle.cache.storages.encoded import refuse_lost_lease
from treadle.cache.storages.ports import Entry, Lease, Leases, Template
from treadle.errors import NotCached

NOWHERE = Digest(blake3(b"treadle void").hexdigest())
"""Address of everything that is not kept."""


class VoidValues:
    """Takes any value, keeps none."""

    def save(self, value: object) -> Digest:
        """Return the address of what is not kept."""
        del value
        return NOWHERE

    def load(self, digest: Digest) -> object:
        """Raise NotCached."""
        raise NotCached(f"There is no value {digest}: nothing is kept.")

    def contains(self, digest: Digest) -> bool:
        """Return false."""
        del digest
        return False

    def evict(self, digest: Digest) -> int:
        """Return 0."""
        del digest
        return 0

    def children(self, digest: Digest) -> Collection[Digest]:
        """Return none."""
        del digest
        return ()

    def entries(self) -> Iterator[Entry]:
        """Yield none."""
        return iter(())

    def to_config(self) -> dict[str, object]:
        """Return its table in a configuration."""
        return {"type": "void"}


class VoidCalls:
    """Takes any record, keeps none; equal calls of one process still wait for each other."""

    def __init__(self) -> None:
        self._leases = MemoryLeases()

    @property
    def leases(self) -> Leases:
        """Leases of this process."""
        return self._leases

    def save(self, record: CallRecord, *, lease: Lease | None = None) -> None:
        """Keep nothing; raises CacheRefused as every storage does."""
        del record
        if lease is not None:
            refuse_lost_lease(self._leases, lease)

    def load(self, key: Digest) -> CallRecord:
        """Raise NotCached."""
        raise NotCached(f"There is no record of the call {key}: nothing is kept.")

    def load_many(self, keys: Iterable[Digest]) -> dict[Digest, CallRecord]:
        """Return none."""
        del keys
        return {}

    def contains(self, key: Digest) -> bool:
        """Return false."""
        del key
        return False

    def evict(self, key: Digest) -> int:
        """Return 0."""
        del key
        return 0

    def find(self, template: Template) -> Iterator[CallRecord]:
        """Yield none."""
        del template
        return iter(())

    def touch(self, keys: Collection[Digest]) -> None:
        """Do nothing."""

    def entries(self) -> Iterator[Entry]:
        """Yield none."""
        return iter(())

    def starting_with(self, prefix: str) -> list[Digest]:
        """Return none."""
        del prefix
        return []

    def to_config(self) -> dict[str, object]:
        """Return its table in a configuration."""
        return {"type": "void"}
