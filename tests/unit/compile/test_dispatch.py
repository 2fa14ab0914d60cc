"""Dispatch on a cluster whose batches end when the test says so."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from typing import Any

from treadle.compile.dispatch import BATCHES_PER_SLOT, Dispatch
from treadle.errors import WorkerLost
from treadle.execute.batch import Batch, UnitCall
from treadle.execute.records import ended_without_result
from treadle.model.records import UnitRecord
from treadle.model.states import Cause, UnitState


class HeldCluster:
    """Keeps every batch until it is told how the batch ends."""

    name = "held"
    slots = 2

    def __init__(self) -> None:
        self.sent: list[tuple[Batch, Future[Any]]] = []

    def submit(self, _function: object, payload: Batch) -> Future[Any]:
        future: Future[Any] = Future()
        self.sent.append((payload, future))
        return future

    def end(self, position: int, outcome: Exception | None = None) -> None:
        batch, future = self.sent[position]
        if outcome is None:
            future.set_result([ended(call.index) for call in batch.calls])
        else:
            future.set_exception(outcome)


def ended(index: int) -> UnitRecord:
    return ended_without_result(index, Cause.FAILED, "an end like any other")


def dispatch(cluster: HeldCluster, count: int, stop: threading.Event | None = None) -> Dispatch:
    calls = [UnitCall(index=index, command=("task",), args={}) for index in range(count)]
    return Dispatch(
        calls,
        pack=lambda chosen: Batch(run_id=1, step="step", calls=chosen, log_folder="", environment={}),
        cluster=cluster,  # type: ignore[arg-type]  # the part of a cluster that a dispatch uses
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


def test_every_unit_gets_exactly_one_record_whatever_becomes_of_its_batch() -> None:
    cluster = HeldCluster()
    outcomes = [None, WorkerLost("The worker died.")]
    seen: list[UnitRecord] = []
    records = dispatch(cluster, 12).records()
    threading.Timer(0.05, lambda: cluster.end(0)).start()
    for position, batch in enumerate(records, start=1):
        seen += batch
        if position < len(cluster.sent):
            cluster.end(position, outcomes[position % 2])

    assert sorted(record.index for record in seen) == list(range(12))
    lost = [record for record in seen if record.cause is Cause.WORKER_LOST]
    assert lost
    assert all("died" in str(record.error) for record in lost)


def test_a_stopped_dispatch_takes_back_what_waits_and_calls_it_cancelled() -> None:
    cluster = HeldCluster()
    stop = threading.Event()
    records = dispatch(cluster, 20, stop).records()
    threading.Timer(0.05, lambda: cluster.end(0)).start()
    first = next(records)
    stop.set()

    [rest] = list(records)

    assert {record.state for record in rest} == {UnitState.CANCELLED}
    assert sorted(record.index for record in [*first, *rest]) == list(range(20))
    assert all(future.cancelled() for _, future in cluster.sent[1:])
