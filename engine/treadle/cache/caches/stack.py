"""Caches one over the other: a fast one over a slow one, one's own over a colleague's."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from treadle.cache.caches.base import BaseCache, Prepared
from treadle.cache.caches.cached_call import Cached
from treadle.cache.caches.several import Several
from treadle.cache.keys.digest import Digest
from treadle.cache.records import SealedCall
from treadle.cache.storages.ports import Leases
from treadle.errors import CacheError, CacheRefused, CacheUnavailable, SettingsInvalid

_log = logging.getLogger("treadle.cache")


class Stack(Several):
    """Keeps what is new in its first layer, and copies there what a lower one has.

    Args:
        layers: The first takes what is new; the others are asked in order.

    Raises:
        SettingsInvalid: One of them is a stack itself, or there is none.
    """

    def __init__(self, layers: Sequence[BaseCache]) -> None:
        super().__init__(layers)
        if any(isinstance(layer, Stack) for layer in layers):
            raise SettingsInvalid(
                "A stack cannot be a layer of a stack.", remedy="Name the layers of the inner one instead."
            )
        self._copying = _KeyLocks()
        self._told: set[type[CacheError]] = set()

    @property
    def leases(self) -> Leases | None:
        """Those of the first layer, where calls are recorded."""
        return self._caches[0].leases

    def prepare(self, call: SealedCall) -> Prepared:
        """Let the first layer keep it."""
        return self._caches[0].prepare(call)

    def adopt(self, cached: Cached) -> None:
        """Let the first layer keep it."""
        self._caches[0].adopt(cached)

    def evict(self, key: Digest) -> int:
        """Remove a record from every layer; return the bytes freed.

        Raises:
            CacheRefused: A layer that may not be changed still has it; it is gone from the others.
            CacheUnavailable: A layer cannot be written now; it is gone from the others.
        """
        freed = 0
        failures: list[CacheError] = []
        for layer in self._caches:
            try:
                freed += layer.evict(key)
            except CacheUnavailable as error:
                failures.append(error)
            except CacheRefused as error:
                if layer.contains(key):
                    failures.append(error)
        if failures:
            raise failures[0]
        return freed

    def _hit(self, place: int, cached: Cached | None) -> Cached | None:
        if cached is None or place == 0:
            return cached
        first, key = self._caches[0], cached.record.key
        with self._copying.of(key):
            try:
                copied = first.lookup(key)
                if copied is None:
                    first.adopt(cached)
                    copied = first.lookup(key)
            except CacheError as error:
                self._say_once(error)
                return cached
        return copied or cached

    def _say_once(self, error: CacheError) -> None:
        """Tell that nothing is copied up; a first layer that takes nothing is meant so."""
        if not isinstance(error, CacheRefused) and type(error) not in self._told:
            self._told.add(type(error))
            _log.warning("a call of a lower layer is served, but not copied into the first: %s", error)

    def __reduce__(self) -> tuple[type[Stack], tuple[tuple[BaseCache, ...]]]:
        return (Stack, (self._caches,))


class _KeyLocks:
    """A lock for each key that is being worked on."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._locks: dict[Digest, tuple[threading.Lock, int]] = {}

    @contextmanager
    def of(self, key: Digest) -> Iterator[None]:
        """Let one thread at a time do what is done for this key."""
        with self._guard:
            lock, users = self._locks.get(key, (threading.Lock(), 0))
            self._locks[key] = (lock, users + 1)
        try:
            with lock:
                yield
        finally:
            with self._guard:
                lock, users = self._locks.pop(key)
                if users > 1:
                    self._locks[key] = (lock, users - 1)
