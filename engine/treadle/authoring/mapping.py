"""Maps a call over items: in a flow as one task of it, elsewhere as a run of its own."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any
from uuid import UUID

from treadle.authoring import held
from treadle.authoring.adhoc import AdHoc
from treadle.authoring.outcome import outcome_of
from treadle.authoring.result import error_of
from treadle.authoring.session import Session
from treadle.compile.observer import Observer
from treadle.errors import UsageError
from treadle.ledger import runs
from treadle.ledger.runs import RunRecord
from treadle.model.states import RunState

if TYPE_CHECKING:
    from prefect import Task
    from prefect.futures import PrefectFuture

Prepare = Callable[[Any, Mapping[str, Any]], AdHoc]
"""Makes a run of items and arguments, once neither holds a future of Prefect any more."""

_COUNTER = "treadle.map"
_lock = threading.Lock()


def map_over(name: str, prepare: Prepare, items: object, arguments: Mapping[str, object]) -> list[Any]:
    """Run a call on every item and wait for all.

    Args:
        name: What it is called.
        prepare: Makes the run.
        items: What it is mapped over; in a flow also a future, or a list that holds some.
        arguments: Those that are the same for all; in a flow some of them may be futures.

    Returns:
        What `outcome_of` makes of the run.

    Raises:
        RunFailed: Units failed.
        Cancelled: The run was cancelled.
    """
    if _is_in_flow():
        results: list[Any] = _task(name, prepare)(items, arguments)
        return results
    return _run_alone(prepare(items, arguments))


def submit_over(
    name: str, prepare: Prepare, items: object, arguments: Mapping[str, object]
) -> PrefectFuture[list[Any]]:
    """Begin what `map_over` does, in a flow, and go on.

    Raises:
        UsageError: There is no flow that it could be a task of.
    """
    if not _is_in_flow():
        raise UsageError(
            f"{name!r} was submitted outside of a Prefect flow.",
            remedy="Call map, which waits, or do it in a function that is decorated with prefect.flow.",
        )
    return _task(name, prepare).submit(items, arguments)


def _is_in_flow() -> bool:
    if "prefect" not in sys.modules:  # it is not imported before its server is known
        return False
    from prefect.context import FlowRunContext

    return FlowRunContext.get() is not None


def _run_alone(ad_hoc: AdHoc) -> list[Any]:
    session = held.session()
    held.server(session.settings)
    from treadle.runs.drive import drive  # not before the server is known

    with held.cluster(ad_hoc.options.cluster, session.settings) as cluster:
        record = drive(
            ad_hoc.submit(session),
            ledger=session.ledger,
            settings=session.settings,
            cluster=cluster,
            observer=Observer(),
        )
    if record.state is not RunState.DONE:
        raise error_of(session, record)
    return outcome_of(session, record)


def _task(name: str, prepare: Prepare) -> Task[[Any, Mapping[str, Any]], list[Any]]:
    from prefect import Task
    from prefect.cache_policies import NO_CACHE

    from treadle.compile.naming import prefect_name

    def run_mapped(items: Any, arguments: Mapping[str, Any]) -> Any:
        return _run_inside(prepare(items, arguments))

    shown = prefect_name(name)
    return Task(run_mapped, name=shown, task_run_name=shown, cache_policy=NO_CACHE, persist_result=False)


def _run_inside(ad_hoc: AdHoc) -> Any:
    """Drive the run in the present task run; one that the flow run has driven before goes on, or is done."""
    from prefect.runtime import flow_run
    from prefect.states import Cancelled

    session, flow_run_id = held.session(), UUID(flow_run.get_id())
    key = _key(flow_run_id, ad_hoc.digest)
    with session.ledger.reading() as tx:
        found = runs.find_run(tx, key)
    record = None if found is None else _record(session, found)
    if record is None or record.state is not RunState.DONE:
        record = _conduct(session, ad_hoc, key, flow_run_id)
    if record.state is RunState.CANCELLED:
        return Cancelled(message=f"Run {record.id} was cancelled.")
    if record.state is not RunState.DONE:
        raise error_of(session, record)
    return outcome_of(session, record)


def _conduct(session: Session, ad_hoc: AdHoc, key: str, flow_run_id: UUID) -> RunRecord:
    from prefect import get_run_logger
    from prefect.runtime import task_run

    from treadle.compile.jobs import LedgerBook
    from treadle.compile.single import conduct_step
    from treadle.runs.drive import context_of

    with held.cluster(ad_hoc.options.cluster, session.settings) as cluster:
        run_id = ad_hoc.submit(session, key)
        get_run_logger().info("run %d: %s over %d items", run_id, ad_hoc.name, ad_hoc.size)
        context = context_of(
            run_id,
            ledger=session.ledger,
            settings=session.settings,
            cluster=cluster,
            observer=Observer(),
        )
        cluster.report_to(LedgerBook(context))
        conduct_step(context, flow_run_id, UUID(task_run.get_id()))
    return _record(session, run_id)


def _record(session: Session, run_id: int) -> RunRecord:
    with session.ledger.reading() as tx:
        return runs.load_run(tx, run_id)


def _key(flow_run_id: UUID, digest: str) -> str:
    """Return what finds a run again when its flow run is entered anew, in whatever order its tasks then run.

    Of several calls that are alike in all, each is a run of its own.
    """
    from prefect.context import FlowRunContext

    context = FlowRunContext.get()
    if context is None:
        raise UsageError("A mapped call was taken out of its flow.", remedy="Call map in the flow itself.")
    counter, counts = f"{_COUNTER}-{digest}", context.task_run_dynamic_keys
    with _lock:
        number = counts[counter] = int(counts.get(counter, 0)) + 1
    return f"{flow_run_id}/{digest}/{number}"
