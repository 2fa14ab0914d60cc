"""A cache of which only some calls are seen."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator

from treadle.cache.caches.base import BaseCache
from treadle.cache.caches.cached_call import Cached
from treadle.cache.caches.over import Over, Refusing
from treadle.cache.keys.digest import Digest
from treadle.cache.records import SealedCall
from treadle.cache.storages.ports import Template


class Filtered(Refusing, Over):
    """Serves those calls of the cache below that a predicate is true of; takes no records.

    Args:
        inner: The cache below.
        predicate: Whether a call is seen.
    """

    def __init__(self, inner: BaseCache, predicate: Callable[[Cached], bool]) -> None:
        super().__init__(inner)
        self.predicate = predicate

    def lookup(self, key: Digest) -> Cached | None:
        """Ask the cache below; what is filtered out is a miss."""
        return self._seen(self.inner.lookup(key))

    def lookup_call(self, call: SealedCall) -> Cached | None:
        """Ask the cache below; what is filtered out is a miss."""
        return self._seen(self.inner.lookup_call(call))

    def lookup_many(self, keys: Collection[Digest]) -> dict[Digest, Cached]:
        """Ask the cache below; what is filtered out is a miss."""
        found = self.inner.lookup_many(keys)
        return {key: cached for key, cached in found.items() if self.predicate(cached)}

    def contains(self, key: Digest) -> bool:
        """Whether something is kept of a call and not filtered out."""
        return self.lookup(key) is not None

    def find(self, template: Template) -> Iterator[Cached]:
        """Yield what is not filtered out."""
        return (cached for cached in self.inner.find(template) if self.predicate(cached))

    def starting_with(self, prefix: str) -> list[Digest]:
        """Return those keys whose calls are not filtered out."""
        return [key for key in self.inner.starting_with(prefix) if self.contains(key)]

    def _seen(self, found: Cached | None) -> Cached | None:
        return found if found is not None and self.predicate(found) else None

    def _refusal(self) -> str:
        return "the cache is seen through a filter"
