"""A cache with what fleche recorded in the same places below it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterator

from treadle.cache.caches.base import BaseCache
from treadle.cache.caches.cached_call import Cached
from treadle.cache.caches.over import Over
from treadle.cache.caches.stack import Stack
from treadle.cache.keys.digest import Digest
from treadle.cache.records import SealedCall
from treadle.cache.storages.ports import Template
from treadle.errors import CacheError

_log = logging.getLogger("treadle.cache")


class FlecheBelow(Over):
    """Serves calls that fleche recorded as well, and copies those that are hit.

    Whether there are any is looked at when something is asked for the first time.

    Args:
        inner: The cache, whose own records come first and which takes what is new.
        find_below: Returns fleche's records as a layer, or None where there are none.
        trust: How far they are trusted, as the configuration says it.
    """

    def __init__(
        self, inner: BaseCache, find_below: Callable[[], BaseCache | None], *, trust: str | None = None
    ) -> None:
        super().__init__(inner)
        self.trust = trust
        self._find_below = find_below
        self._asked: BaseCache | None = None

    def lookup(self, key: Digest) -> Cached | None:
        """Ask both."""
        return (self._asked or self._both()).lookup(key)

    def lookup_call(self, call: SealedCall) -> Cached | None:
        """Ask both."""
        return (self._asked or self._both()).lookup_call(call)

    def lookup_many(self, keys: Collection[Digest]) -> dict[Digest, Cached]:
        """Ask both."""
        return self._both().lookup_many(keys)

    def contains(self, key: Digest) -> bool:
        """Ask both."""
        return self._both().contains(key)

    def load_value(self, digest: Digest) -> object:
        """Ask both."""
        return self._both().load_value(digest)

    def find(self, template: Template) -> Iterator[Cached]:
        """Ask both."""
        return self._both().find(template)

    def starting_with(self, prefix: str) -> list[Digest]:
        """Ask both."""
        return self._both().starting_with(prefix)

    def _both(self) -> BaseCache:
        if self._asked is None:
            below = None
            try:
                below = self._find_below()
            except CacheError as error:
                _log.warning("what fleche recorded is not used: %s", error)
            self._asked = self.inner if below is None else Stack([self.inner, below])
        return self._asked
