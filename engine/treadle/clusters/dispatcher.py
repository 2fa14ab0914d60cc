"""Between futures of the standard library and tasks of Dask."""

from __future__ import annotations

import asyncio
import itertools
import logging
import threading
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, TypeVar

import dask
from distributed import Client, KilledWorker
from distributed import Future as DaskFuture

from treadle.clusters.delivery import apart, perform, unpacked
from treadle.clusters.roster import Member, Roster
from treadle.errors import ClusterError, WorkerLost

logger = logging.getLogger(__name__)

P = TypeVar("P")
R = TypeVar("R")

SUBMISSION_CONFIGURATION: dict[str, object] = {
    "distributed.admin.large-graph-warning-threshold": "1TiB",
    "distributed.diagnostics.computations.nframes": 0,
}


@dataclass(frozen=True, slots=True)
class Order:
    """A call that somebody waits for."""

    future: Future[Any]
    function: Callable[[Any], Any]
    payload: Any
    seconds: float


@dataclass(frozen=True, slots=True)
class Flight:
    """An order that Dask has."""

    order: Order
    task: DaskFuture[None]
    watch: asyncio.Task[None]


class Dispatcher:
    """The orders of one pool: each is kept back until a worker has a free slot, then bound to that worker.

    Dask thus has none that does not run. A pending order can be cancelled for certain, a dying worker takes
    with it only what it ran, and nothing is begun on a worker that ends too soon.

    Args:
        client: Connected client, in asynchronous mode.
        slots: Orders that run at once, at most.
        bury: Returns when the worker of that name and all its processes are gone, and how they went.
        tokens: Numbers that no other order of the client's scheduler has.
        wanting: Called, in the loop, when more or fewer units are expected, or an order finds no worker.
    """

    def __init__(
        self,
        client: Client,
        slots: int,
        bury: Callable[[str], Awaitable[WorkerLost]],
        *,
        tokens: Iterator[int] | None = None,
        wanting: Callable[[], None] = lambda: None,
    ) -> None:
        self._client = client
        self._slots = slots
        self._bury = bury
        self._wanting = wanting
        self._expectations: dict[str, int] = {}
        self._loop = asyncio.get_running_loop()
        self._tokens = tokens or itertools.count()
        self._lock = threading.Lock()
        self._pending: deque[Order] = deque()
        self._roster = Roster()
        self._flights: dict[int, Flight] = {}
        self._background: set[asyncio.Task[None]] = set()
        self._closed: ClusterError | None = None

    @property
    def slots(self) -> int:
        """See `Pool`."""
        return self._slots

    @property
    def members(self) -> list[Member]:
        """The workers there are; to be read in the loop."""
        return self._roster.members

    @property
    def demand(self) -> int:
        """Units that are still to come, as far as somebody said so; at least the orders there are."""
        with self._lock:
            return max(sum(self._expectations.values()), len(self._pending) + len(self._flights))

    @property
    def longest_wait(self) -> float:
        """Seconds that the order at the head of the queue takes; 0 if none waits."""
        with self._lock:
            return self._pending[0].seconds if self._pending else 0.0

    def submit(self, function: Callable[[P], R], payload: P, *, seconds: float = 0.0) -> Future[R]:
        """See `Pool`."""
        future: Future[R] = Future()
        with self._lock:
            if self._closed is not None:
                raise self._closed
            self._pending.append(Order(future, function, payload, seconds))
            self._loop.call_soon_threadsafe(self._fill)
        return future

    def broadcast(self, function: Callable[[P], object], payload: P) -> None:
        """See `Pool`."""
        with self._lock:
            if self._closed is not None:
                raise self._closed
            self._loop.call_soon_threadsafe(self._start_broadcast, function, payload)

    def expect(self, who: str, units: int) -> None:
        """See `Pool`."""
        with self._lock:
            if self._closed is None:
                self._loop.call_soon_threadsafe(self._note_expectation, who, units)

    def _note_expectation(self, who: str, units: int) -> None:
        if self._expectations.get(who) != units:
            self._expectations[who] = units
            self._wanting()

    def _start_broadcast(self, function: Callable[[P], object], payload: P) -> None:
        self._in_background(self._broadcast(function, payload))

    def _in_background(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    async def _broadcast(self, function: Callable[[P], object], payload: P) -> None:
        try:
            workers = [member.address for member in self._roster.members]
            await self._client.run(apart, function, payload, workers=workers, on_error="ignore")
        except Exception as error:  # noqa: BLE001 - a worker that dies meanwhile, or what cannot be pickled
            logger.warning("broadcast_failed function=%s error=%r", function, error)

    def welcome(self, member: Member) -> None:
        """Let a worker that has registered take orders."""
        self._roster.add(member)
        self._fill()

    def retire(self, name: str) -> None:
        """Give a worker no more orders; it may end those it has."""
        member = self._roster.get(name)
        if member is not None:
            member.retiring = True

    def lose(self, name: str) -> None:
        """Strike out a worker that has left; what it ran is lost once the worker is known to be gone."""
        tokens = self._roster.remove(name) & self._flights.keys()
        if tokens:
            flights = {token: self._flights[token] for token in tokens}
            for flight in flights.values():
                flight.watch.cancel()
            self._in_background(self._mourn(name, flights))

    async def _mourn(self, name: str, flights: dict[int, Flight]) -> None:
        error = await self._bury(name)
        error.worker = name
        for token, flight in flights.items():
            if self._flights.pop(token, None) is not None:
                flight.task.release()
                flight.order.future.set_exception(error)
        self._fill()

    def deliver(self, worker: str, token: int, outcome: bytes) -> None:  # noqa: ARG002 - Dask names it
        """Take a result from a worker's stream."""
        flight = self._end(token)
        if flight is None:
            return
        returned, value = unpacked(outcome)
        if returned:
            flight.order.future.set_result(value)
        else:
            flight.order.future.set_exception(value)
        self._fill()

    def close(self, error: ClusterError) -> None:
        """Refuse new orders with this error and cancel those pending; those in flight may still end."""
        with self._lock:
            self._closed = error
            pending, self._pending = self._pending, deque()
        for order in pending:
            order.future.cancel()
            order.future.set_running_or_notify_cancel()

    def fail(self, error: ClusterError) -> None:
        """Refuse new orders with this error, and end all others with it."""
        with self._lock:
            self._closed = error
            orders, self._pending = self._pending, deque()
        for order in orders:
            if order.future.set_running_or_notify_cancel():
                order.future.set_exception(error)
        self.abandon(error)

    def abandon(self, error: Exception) -> None:
        """End all orders in flight with this error."""
        flights, self._flights = self._flights, {}
        for flight in flights.values():
            flight.watch.cancel()
            flight.task.release()
            flight.order.future.set_exception(error)

    def _fill(self) -> None:
        """Begin orders in their turn as long as the first of them finds a worker."""
        while True:
            with self._lock:
                while self._pending and self._pending[0].future.cancelled():
                    self._pending.popleft().future.set_running_or_notify_cancel()
                if not self._pending:
                    return
                token = next(self._tokens)
                member = self._roster.seat(token, self._pending[0].seconds, time.time())
                if member is None:
                    self._wanting()
                    return
                order = self._pending.popleft()
            if order.future.set_running_or_notify_cancel():
                self._launch(token, order, member)
            else:
                self._roster.leave(token)

    def _launch(self, token: int, order: Order, member: Member) -> None:
        try:
            task = self._to_dask(token, order, member)
        except Exception as error:  # noqa: BLE001 - pickling runs code of the order's own
            self._roster.leave(token)
            order.future.set_exception(error)
            return
        self._flights[token] = Flight(order, task, self._loop.create_task(self._watch(token, task)))

    def _to_dask(self, token: int, order: Order, member: Member) -> DaskFuture[None]:
        with dask.config.set(SUBMISSION_CONFIGURATION):
            return self._client.submit(
                perform,
                token,
                order.function,
                order.payload,
                key=("treadle-batch", token),
                pure=False,
                retries=0,
                workers=[member.address],
            )

    async def _watch(self, token: int, task: DaskFuture[None]) -> None:
        """Wait for an end without a result: a delivery, or the loss of the worker, ends this watch."""
        error = await task.exception()
        if isinstance(error, KilledWorker):
            return
        flight = self._end(token)
        if flight is not None:
            lost = WorkerLost("The cluster's scheduler gave up a batch while it ran.")
            flight.order.future.set_exception(error or lost)
            self._fill()

    def _end(self, token: int) -> Flight | None:
        flight = self._flights.pop(token, None)
        if flight is not None:
            flight.watch.cancel()
            flight.task.release()
            self._roster.leave(token)
        return flight
