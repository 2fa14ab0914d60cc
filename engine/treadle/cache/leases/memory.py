"""Leases among the threads of one process."""

from __future__ import annotations

import itertools
import os
import threading
import time
import weakref
from collections.abc import Callable, Collection
from dataclasses import dataclass

from treadle.cache.keys.digest import Digest
from treadle.cache.leases.holder import this_thread
from treadle.cache.storages.ports import Lease

_tokens = itertools.count(1)


@dataclass(frozen=True, slots=True)
class _Held:
    token: int
    until: float
    keeping: frozenset[Digest]


class MemoryLeases:
    """Leases that end with the process; a fork of it starts with none.

    Args:
        clock: Seconds that never go back.
    """

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._held: dict[Digest, _Held] = {}
        self._lock = threading.Lock()
        _everywhere.add(self)

    def acquire(self, key: Digest, *, seconds: float, keeping: Collection[Digest] = ()) -> Lease | None:
        """Take the lease of a call, if it is free; see `Leases`."""
        now = self._clock()
        with self._lock:
            held = self._held.get(key)
            if held is not None and held.until > now:
                return None
            token = next(_tokens)
            self._held[key] = _Held(token, now + seconds, frozenset(keeping))
        return Lease(key, token, this_thread())

    def renew(self, leases: Collection[Lease], *, seconds: float) -> set[Digest]:
        """Make leases last so long from now; see `Leases`."""
        until = self._clock() + seconds
        with self._lock:
            mine = {lease.key for lease in leases if self._is_held(lease)}
            for key in mine:
                held = self._held[key]
                self._held[key] = _Held(held.token, until, held.keeping)
        return mine

    def holds(self, lease: Lease) -> bool:
        """Whether nobody has taken it over."""
        with self._lock:
            return self._is_held(lease)

    def release(self, lease: Lease) -> None:
        """Give it back, if nobody has taken it over."""
        with self._lock:
            if self._is_held(lease):
                del self._held[lease.key]

    def kept(self) -> set[Digest]:
        """Return the values that calls now running need."""
        now = self._clock()
        with self._lock:
            return {digest for held in self._held.values() if held.until > now for digest in held.keeping}

    def _is_held(self, lease: Lease) -> bool:
        held = self._held.get(lease.key)
        return held is not None and held.token == lease.token

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), ()

    def _forget(self) -> None:
        self._lock = threading.Lock()
        self._held.clear()


_everywhere: weakref.WeakSet[MemoryLeases] = weakref.WeakSet()


def _after_fork() -> None:
    for leases in _everywhere:
        leases._forget()


os.register_at_fork(after_in_child=_after_fork)
