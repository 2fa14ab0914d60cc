"""Sends the units of one step to the cluster in batches and yields their records as they come back."""

from __future__ import annotations

import heapq
import queue
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import CancelledError, Future
from math import inf

from treadle.clusters.port import Pool
from treadle.compile.batching import BatchSizer
from treadle.compile.retrying import Retrying
from treadle.errors import WorkerLost
from treadle.execute.batch import Batch, UnitCall, run_batch
from treadle.execute.records import ended_without_result
from treadle.execute.running import cancel_run
from treadle.model.records import UnitRecord
from treadle.model.states import Cause

BATCHES_PER_SLOT = 2
POLL_SECONDS = 0.2
CANCEL_SECONDS = 8.0
BROADCAST_SECONDS = 1.0

Needs = tuple[int | None, float | None]
"""What may differ between the units of a step that run the same part: memory and time."""


class Dispatch:
    """One step's units on their way through the cluster.

    At most two batches a slot are outstanding: workers never wait for the driver, the driver's memory does
    not grow with the step, and a cancelled step has little to take back.

    Args:
        run_id: The run.
        name: What the pools know it by.
        calls: The units, in order.
        pack: Makes a batch of some calls, of which each takes so many seconds.
        journaled: Returns, of some calls, the records that workers wrote into the run's journals.
        retrying: Decides which units are tried again.
        pool_of: Returns where a unit runs, by what it needs.
        stop: Set by whoever wants the step to end early.
        is_open: More units follow, until `seal` or `withdraw`.
        clock: Monotonic seconds.
    """

    def __init__(
        self,
        run_id: int,
        name: str,
        calls: Sequence[UnitCall],
        *,
        pack: Callable[[tuple[UnitCall, ...], float], Batch],
        journaled: Callable[[Sequence[UnitCall]], Mapping[int, UnitRecord]],
        retrying: Retrying,
        pool_of: Callable[[UnitCall], Pool],
        stop: threading.Event,
        is_open: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._run_id = run_id
        self._is_open = is_open
        self._waiting: deque[UnitCall] = deque()
        self._pack = pack
        self._journaled = journaled
        self._retrying = retrying
        self._name = name
        self._pool_of = pool_of
        self._pools: dict[Needs, Pool] = {}
        self._remaining: Counter[Needs] = Counter()
        self._stop = stop
        self._clock = clock
        self._sizer = BatchSizer()
        self._unhurried: set[int] = set()
        self._delayed: list[tuple[float, int, UnitCall]] = []
        self._lonely: deque[UnitCall] = deque()
        self._lonely_runs = False
        self._outstanding: dict[Future[list[UnitRecord]], tuple[UnitCall, ...]] = {}
        self._ended: queue.SimpleQueue[Future[list[UnitRecord]] | None] = queue.SimpleQueue()
        self.extend(calls)

    def records(self) -> Iterator[list[UnitRecord]]:
        """Yield the last records of units as their batches end: one for every unit, in order of ending.

        Yields an empty list after `wake`, for the caller to add units or to say that these are all.
        """
        try:
            while self._is_open or self._waiting or self._outstanding or self._delayed or self._lonely:
                if self._stop.is_set():
                    yield from self._end_early()
                    return
                self._fill()
                self._expect()
                try:
                    future = self._ended.get(timeout=POLL_SECONDS)
                except queue.Empty:
                    continue
                yield [] if future is None else self._collect(future)
        finally:
            self._remaining = Counter(dict.fromkeys(self._remaining, 0))
            self._expect()

    def wake(self) -> None:
        """Return to whoever iterates over the records; from any thread."""
        self._ended.put(None)

    def extend(self, calls: Iterable[UnitCall]) -> None:
        """Add units."""
        new = list(calls)
        self._waiting.extend(new)
        self._remaining.update(map(_needs_of, new))

    def seal(self) -> None:
        """Say that no more units follow."""
        self._is_open = False

    def withdraw(self) -> None:
        """Give up the units that have not begun; those that run may end."""
        self._is_open = False
        for call in (*self._waiting, *self._lonely, *(call for _, _, call in self._delayed)):
            self._remaining[_needs_of(call)] -= 1
        self._waiting.clear()
        self._delayed.clear()
        self._lonely.clear()
        for future in list(self._outstanding):
            future.cancel()

    def _fill(self) -> None:
        while self._delayed and self._delayed[0][0] <= self._clock():
            self._waiting.append(heapq.heappop(self._delayed)[-1])
        if self._lonely or self._lonely_runs:
            if self._lonely and not self._outstanding:
                self._lonely_runs = True
                self._send((self._lonely.popleft(),))
            return
        while self._waiting:
            slots = self._pool(self._waiting[0]).slots
            if len(self._outstanding) >= BATCHES_PER_SLOT * slots:
                return
            size = self._sizer.next_size(len(self._waiting), slots)
            calls = [self._waiting.popleft()]
            while len(calls) < size and self._may_join(calls[0], self._waiting[0]):
                calls.append(self._waiting.popleft())
            self._send(tuple(calls))

    def _may_join(self, first: UnitCall, call: UnitCall) -> bool:
        """Whether two units may share a batch."""
        return _needs_of(first) == _needs_of(call) and not {first.index, call.index} & self._unhurried

    def _pool(self, call: UnitCall) -> Pool:
        needs = _needs_of(call)
        if needs not in self._pools:
            self._pools[needs] = self._pool_of(call)
        return self._pools[needs]

    def _expect(self) -> None:
        """Let each pool know how many units are still to come."""
        for needs, pool in self._pools.items():
            pool.expect(self._name, self._remaining[needs])

    def _send(self, calls: tuple[UnitCall, ...]) -> None:
        seconds = inf if calls[0].index in self._unhurried else self._sizer.longest
        batch = self._pack(calls, seconds)
        future = self._pool(calls[0]).submit(run_batch, batch, seconds=seconds)
        self._outstanding[future] = calls
        future.add_done_callback(self._ended.put)

    def _next_ended(self, seconds: float) -> Future[list[UnitRecord]] | None:
        try:
            return self._ended.get(timeout=seconds)
        except queue.Empty:
            return None

    def _collect(self, future: Future[list[UnitRecord]]) -> list[UnitRecord]:
        calls = self._outstanding.pop(future)
        self._lonely_runs = blameless = False
        try:
            records = future.result()
        except WorkerLost as lost:
            records, blameless = self._saved(calls, lost), lost.blameless
        except CancelledError:
            records = _cancelled(calls, "cancelled")
        else:
            for record in records:
                self._sizer.measured(record.seconds)
            ended = {record.index for record in records}
            self._waiting.extendleft(call for call in reversed(calls) if call.index not in ended)
        by_index = {call.index: call for call in calls}
        last = [record for record in records if not self._repeat(by_index[record.index], record, blameless)]
        self._remaining.subtract(_needs_of(by_index[record.index]) for record in last)
        return last

    def _saved(self, calls: Sequence[UnitCall], lost: WorkerLost) -> list[UnitRecord]:
        """Return what the journal has of a lost batch, and the loss of the one unit that ran.

        Units of a batch run in order: those after it had not begun and go back to those that wait. One that
        its worker's time was too short for is not begun again but on a worker that has all of it.
        """
        ended = self._journaled(calls)
        open_calls = [call for call in calls if call.index not in ended]
        self._waiting.extendleft(reversed(open_calls[1:]))
        records = list(ended.values())
        if lost.out_of_time:
            self._unhurried.update(call.index for call in open_calls[:1])
        cause = Cause.OUT_OF_MEMORY if lost.out_of_memory else Cause.WORKER_LOST
        records.extend(
            ended_without_result(call.index, cause, str(lost), worker=lost.worker, attempt=call.attempt)
            for call in open_calls[:1]
        )
        return records

    def _repeat(self, call: UnitCall, record: UnitRecord, blameless: bool) -> bool:
        again = None if self._stop.is_set() else self._retrying.after(call, record, blameless=blameless)
        if again is None:
            return False
        self._remaining[_needs_of(call)] -= 1
        self._remaining[_needs_of(again.call)] += 1
        if again.alone:
            self._lonely.append(again.call)
        else:
            heapq.heappush(self._delayed, (self._clock() + again.seconds, call.index, again.call))
        return True

    def _end_early(self) -> Iterator[list[UnitRecord]]:
        """Take back what has not begun, and have what runs killed; wait a while for the records of it."""
        for future in list(self._outstanding):
            future.cancel()
        deadline = self._clock() + CANCEL_SECONDS
        while self._outstanding and self._clock() < deadline:
            # Again and again: a batch that was on its way to its worker did not hear of it the first time.
            for pool in self._pools.values():
                pool.broadcast(cancel_run, self._run_id)
            again_at = min(deadline, self._clock() + BROADCAST_SECONDS)
            while self._outstanding and self._clock() < again_at:
                ended = self._next_ended(max(0.0, again_at - self._clock()))
                if ended is not None:
                    yield self._collect(ended)
        calls = [call for batch in self._outstanding.values() for call in batch] + list(self._waiting)
        calls += [*self._lonely, *(call for _, _, call in self._delayed)]
        self._outstanding.clear()
        yield _cancelled(calls, "cancelled before it ended")


def _needs_of(call: UnitCall) -> Needs:
    return call.memory_mb, call.timeout_seconds


def _cancelled(calls: Sequence[UnitCall], error: str) -> list[UnitRecord]:
    return [ended_without_result(call.index, Cause.CANCELLED, error, attempt=call.attempt) for call in calls]
