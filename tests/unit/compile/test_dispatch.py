"""Dispatch on a cluster whose batches end when the test says so."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from typing import Any

from treadle.compile.dispatch import BATCHES_PER_SLOT, Dispatch
from treadle.compile.retrying import Retrying
from treadle.errors import WorkerLost
from treadle.execute.batch import Batch, UnitCall
from treadle.execute.records import ended_without_result
from treadle.execute.running import cancel_run
from treadle.model.policy import Retries
from treadle.model.records import UnitRecord
from treadle.model.states import Cause, UnitState


class HeldCluster:
    """Keeps every batch until it is told how the batch ends."""

    name = "held"
    slots = 2

    def __init__(self) -> None:
        self.sent: list[tuple[Batch, Future[Any]]] = []
        self.told: list[int] = []
        self.expected: dict[str, int] = {}

    def submit(self, _function: object, payload: Batch, *, seconds: float) -> Future[Any]:
        assert seconds == payload.seconds
        future: Future[Any] = Future()
        self.sent.append((payload, future))
        return future

    def expect(self, who: str, units: int) -> None:
        self.expected[who] = units

    def broadcast(self, function: object, payload: int) -> None:
        assert function is cancel_run
        self.told.append(payload)
        for batch, future in self.sent:
            if future.running():
                future.set_result(
                    [ended_without_result(call.index, Cause.CANCELLED, "killed") for call in batch.calls]
                )

    def end(self, position: int, outcome: Exception | None = None) -> None:
        batch, future = self.sent[position]
        if outcome is None:
            future.set_result([ended(call.index) for call in batch.calls])
        else:
            future.set_exception(outcome)


def ended(index: int) -> UnitRecord:
    return ended_without_result(index, Cause.FAILED, "an end like any other")


def dispatch(
    cluster: HeldCluster,
    count: int,
    stop: threading.Event | None = None,
    journaled: Callable[[Sequence[UnitCall]], Mapping[int, UnitRecord]] = lambda _: {},
) -> Dispatch:
    calls = [UnitCall(index=index, command=("task",), args={}) for index in range(count)]
    return Dispatch(
        1,
        "step",
        calls,
        pack=lambda chosen, seconds: Batch(
            run_id=1,
            position=0,
            step="step",
            calls=chosen,
            log_folder="",
            environment={},
            seconds=seconds,
        ),
        journaled=journaled,
        retrying=Retrying(Retries()),
        pool_of=lambda _: cluster,  # type: ignore[arg-type, return-value]  # the part of a pool that a dispatch uses
        stop=stop or threading.Event(),
    )


def test_no_more_batches_are_under_way_than_two_a_slot() -> None:
    cluster = HeldCluster()
    records = dispatch(cluster, 50).records()
    cluster_full = BATCHES_PER_SLOT * cluster.slots

    threading.Timer(0.05, lambda: cluster.end(0)).start()
    next(records)
    assert len(cluster.sent) == cluster_full

    cluster.end(1)
    next(records)
    assert len(cluster.sent) == cluster_full + 1


def lose(cluster: HeldCluster, position: int) -> None:
    cluster.end(position, WorkerLost("The worker died."))


def sent_units(cluster: HeldCluster, begin: int) -> list[list[int]]:
    return [[call.index for call in batch.calls] for batch, _ in cluster.sent[begin:]]


def test_of_a_lost_batch_the_journal_keeps_the_ended_and_only_the_running_unit_is_suspected() -> None:
    cluster = HeldCluster()
    cluster.slots = 1
    saved = {0: ended(0)}
    dispatched = dispatch(cluster, 3, journaled=lambda calls: {i: r for i, r in saved.items() if calls})
    dispatched._sizer.measured(1e-3)
    dispatched._sizer.next_size = lambda remaining, _slots: remaining  # type: ignore[method-assign]
    records = dispatched.records()
    threading.Timer(0.05, lambda: lose(cluster, 0)).start()

    assert [record.index for record in next(records)] == [0]
    threading.Timer(0.05, lambda: cluster.end(1)).start()
    seen = next(records)

    assert sent_units(cluster, 0)[0] == [0, 1, 2]
    assert sorted(unit for batch in sent_units(cluster, 1) for unit in batch) == [1, 2]
    assert {record.cause for record in seen} == {Cause.FAILED}


def test_a_unit_under_which_two_workers_died_runs_alone_and_a_third_time_is_its_end() -> None:
    cluster = HeldCluster()
    deadly, ran_together = 0, []
    all_ended = threading.Event()

    def work() -> None:
        """End what runs at the same time together: unit 0 kills its worker and all that run beside it."""
        while not all_ended.wait(0.05):
            present = [n for n, (_, future) in enumerate(cluster.sent) if not future.done()]
            units = sorted(call.index for n in present for call in cluster.sent[n][0].calls)
            if units:
                ran_together.append(units)
            for n in present:
                cluster.end(n, WorkerLost("The worker died.") if deadly in units else None)

    thread = threading.Thread(target=work)
    thread.start()
    seen = {record.index: record for batch in dispatch(cluster, 2).records() for record in batch}
    all_ended.set()
    thread.join()

    assert seen[0].cause is Cause.WORKER_LOST
    assert seen[1].cause is Cause.FAILED  # it came to an end of its own
    assert ran_together == [[0, 1], [0, 1], [0], [1]]


def test_a_stopped_dispatch_takes_back_what_waits_and_has_the_rest_killed() -> None:
    cluster = HeldCluster()
    stop = threading.Event()
    records = dispatch(cluster, 20, stop).records()
    threading.Timer(0.05, lambda: cluster.end(0)).start()
    first = next(records)
    running = cluster.sent[1][1]
    running.set_running_or_notify_cancel()
    stop.set()

    rest = [record for batch in records for record in batch]

    assert cluster.told == [1]
    assert {record.state for record in rest} == {UnitState.CANCELLED}
    assert sorted(record.index for record in [*first, *rest]) == list(range(20))
    assert [record.error for record in rest].count("killed") == len(cluster.sent[1][0].calls)
    assert all(future.cancelled() for _, future in cluster.sent[2:])


def test_a_batch_that_does_not_end_when_it_is_told_to_is_waited_for_a_while_only() -> None:
    cluster = HeldCluster()
    cluster.slots = 1
    stop = threading.Event()
    now = itertools.count(0, 0.4)
    dispatched = dispatch(cluster, 2, stop)
    dispatched._clock = lambda: float(next(now))
    cluster.broadcast = lambda _function, payload: cluster.told.append(payload)  # type: ignore[method-assign]
    records = dispatched.records()
    threading.Timer(0.05, lambda: cluster.end(0)).start()
    next(records)
    cluster.sent[1][1].set_running_or_notify_cancel()
    stop.set()

    [rest] = [batch for batch in records if batch]

    assert len(cluster.told) > 1
    assert [record.cause for record in rest] == [Cause.CANCELLED]


def test_a_pool_is_told_how_many_units_are_still_to_come_and_in_the_end_none() -> None:
    cluster = HeldCluster()
    dispatched = dispatch(cluster, 3)
    records = dispatched.records()
    threading.Timer(0.05, lambda: cluster.end(0)).start()
    next(records)
    assert cluster.expected == {"step": 3}
    cluster.end(1)
    next(records)
    assert cluster.expected == {"step": 2}
    cluster.end(2)
    next(records)
    assert list(records) == []
    assert cluster.expected == {"step": 0}


def test_units_that_a_worker_had_no_time_left_for_are_sent_again() -> None:
    cluster = HeldCluster()
    cluster.slots = 1
    dispatched = dispatch(cluster, 3)
    dispatched._sizer.measured(1e-3)
    dispatched._sizer.next_size = lambda remaining, _slots: remaining  # type: ignore[method-assign]
    records = dispatched.records()
    threading.Timer(0.05, lambda: cluster.sent[0][1].set_result([ended(0)])).start()
    next(records)
    threading.Timer(0.05, lambda: cluster.end(1)).start()
    assert sorted(record.index for record in next(records)) == [1, 2]
    assert sent_units(cluster, 0) == [[0, 1, 2], [1, 2]]


def test_a_loss_that_no_unit_can_be_why_is_not_held_against_it() -> None:
    cluster = HeldCluster()
    records = dispatch(cluster, 1).records()
    for position in range(5):
        lost = WorkerLost("Its node failed.", blameless=True)
        threading.Timer(0.05, lambda position=position, lost=lost: cluster.end(position, lost)).start()
        assert next(records) == []
    threading.Timer(0.05, lambda: cluster.end(5)).start()
    [record] = next(records)
    assert (record.index, record.attempt) == (0, 1)


def test_a_unit_that_its_worker_had_no_time_for_is_begun_again_alone_on_one_that_has_all_of_it() -> None:
    cluster = HeldCluster()
    sent = dispatch(cluster, 3)
    records = sent.records()
    sent._fill()
    cluster.end(0, WorkerLost("It reached its time limit.", out_of_time=True))
    cluster.end(1)
    assert [record.index for record in next(records)] == []
    next(records)
    cluster.end(2)
    next(records)
    [again] = [batch for batch, _ in cluster.sent[3:] if batch.calls[0].index == 0]
    assert [call.index for call in again.calls] == [0]
    assert again.seconds == float("inf")
    sent.withdraw()
