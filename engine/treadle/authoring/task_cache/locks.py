"""Prefect's locks on task runs as leases: a holder that dies delays the others by a lease at most."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass

from treadle.authoring.task_cache.calls import digest_for, open_cache
from treadle.cache.leases.heartbeat import heartbeat
from treadle.cache.storages.ports import Lease, Leases
from treadle.errors import CacheError

LEASE_SECONDS = 30.0
SHORTEST_PAUSE_SECONDS = 0.005
LONGEST_PAUSE_SECONDS = 0.5


@dataclass(slots=True)
class _Held:
    """A lock that this process has; no lease where the cache has none, or could not be asked."""

    holder: str
    lease: Lease | None
    leases: Leases | None


class _Process:
    """The locks of this process, whatever object they were taken by: Prefect copies those."""

    lock = threading.Lock()
    held: dict[tuple[str | None, str], _Held] = {}  # noqa: RUF012 - one for the process is meant


os.register_at_fork(after_in_child=_Process.held.clear)


@dataclass(frozen=True)
class LeaseLocks:
    """Locks by key, in the call cache; what `prefect.locking.protocol.LockManager` asks for.

    Attributes:
        cache_name: Name of the cache; the one in use if None.
    """

    cache_name: str | None = None

    def acquire_lock(
        self,
        key: str,
        holder: str,
        acquire_timeout: float | None = None,
        hold_timeout: float | None = None,
    ) -> bool:
        """Take a lock, or wait for it; whether that came in time. It is held until it is released."""
        del hold_timeout  # it lasts as long as its holder lives
        for pause in _pauses(acquire_timeout):
            if self._try(key, holder):
                return True
            time.sleep(pause)
        return self._try(key, holder)

    async def aacquire_lock(
        self,
        key: str,
        holder: str,
        acquire_timeout: float | None = None,
        hold_timeout: float | None = None,
    ) -> bool:
        """Do as `acquire_lock`; others of the event loop go on meanwhile."""
        del hold_timeout
        for pause in _pauses(acquire_timeout):
            if await asyncio.to_thread(self._try, key, holder):
                return True
            await asyncio.sleep(pause)
        return await asyncio.to_thread(self._try, key, holder)

    def release_lock(self, key: str, holder: str) -> None:
        """Give a lock back.

        Raises:
            ValueError: Somebody else has it.
        """
        place = (self.cache_name, key)
        with _Process.lock:
            held = _Process.held.get(place)
            if held is None or held.holder != holder:
                raise ValueError(f"No lock held by {holder} for transaction with key {key}")
            del _Process.held[place]
        _give_back(held)

    def is_locked(self, key: str) -> bool:
        """Whether anybody has a lock."""
        with _Process.lock:
            if (self.cache_name, key) in _Process.held:
                return True
        lease, leases = self._lease(key)
        if lease is not None:
            _give_back(_Held("", lease, leases))
        return lease is None and leases is not None

    def is_lock_holder(self, key: str, holder: str) -> bool:
        """Whether somebody has a lock."""
        with _Process.lock:
            held = _Process.held.get((self.cache_name, key))
        return held is not None and held.holder == holder

    def wait_for_lock(self, key: str, timeout: float | None = None) -> bool:
        """Wait until nobody has a lock; whether that came in time."""
        for pause in _pauses(timeout):
            if not self.is_locked(key):
                return True
            time.sleep(pause)
        return not self.is_locked(key)

    async def await_for_lock(
        self,
        key: str,
        timeout: float | None = None,  # noqa: ASYNC109 - the protocol's own
    ) -> bool:
        """Do as `wait_for_lock`; others of the event loop go on meanwhile."""
        for pause in _pauses(timeout):
            if not await asyncio.to_thread(self.is_locked, key):
                return True
            await asyncio.sleep(pause)
        return not await asyncio.to_thread(self.is_locked, key)

    def _try(self, key: str, holder: str) -> bool:
        place = (self.cache_name, key)
        with _Process.lock:
            held = _Process.held.get(place)
            if held is not None:
                return held.holder == holder
            lease, leases = self._lease(key)
            if lease is None and leases is not None:
                return False
            _Process.held[place] = _Held(holder, lease, leases)
        if lease is not None and leases is not None:
            heartbeat.start(lease, leases, LEASE_SECONDS)
        return True

    def _lease(self, key: str) -> tuple[Lease | None, Leases | None]:
        """Take the lease of a lock; without leases to ask, one of this process has to do."""
        try:
            leases = open_cache(self.cache_name).leases
            if leases is None:
                return None, None
            return leases.acquire(digest_for("lock", key), seconds=LEASE_SECONDS), leases
        except CacheError:
            return None, None


def _give_back(held: _Held) -> None:
    if held.lease is None or held.leases is None:
        return
    heartbeat.stop(held.lease)
    try:
        held.leases.release(held.lease)
    except CacheError:
        return  # it ends by itself


def _pauses(timeout: float | None) -> Iterator[float]:
    """Yield how long to wait before each next look, longer and longer, until the time is over."""
    pause = SHORTEST_PAUSE_SECONDS
    deadline = None if timeout is None else time.monotonic() + timeout
    while deadline is None or time.monotonic() < deadline:
        left = pause if deadline is None else deadline - time.monotonic()
        yield max(0.0, min(pause, left))
        pause = min(2 * pause, LONGEST_PAUSE_SECONDS)
