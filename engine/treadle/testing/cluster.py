"""A cluster of threads for tests without Dask, and the contract that every cluster keeps."""

from __future__ import annotations

import os
import threading
import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable
from concurrent.futures import CancelledError, Future, wait
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Any, Self, TypeVar

from treadle.clusters.port import ANY_RESOURCES, Cluster, JobBook, Pool
from treadle.errors import ClusterError, WorkerLost
from treadle.execute.pool import close_shared_pool
from treadle.model.resources import Resources

P = TypeVar("P")
R = TypeVar("R")
_Order = tuple[Future[Any], Callable[[Any], Any], Any]

DEADLINE_SECONDS = 30.0


class ThreadCluster:
    """Runs functions in threads of this process; starts and stops in no time.

    Args:
        slots: Functions that run at once.
    """

    name = "threads"

    def __init__(self, slots: int = 2) -> None:
        self._slots = slots
        self._lock = threading.Lock()
        self._worker: _Worker | None = None

    @property
    def slots(self) -> int:
        """See `Cluster`."""
        return self._slots

    def pool(self, resources: Resources = ANY_RESOURCES) -> Pool:  # noqa: ARG002 - one serves all units
        """See `Cluster`; it is its own only pool."""
        with self._lock:
            if self._worker is None:
                raise ClusterError("The cluster is not open.")
        return self

    def report_to(self, book: JobBook) -> None:
        """See `Cluster`; it has no jobs."""

    def expect(self, who: str, units: int) -> None:
        """See `Pool`; the cluster never grows."""

    def submit(self, function: Callable[[P], R], payload: P, *, seconds: float = 0.0) -> Future[R]:  # noqa: ARG002
        """See `Pool`; nothing is pickled, and its workers stay."""
        future: Future[R] = Future()
        with self._lock:
            if self._worker is None:
                raise ClusterError("The cluster is not open.")
            self._worker.take((future, function, payload))
        return future

    def broadcast(self, function: Callable[[P], object], payload: P) -> None:
        """See `Pool`; nothing is pickled."""
        with self._lock:
            if self._worker is None:
                raise ClusterError("The cluster is not open.")
        threading.Thread(target=_outcome, args=(function, payload), daemon=True).start()

    def lose_worker(self) -> None:
        """Do what a dying worker does: running functions end as `WorkerLost`, their units are killed."""
        self._replace_worker(_Worker(self._slots), "The worker died while it ran a batch.")

    def __enter__(self) -> Self:
        """See `Cluster`."""
        self._worker = _Worker(self._slots)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """See `Cluster`; a function that runs is left to itself, its units are killed."""
        for future, _, _ in self._replace_worker(None, "The cluster was closed while the batch ran."):
            future.cancel()
            future.set_running_or_notify_cancel()

    def _replace_worker(self, successor: _Worker | None, reason: str) -> list[_Order]:
        with self._lock:
            old, self._worker = self._worker, successor
            pending, lost = old.dismiss() if old else ([], set())
            if successor is not None:
                successor.take(*pending)
        close_shared_pool()
        for future in lost:
            future.set_exception(WorkerLost(reason))
        return pending


class _Worker:
    """Threads that take orders until they are dismissed."""

    def __init__(self, slots: int) -> None:
        self._changed = threading.Condition()
        self._orders: deque[_Order] = deque()
        self._running: set[Future[Any]] = set()
        self._dismissed = False
        for _ in range(slots):
            threading.Thread(target=self._work, daemon=True).start()

    def take(self, *orders: _Order) -> None:
        """Run these after all others."""
        with self._changed:
            self._orders.extend(orders)
            self._changed.notify(len(orders))

    def dismiss(self) -> tuple[list[_Order], set[Future[Any]]]:
        """Take no more orders; return those not begun, and the futures of those that run."""
        with self._changed:
            self._dismissed = True
            self._changed.notify_all()
            lost, self._running = self._running, set()
            return list(self._orders), lost

    def _next(self) -> _Order | None:
        with self._changed:
            while True:
                self._changed.wait_for(lambda: self._orders or self._dismissed)
                if self._dismissed:
                    return None
                order = self._orders.popleft()
                if order[0].set_running_or_notify_cancel():
                    self._running.add(order[0])
                    return order

    def _work(self) -> None:
        while (order := self._next()) is not None:
            future, function, payload = order
            result, error = _outcome(function, payload)
            with self._changed:
                if self._dismissed:
                    return
                self._running.remove(future)
            if error is None:
                future.set_result(result)
            else:
                future.set_exception(error)


def _outcome(function: Callable[[Any], Any], payload: Any) -> tuple[Any, Exception | None]:
    try:
        return function(payload), None
    except Exception as error:  # noqa: BLE001 - whoever submitted it is told
        return None, error


def wait_for_file(path: str) -> str:
    """Return once the file exists; runs on a worker."""
    Path(f"{path}.seen-{os.getpid()}-{threading.get_ident()}").touch()
    wait_until(Path(path).exists)
    return path


def wait_until(predicate: Callable[[], bool], seconds: float = DEADLINE_SECONDS) -> None:
    """Return once the predicate holds.

    Raises:
        TimeoutError: It did not within that time.
    """
    deadline = time.monotonic() + seconds
    while not predicate():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{predicate} did not hold within {seconds} s")
        time.sleep(0.01)


class ClusterContract(ABC):
    """What every `Cluster` does; inherit it in a test class and give it a cluster.

    Each test opens a cluster of its own with two slots.
    """

    @abstractmethod
    def new_cluster(self, slots: int) -> Cluster:
        """Return a cluster that is not open yet."""

    @abstractmethod
    def lose_worker(self, cluster: Cluster) -> None:
        """Let a worker of the cluster die without warning, together with all functions that run."""

    def test_it_has_a_name_and_its_slots_before_it_opens(self) -> None:
        cluster = self.new_cluster(2)
        assert cluster.name
        assert cluster.slots == 2

    def test_results_come_back_in_their_futures(self) -> None:
        with self.new_cluster(2) as cluster:
            futures = [cluster.pool().submit(abs, -number) for number in range(20)]
            assert [future.result(DEADLINE_SECONDS) for future in futures] == list(range(20))

    def test_what_a_function_raises_its_future_raises(self) -> None:
        with self.new_cluster(2) as cluster:
            error = cluster.pool().submit(int, "no number").exception(DEADLINE_SECONDS)
            assert isinstance(error, ValueError)
            assert "no number" in str(error)

    def test_as_many_functions_run_at_once_as_there_are_slots(self) -> None:
        with TemporaryDirectory() as folder, self.new_cluster(2) as cluster:
            gate = Path(folder, "gate")
            futures = [cluster.pool().submit(wait_for_file, str(gate)) for _ in range(5)]
            wait_until(lambda: _seen(gate) == 2)
            assert [future.running() for future in futures] == [True, True, False, False, False]
            gate.touch()
            assert len(wait(futures, DEADLINE_SECONDS).done) == 5

    def test_a_pending_function_can_be_cancelled_and_never_runs(self) -> None:
        with TemporaryDirectory() as folder, self.new_cluster(1) as cluster:
            gate, never = Path(folder, "gate"), Path(folder, "never")
            running = cluster.pool().submit(wait_for_file, str(gate))
            pending = cluster.pool().submit(wait_for_file, str(never))
            wait_until(running.running)
            assert pending.cancel()
            assert not running.cancel()
            gate.touch()
            assert running.result(DEADLINE_SECONDS) == str(gate)
            assert cluster.pool().submit(abs, -1).result(DEADLINE_SECONDS) == 1
            assert _seen(never) == 0

    def test_a_dying_worker_loses_what_ran_and_is_replaced_for_what_did_not(self) -> None:
        with TemporaryDirectory() as folder, self.new_cluster(2) as cluster:
            gate = Path(folder, "gate")
            running = [cluster.pool().submit(wait_for_file, str(gate)) for _ in range(2)]
            pending = [cluster.pool().submit(abs, -number) for number in range(3)]
            wait_until(lambda: _seen(gate) == 2)
            self.lose_worker(cluster)
            assert all(isinstance(future.exception(DEADLINE_SECONDS), WorkerLost) for future in running)
            assert [future.result(DEADLINE_SECONDS) for future in pending] == [0, 1, 2]
            assert _seen(gate) == 2
            gate.touch()

    def test_closing_loses_what_runs_and_cancels_what_does_not(self) -> None:
        with TemporaryDirectory() as folder:
            gate = Path(folder, "gate")
            with self.new_cluster(1) as cluster:
                running = cluster.pool().submit(wait_for_file, str(gate))
                pending = cluster.pool().submit(abs, -1)
                wait_until(lambda: _seen(gate) == 1)
            assert isinstance(running.exception(0), WorkerLost)
            try:
                pending.result(0)
            except CancelledError:
                pass
            else:
                raise AssertionError("a pending function ran although the cluster was closed")
            gate.touch()

    def test_a_broadcast_reaches_a_worker_all_of_whose_slots_are_busy(self) -> None:
        with TemporaryDirectory() as folder, self.new_cluster(1) as cluster:
            gate = Path(folder, "gate")
            running = cluster.pool().submit(wait_for_file, str(gate))
            wait_until(lambda: _seen(gate) == 1)
            cluster.pool().broadcast(int, "no number")
            cluster.pool().broadcast(Path.touch, gate)
            assert running.result(DEADLINE_SECONDS) == str(gate)
            assert cluster.pool().submit(abs, -1).result(DEADLINE_SECONDS) == 1

    def test_a_broadcast_waits_for_nobody(self) -> None:
        with TemporaryDirectory() as folder, self.new_cluster(1) as cluster:
            gate = Path(folder, "gate")
            assert cluster.pool().submit(abs, -1).result(DEADLINE_SECONDS) == 1
            cluster.pool().broadcast(wait_for_file, str(gate))
            wait_until(lambda: _seen(gate) == 1)
            assert cluster.pool().submit(abs, -1).result(DEADLINE_SECONDS) == 1
            gate.touch()

    def test_a_closed_cluster_takes_nothing(self) -> None:
        cluster = self.new_cluster(1)
        with cluster:
            pool = cluster.pool()
        for take in (pool.submit, pool.broadcast):
            try:
                take(abs, -1)
            except ClusterError:
                continue
            raise AssertionError("a closed cluster took a function")


def _seen(gate: Path) -> int:
    return len(list(gate.parent.glob(f"{gate.name}.seen-*")))
