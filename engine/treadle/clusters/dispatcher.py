"""Between futures of the standard library and tasks of Dask."""

from __future__ import annotations

import asyncio
import itertools
import logging
import threading
from collections import deque
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, TypeVar

import dask
from distributed import Client, KilledWorker
from distributed import Future as DaskFuture

from treadle.clusters.delivery import apart, perform, unpacked
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


@dataclass(frozen=True, slots=True)
class Flight:
    """An order that Dask has."""

    order: Order
    task: DaskFuture[None]
    watch: asyncio.Task[None]


class Dispatcher:
    """Keeps orders back until a slot is free, so that Dask has none that does not run.

    A pending order can thus be cancelled for certain, and a dying worker takes with it only what it ran.

    Args:
        client: Connected client, in asynchronous mode.
        slots: Orders that run at once.
        bury: Returns when the worker of that name and all its processes are gone.
    """

    def __init__(self, client: Client, slots: int, bury: Callable[[str], Awaitable[None]]) -> None:
        self._client = client
        self._slots = slots
        self._bury = bury
        self._loop = asyncio.get_running_loop()
        self._tokens = itertools.count()
        self._lock = threading.Lock()
        self._pending: deque[Order] = deque()
        self._flights: dict[int, Flight] = {}
        self._broadcasts: set[asyncio.Task[None]] = set()
        self._closed: ClusterError | None = None

    def submit(self, function: Callable[[P], R], payload: P) -> Future[R]:
        """Take an order; from any thread.

        Raises:
            ClusterError: The dispatcher is closed.
        """
        future: Future[R] = Future()
        with self._lock:
            if self._closed is not None:
                raise self._closed
            self._pending.append(Order(future, function, payload))
            self._loop.call_soon_threadsafe(self._fill)
        return future

    def broadcast(self, function: Callable[[P], object], payload: P) -> None:
        """Call a function on every worker, outside its slots; from any thread.

        Raises:
            ClusterError: The dispatcher is closed.
        """
        with self._lock:
            if self._closed is not None:
                raise self._closed
            self._loop.call_soon_threadsafe(self._start_broadcast, function, payload)

    def _start_broadcast(self, function: Callable[[P], object], payload: P) -> None:
        task = self._loop.create_task(self._broadcast(function, payload))
        self._broadcasts.add(task)
        task.add_done_callback(self._broadcasts.discard)

    async def _broadcast(self, function: Callable[[P], object], payload: P) -> None:
        try:
            await self._client.run(apart, function, payload, on_error="ignore")
        except Exception as error:  # noqa: BLE001 - a worker that dies meanwhile, or what cannot be pickled
            logger.warning("broadcast_failed function=%s error=%r", function, error)

    def deliver(self, worker: str, token: int, outcome: bytes) -> None:  # noqa: ARG002 - Dask names it
        """Take a result from a worker's stream."""
        flight = self._flights.pop(token, None)
        if flight is None:
            return
        flight.watch.cancel()
        flight.task.release()
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
        while len(self._flights) < self._slots:
            with self._lock:
                if not self._pending:
                    return
                order = self._pending.popleft()
            if order.future.set_running_or_notify_cancel():
                self._launch(order)

    def _launch(self, order: Order) -> None:
        token = next(self._tokens)
        try:
            task = self._to_dask(token, order)
        except Exception as error:  # noqa: BLE001 - pickling runs code of the order's own
            order.future.set_exception(error)
            return
        self._flights[token] = Flight(order, task, self._loop.create_task(self._watch(token, task)))

    def _to_dask(self, token: int, order: Order) -> DaskFuture[None]:
        with dask.config.set(SUBMISSION_CONFIGURATION):
            return self._client.submit(
                perform,
                token,
                order.function,
                order.payload,
                key=("treadle-batch", token),
                pure=False,
                retries=0,
            )

    async def _watch(self, token: int, task: DaskFuture[None]) -> None:
        """Wait for an end without a result: a delivery ends this watch."""
        error = await task.exception()
        if isinstance(error, KilledWorker):
            name = str(error.last_worker.name)
            await self._bury(name)
            error = WorkerLost(f"Worker {name} died while it ran a batch.")
        if error is None:
            error = WorkerLost("The cluster's scheduler gave up a batch while it ran.")
        self._flights.pop(token).order.future.set_exception(error)
        self._fill()
