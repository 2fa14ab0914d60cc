"""Single flight: of equal calls at the same time one runs, and the others take what it kept.

Threads and coroutines of a process wake each other. Processes and machines look again and again, less and
less often, whether the record is there or the lease has become free. A call never waits for one that waits
for it, and where leases cannot be had it just runs.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Awaitable, Callable, Collection, Generator, Iterator
from contextlib import closing, contextmanager, suppress
from contextvars import ContextVar
from typing import TypeAlias, TypeVar

from treadle.cache.keys.digest import Digest
from treadle.cache.leases import troubles
from treadle.cache.leases.heartbeat import heartbeat
from treadle.cache.storages.ports import Lease, Leases
from treadle.errors import CacheError

LEASE_SECONDS = 30.0
"""By how much a holder that was killed delays the others at most."""

SHORTEST_PAUSE_SECONDS = 0.002
LONGEST_PAUSE_SECONDS = 0.5
_PAUSE_SHARE = 0.2
"""Part of the time already waited that passes before the next look."""

T = TypeVar("T")


def run_once(
    key: Digest,
    leases: Leases | None,
    lookup: Callable[[], T | None],
    compute: Callable[[Lease | None], T],
    *,
    lease_seconds: float = LEASE_SECONDS,
    keeping: Collection[Digest] = (),
) -> T:
    """Make a call unless an equal one is under way; then wait for it and return what it kept.

    If the other keeps nothing, because it failed or its result cannot be kept, the call is made after all.
    Whatever `lookup` and `compute` raise is raised, except for errors of the cache in `lookup`.

    Args:
        key: The call's key; nothing was found under it just now.
        leases: The leases of those who share the cache; None where calls do not wait for each other.
        lookup: Returns what is kept of the call, or None.
        compute: Makes the call and keeps its record under the lease, if it is given one.
        lease_seconds: How long a lease lasts unless it is renewed; a living holder renews it.
        keeping: Values that the call needs, which garbage collection must leave.
    """
    if leases is None:
        return compute(None)
    flight = _Flight(key, leases, lease_seconds, keeping)
    try:
        with closing(flight.take_turn(lookup)) as steps:
            found = _wait_blocking(steps)
        if found is not None:
            return found
        with flight.running():
            return compute(flight.lease)
    finally:
        flight.end()


async def run_once_async(
    key: Digest,
    leases: Leases | None,
    lookup: Callable[[], T | None],
    compute: Callable[[Lease | None], Awaitable[T]],
    *,
    lease_seconds: float = LEASE_SECONDS,
    keeping: Collection[Digest] = (),
) -> T:
    """Do as `run_once` for a coroutine; others of its event loop go on while it waits."""
    if leases is None:
        return await compute(None)
    flight = _Flight(key, leases, lease_seconds, keeping)
    try:
        with closing(flight.take_turn(lookup)) as steps:
            found = await _wait_async(steps)
        if found is not None:
            return found
        with flight.running():
            return await compute(flight.lease)
    finally:
        flight.end()


class _Flight:
    """A call that is made, or about to be.

    Attributes:
        lease: The lease that it runs under; None where none is to be had.
        needs: Flights that it waits for, or that run within it.
        wakers: What tells those that wait for its end.
    """

    __slots__ = (
        "_keeping",
        "_key",
        "_leases",
        "_outer",
        "_place",
        "_seconds",
        "is_over",
        "lease",
        "needs",
        "wakers",
    )

    def __init__(self, key: Digest, leases: Leases, seconds: float, keeping: Collection[Digest]) -> None:
        self._key = key
        self._leases = leases
        self._seconds = seconds
        self._keeping = keeping
        self._place = (id(leases), key)
        self._outer = _within.get()
        self.lease: Lease | None = None
        self.needs: list[_Flight] = []
        self.wakers: list[Callable[[], None]] = []
        self.is_over = False

    def take_turn(self, lookup: Callable[[], T | None]) -> Generator[_Wait, None, T | None]:
        """Yield what to wait for until the call is kept, which is returned, or this flight may run it."""
        if any(flight._place == self._place and not flight.is_over for flight in self._outer):
            return None  # also in a fork of its body, which knows of no other flights
        while True:
            with _process.lock:
                other = _process.flights.setdefault(self._place, self)
                if other is self:
                    self._note(self)
                    break
                if self._is_needed_by(other):
                    return None
                self._note(other)
            try:
                yield other
            finally:
                with _process.lock:
                    self._note_end(other)
            found = self._look(lookup)
            if found is not None:
                return found
        return (yield from self._take_lease(lookup))

    @contextmanager
    def running(self) -> Iterator[None]:
        """While the body runs, calls within it know whom they must not wait for."""
        if self.lease is not None:
            heartbeat.start(self.lease, self._leases, self._seconds)
        token = _within.set((*self._outer, self))
        try:
            yield
        finally:
            _within.reset(token)

    def end(self) -> None:
        """Let the others go on; never raises an error of the cache."""
        if self.lease is not None:
            heartbeat.stop(self.lease)
            try:
                self._leases.release(self.lease)
            except CacheError as error:
                troubles.note(self._leases, error)
        with _process.lock:
            self.is_over = True
            if _process.flights.get(self._place) is self:
                del _process.flights[self._place]
                self._note_end(self)
            wakers, self.wakers = self.wakers, []
        for wake in wakers:
            wake()

    def _take_lease(self, lookup: Callable[[], T | None]) -> Generator[_Wait, None, T | None]:
        began = time.monotonic()
        while True:
            try:
                self.lease = self._leases.acquire(self._key, seconds=self._seconds, keeping=self._keeping)
            except CacheError as error:
                troubles.note(self._leases, error)
                return None
            if self.lease is not None:
                return self._look(lookup)
            waited = time.monotonic() - began
            yield min(max(waited * _PAUSE_SHARE, SHORTEST_PAUSE_SECONDS), LONGEST_PAUSE_SECONDS)
            found = self._look(lookup)
            if found is not None:
                return found

    def _look(self, lookup: Callable[[], T | None]) -> T | None:
        try:
            return lookup()
        except CacheError as error:
            troubles.note(self._leases, error)
            return None

    def _is_needed_by(self, other: _Flight) -> bool:
        """Whether the other could not end before this one does."""
        mine = [flight for flight in self._outer if not flight.is_over]
        seen: list[_Flight] = []
        ahead = [other] if mine else []
        while ahead:
            flight = ahead.pop()
            if flight in mine:
                return True
            if flight not in seen:
                seen.append(flight)
                ahead += flight.needs
        return False

    def _note(self, needed: _Flight) -> None:
        if self._outer:
            self._outer[-1].needs.append(needed)

    def _note_end(self, needed: _Flight) -> None:
        if self._outer:
            self._outer[-1].needs.remove(needed)


_Wait: TypeAlias = float | _Flight
"""Seconds, or the end of a flight."""

_within: ContextVar[tuple[_Flight, ...]] = ContextVar("treadle_flights", default=())


class _Process:
    """The flights of this process."""

    def __init__(self) -> None:
        self.flights: dict[tuple[int, Digest], _Flight] = {}
        self.lock = threading.Lock()


_process = _Process()


def _after_fork() -> None:
    global _process  # noqa: PLW0603  (the parent's flights end in the parent)
    _process = _Process()


os.register_at_fork(after_in_child=_after_fork)


def _wait_blocking(steps: Generator[_Wait, None, T | None]) -> T | None:
    while True:
        try:
            wait = next(steps)
        except StopIteration as end:
            found: T | None = end.value
            return found
        if isinstance(wait, float):
            time.sleep(wait)
            continue
        gate = threading.Lock()
        gate.acquire()
        if _wakes_me(wait, gate.release):
            gate.acquire()


async def _wait_async(steps: Generator[_Wait, None, T | None]) -> T | None:
    import asyncio

    loop = asyncio.get_running_loop()
    while True:
        try:
            wait = next(steps)
        except StopIteration as end:
            found: T | None = end.value
            return found
        if isinstance(wait, float):
            await asyncio.sleep(wait)
            continue
        woken = asyncio.Event()

        def wake(woken: asyncio.Event = woken) -> None:
            with suppress(RuntimeError):  # its event loop was closed meanwhile: nobody waits
                loop.call_soon_threadsafe(woken.set)

        if _wakes_me(wait, wake):
            await woken.wait()


def _wakes_me(flight: _Flight, wake: Callable[[], None]) -> bool:
    """Ask a flight to tell of its end, unless it is over."""
    with _process.lock:
        if flight.is_over:
            return False
        flight.wakers.append(wake)
        return True
