"""What caches made of several others have in common: asked in order, a failing one passed over."""

from __future__ import annotations

import heapq
import logging
from collections.abc import Callable, Collection, Iterator, Sequence
from itertools import chain
from typing import TypeVar

from treadle.cache.caches.base import BaseCache
from treadle.cache.caches.cached_call import Cached
from treadle.cache.keys.digest import Digest
from treadle.cache.records import SealedCall
from treadle.cache.storages.ports import Template
from treadle.errors import CacheUnavailable, NotCached, SettingsInvalid

_log = logging.getLogger("treadle.cache")

_PREFIXED = 16
T = TypeVar("T")


class Several(BaseCache):
    """Caches asked one after the other.

    One that cannot be read now is passed over; that is told once, and again after it has answered in between.
    Only where none of them answers is it an error.
    """

    def __init__(self, caches: Sequence[BaseCache]) -> None:
        if not caches:
            raise SettingsInvalid(f"A {type(self).__name__.lower()} of no caches keeps nothing.")
        self._caches = tuple(caches)
        self._away: set[int] = set()

    @property
    def layers(self) -> tuple[BaseCache, ...]:
        """The caches that it is made of."""
        return self._caches

    def lookup(self, key: Digest) -> Cached | None:
        """Return the first that is found."""
        return self._first(lambda cache: cache.lookup(key))

    def lookup_call(self, call: SealedCall) -> Cached | None:
        """Return the first that is found."""
        return self._first(lambda cache: cache.lookup_call(call))

    def lookup_many(self, keys: Collection[Digest]) -> dict[Digest, Cached]:
        """Return the first that is found of each call; every cache is asked once."""
        found: dict[Digest, Cached] = {}

        def missing(cache: BaseCache) -> dict[Digest, Cached]:
            left = [key for key in keys if key not in found]
            return cache.lookup_many(left) if left else {}

        for place, hits in self._ask(missing):
            for key, cached in hits.items():
                served = self._hit(place, cached)
                if served is not None:
                    found[key] = served
        return found

    def contains(self, key: Digest) -> bool:
        """Whether any of them keeps something of a call."""
        return any(there for _, there in self._ask(lambda cache: cache.contains(key)))

    def load_value(self, digest: Digest) -> object:
        """Return a value of the first cache that has it."""

        def load(cache: BaseCache) -> tuple[object, ...]:
            try:
                return (cache.load_value(digest),)
            except NotCached:
                return ()

        for _, loaded in self._ask(load):
            if loaded:
                return loaded[0]
        raise NotCached(f"There is no value {digest}.")

    def find(self, template: Template) -> Iterator[Cached]:
        """Yield what is kept of matching calls, the latest first and each once."""
        seen: set[Digest] = set()
        pages = [page for _, page in self._ask(lambda cache: _begun(cache.find(template)))]
        for cached in heapq.merge(*pages, key=lambda cached: -cached.record.created):
            if cached.record.key not in seen:
                seen.add(cached.record.key)
                former = cached.record.former_key
                if former is not None:
                    seen.add(former)
                yield cached

    def starting_with(self, prefix: str) -> list[Digest]:
        """Return keys of any of them."""
        found = self._ask(lambda cache: cache.starting_with(prefix))
        return sorted(set(chain.from_iterable(keys for _, keys in found)))[:_PREFIXED]

    def _first(self, question: Callable[[BaseCache], Cached | None]) -> Cached | None:
        hits = (self._hit(place, cached) for place, cached in self._ask(question))
        return next((cached for cached in hits if cached is not None), None)

    def _hit(self, place: int, cached: Cached | None) -> Cached | None:
        """What to serve of a hit in the cache of that place."""
        del place
        return cached

    def _ask(self, question: Callable[[BaseCache], T]) -> Iterator[tuple[int, T]]:
        failures = []
        for place, cache in enumerate(self._caches):
            try:
                answer = question(cache)
            except CacheUnavailable as error:
                failures.append(error)
                self._tell(place, error)
                continue
            self._away.discard(place)
            yield place, answer
        if len(failures) == len(self._caches):
            raise failures[0]

    def _tell(self, place: int, error: CacheUnavailable) -> None:
        if place not in self._away:
            self._away.add(place)
            _log.warning("layer %d of %d is passed over: %s", place + 1, len(self._caches), error)

    def __repr__(self) -> str:
        return f"{type(self).__name__}([{', '.join(map(repr, self._caches))}])"


def _begun(records: Iterator[Cached]) -> Iterator[Cached]:
    """Read the first record at once, so that a cache that cannot be read says so here."""
    for first in records:
        return chain([first], records)
    return iter(())
