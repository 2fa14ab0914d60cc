"""What Prefect is told of a flow run whose driver has ended without telling the end itself.

The ledger is the truth: a run that is done there is Completed, however its driver went. Only where the ledger
has no end, and the process is gone, has the flow run crashed.
"""

from __future__ import annotations

import logging
import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from treadle.compile.naming import prefect_name
from treadle.ledger import Ledger, runs, sqlite_url
from treadle.ledger.database import database_time
from treadle.ledger.recovery import Ended, end_shown_by
from treadle.ledger.runs import StepRecord
from treadle.model.states import RunState, StepState
from treadle.settings import Settings, load_settings

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient
    from prefect.client.schemas.objects import FlowRun, State, TaskRun

DIED = "The driver died before its end: it was killed, or its machine was restarted."
PAUSE_SECONDS = 1.0
EVENTS_SECONDS = 5.0
PAGE = 200

logger = logging.getLogger(__name__)


def open_ledger(settings: Settings) -> Ledger:
    """Open the ledger that the settings name."""
    return Ledger(settings.ledger_url or sqlite_url(settings.home / "ledger.sqlite"))


def is_open(state: State[Any]) -> bool:
    """Whether somebody should be driving a flow run of that state."""
    return state.is_pending() or state.is_running() or state.is_cancelling()


def state_after(flow_run: FlowRun) -> State[Any]:
    """Return the state of a flow run whose driver is gone; the ledger is that of this process's settings."""
    from prefect.states import Cancelled, Crashed

    with open_ledger(load_settings()) as ledger:
        end = ended_state(ledger, str(flow_run.id))
    if end is not None:
        return end
    if flow_run.state is not None and flow_run.state.is_cancelling():
        return Cancelled(message="It was cancelled.")
    return Crashed(message=DIED)


def ended_state(ledger: Ledger, flow_run_id: str, *, since_seconds: float = 0.0) -> State[Any] | None:
    """Return what Prefect should show, where the ledger has had the end of what it shows for so long."""
    with ledger.reading() as tx:
        end = end_shown_by(tx, flow_run_id)
        if end is None or end.state is None or end.ended_at is None:
            return None
        is_long_ago = database_time(tx) - end.ended_at >= timedelta(seconds=since_seconds)
    return _state_of(end) if is_long_ago else None


def _state_of(end: Ended) -> State[Any]:
    from prefect.states import Cancelled, Completed, Failed

    if end.state == RunState.DONE:
        return Completed(message=end.text or "It is done.")
    if end.state == RunState.CANCELLED:
        return Cancelled(message=end.text or "It was cancelled.")
    return Failed(message=end.text or "It failed.")


def tell_end(flow_run_id: str, patience_seconds: float) -> None:
    """Tell Prefect the end that the ledger has, where the flow itself could not; its server may be away.

    Called by a driver when its flow is over. What cannot be told now is told by the next worker.
    """
    from httpx import HTTPError
    from prefect.client.orchestration import get_client
    from prefect.exceptions import ObjectNotFound, PrefectException

    deadline = time.monotonic() + patience_seconds
    while True:
        try:
            with get_client(sync_client=True) as client:
                _tell_end(client, UUID(flow_run_id))
        except ObjectNotFound:
            return
        except (PrefectException, HTTPError, RuntimeError) as error:
            if time.monotonic() > deadline:
                logger.warning("prefect_not_told prefect_run=%s error=%r", flow_run_id, error)
                return
            time.sleep(PAUSE_SECONDS)
        else:
            return


def _tell_end(client: SyncPrefectClient, flow_run_id: UUID) -> None:
    flow_run = client.read_flow_run(flow_run_id)
    if not _open_task_runs(client, flow_run_id) and not (flow_run.state and is_open(flow_run.state)):
        return
    with open_ledger(load_settings()) as ledger:
        end = ended_state(ledger, str(flow_run_id))
        if end is not None and flow_run.state is not None and is_open(flow_run.state):
            client.set_flow_run_state(flow_run_id, end, force=True)
        tell_steps(client, ledger, flow_run_id, patience_seconds=EVENTS_SECONDS)


def tell_steps(
    client: SyncPrefectClient, ledger: Ledger, flow_run_id: UUID, *, patience_seconds: float = 0.0
) -> None:
    """Tell Prefect how the steps of a run ended whose events it has not got: its server was away, or killed.

    Args:
        client: Prefect's client.
        ledger: Where the run is.
        flow_run_id: The flow run that shows it.
        patience_seconds: How long events may still be on their way.
    """
    with ledger.reading() as tx:
        end = end_shown_by(tx, str(flow_run_id))
        if end is None or end.state is None or end.run_id is None:
            return
        steps = {prefect_name(step.name): step for step in runs.load_run(tx, end.run_id).steps}
    deadline = time.monotonic() + patience_seconds
    while (left := _open_task_runs(client, flow_run_id)) and time.monotonic() < deadline:
        time.sleep(PAUSE_SECONDS)
    for task_run in left:
        step = steps.get(task_run.name)
        if step is not None and (state := _state_of_step(step)) is not None:
            client.set_task_run_state(task_run.id, state, force=True)


def tell_steps_of(flow_run_id: UUID) -> None:
    """Do what `tell_steps` does, by the settings of this process."""
    from prefect.client.orchestration import get_client

    with get_client(sync_client=True) as client, open_ledger(load_settings()) as ledger:
        tell_steps(client, ledger, flow_run_id)


def _open_task_runs(client: SyncPrefectClient, flow_run_id: UUID) -> list[TaskRun]:
    """Return the task runs of a flow run that Prefect shows as running."""
    from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId, TaskRunFilter

    running = TaskRunFilter.model_validate({"state": {"type": {"any_": ["RUNNING"]}}})
    this_run = FlowRunFilter(id=FlowRunFilterId(any_=[flow_run_id]))
    return client.read_task_runs(flow_run_filter=this_run, task_run_filter=running, limit=PAGE)


def _state_of_step(step: StepRecord) -> State[Any] | None:
    from prefect.states import Cancelled, Completed, Failed

    if step.state is StepState.DONE:
        return Completed(message=f"{step.done} units done")
    if step.state is StepState.FAILED:
        return Failed(message=step.error or "It failed.")
    return Cancelled(message="It was cancelled.") if step.state is StepState.CANCELLED else None
