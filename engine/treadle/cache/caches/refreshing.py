"""A cache in which every call misses, so that everything is computed and recorded anew."""

from __future__ import annotations

from collections.abc import Collection

from treadle.cache.caches.cached_call import Cached
from treadle.cache.caches.over import Over
from treadle.cache.keys.digest import Digest
from treadle.cache.records import SealedCall
from treadle.cache.storages.ports import Leases


class Refreshing(Over):
    """Finds no call, and lets the cache below keep those that are made."""

    @property
    def leases(self) -> Leases | None:
        """None: whoever waited would compute it anyway."""
        return None

    def lookup(self, key: Digest) -> None:
        """Miss."""
        del key

    def lookup_call(self, call: SealedCall) -> None:
        """Miss."""
        del call

    def lookup_many(self, keys: Collection[Digest]) -> dict[Digest, Cached]:
        """Miss."""
        del keys
        return {}

    def contains(self, key: Digest) -> bool:
        """Miss."""
        del key
        return False
