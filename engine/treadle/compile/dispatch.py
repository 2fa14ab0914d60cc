"""Sends the units of one step to the cluster in batches and yields their records as they come back."""

from __future__ import annotations

import queue
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError, Future

from treadle.clusters.port import Cluster
from treadle.compile.batching import BatchSizer
from treadle.errors import WorkerLost
from treadle.execute.batch import Batch, UnitCall, run_batch
from treadle.execute.records import ended_without_result
from treadle.model.records import UnitRecord
from treadle.model.states import Cause

BATCHES_PER_SLOT = 2
POLL_SECONDS = 0.2


class Dispatch:
    """One step's units on their way through the cluster.

    At most two batches a slot are outstanding: workers never wait for the driver, the driver's memory does
    not grow with the step, and a cancelled step has little to take back.

    Args:
        calls: The units, in order.
        pack: Makes a batch of some calls.
        cluster: Where they run.
        stop: Set by whoever wants the step to end early.
    """

    def __init__(
        self,
        calls: Sequence[UnitCall],
        *,
        pack: Callable[[tuple[UnitCall, ...]], Batch],
        cluster: Cluster,
        stop: threading.Event,
    ) -> None:
        self._waiting = deque(calls)
        self._pack = pack
        self._cluster = cluster
        self._stop = stop
        self._sizer = BatchSizer(cluster.slots)
        self._outstanding: dict[Future[list[UnitRecord]], tuple[UnitCall, ...]] = {}
        self._ended: queue.SimpleQueue[Future[list[UnitRecord]]] = queue.SimpleQueue()

    def records(self) -> Iterator[list[UnitRecord]]:
        """Yield the records of each batch as it ends, in order of ending; one record for every unit."""
        while self._waiting or self._outstanding:
            if self._stop.is_set():
                yield self._cancel()
                return
            self._fill()
            try:
                future = self._ended.get(timeout=POLL_SECONDS)
            except queue.Empty:
                continue
            yield self._collect(future)

    def _fill(self) -> None:
        while self._waiting and len(self._outstanding) < BATCHES_PER_SLOT * self._cluster.slots:
            size = self._sizer.next_size(len(self._waiting))
            calls = tuple(self._waiting.popleft() for _ in range(size))
            future = self._cluster.submit(run_batch, self._pack(calls))
            self._outstanding[future] = calls
            future.add_done_callback(self._ended.put)

    def _collect(self, future: Future[list[UnitRecord]]) -> list[UnitRecord]:
        calls = self._outstanding.pop(future)
        try:
            records = future.result()
        except WorkerLost as lost:
            return [ended_without_result(call.index, Cause.WORKER_LOST, str(lost)) for call in calls]
        except CancelledError:
            return [ended_without_result(call.index, Cause.CANCELLED, "cancelled") for call in calls]
        for record in records:
            self._sizer.measured(record.seconds)
        return records

    def _cancel(self) -> list[UnitRecord]:
        """Take back what has not ended; units that run are killed when the cluster closes."""
        for future in self._outstanding:
            future.cancel()
        calls = [call for batch in self._outstanding.values() for call in batch] + list(self._waiting)
        self._outstanding.clear()
        self._waiting.clear()
        return [
            ended_without_result(call.index, Cause.CANCELLED, "cancelled before it ended") for call in calls
        ]
