"""What layers over one other cache have in common: they pass on what they do not change."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import NoReturn

from treadle.cache.caches.base import BaseCache, Prepared
from treadle.cache.caches.cached_call import Cached
from treadle.cache.keys.digest import Digest
from treadle.cache.records import SealedCall
from treadle.cache.storages.ports import Leases, Template
from treadle.errors import CacheRefused


class Over(BaseCache):
    """A layer over one cache that does nothing yet.

    Attributes:
        inner: The cache below.
    """

    def __init__(self, inner: BaseCache) -> None:
        self.inner = inner

    @property
    def layers(self) -> tuple[BaseCache, ...]:
        """The cache below."""
        return (self.inner,)

    @property
    def leases(self) -> Leases | None:
        """Those of the cache below."""
        return self.inner.leases

    def lookup(self, key: Digest) -> Cached | None:
        """Ask the cache below."""
        return self.inner.lookup(key)

    def lookup_call(self, call: SealedCall) -> Cached | None:
        """Ask the cache below."""
        return self.inner.lookup_call(call)

    def lookup_many(self, keys: Collection[Digest]) -> dict[Digest, Cached]:
        """Ask the cache below."""
        return self.inner.lookup_many(keys)

    def contains(self, key: Digest) -> bool:
        """Ask the cache below."""
        return self.inner.contains(key)

    def prepare(self, call: SealedCall) -> Prepared:
        """Let the cache below keep it."""
        return self.inner.prepare(call)

    def adopt(self, cached: Cached) -> None:
        """Let the cache below keep it."""
        self.inner.adopt(cached)

    def load_value(self, digest: Digest) -> object:
        """Ask the cache below."""
        return self.inner.load_value(digest)

    def evict(self, key: Digest) -> int:
        """Let the cache below remove it."""
        return self.inner.evict(key)

    def find(self, template: Template) -> Iterator[Cached]:
        """Ask the cache below."""
        return self.inner.find(template)

    def starting_with(self, prefix: str) -> list[Digest]:
        """Ask the cache below."""
        return self.inner.starting_with(prefix)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.inner!r})"


class Refusing(BaseCache):
    """A cache that takes no records and gives none up."""

    @property
    def leases(self) -> Leases | None:
        """None: what is not recorded is not worth waiting for."""
        return None

    def prepare(self, call: SealedCall) -> NoReturn:
        """Refuse."""
        raise CacheRefused(f"The call of {call.name} is not recorded: {self._refusal()}.")

    def adopt(self, cached: Cached) -> NoReturn:
        """Refuse."""
        raise CacheRefused(f"The call of {cached.record.name} is not recorded: {self._refusal()}.")

    def evict(self, key: Digest) -> NoReturn:
        """Refuse."""
        raise CacheRefused(f"The call {key[:12]} is not removed: {self._refusal()}.")

    def _refusal(self) -> str:
        return "the cache can only be read"
