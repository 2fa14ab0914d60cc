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

from treadle.ledger import Ledger, sqlite_url
from treadle.ledger.database import database_time
from treadle.ledger.recovery import Ended, end_shown_by
from treadle.model.states import RunState
from treadle.settings import Settings, load_settings

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient
    from prefect.client.schemas.objects import FlowRun, State

DIED = "The driver died before its end: it was killed, or its machine was restarted."
PAUSE_SECONDS = 1.0

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
    if flow_run.state is not None and is_open(flow_run.state):
        with open_ledger(load_settings()) as ledger:
            end = ended_state(ledger, str(flow_run_id))
        if end is not None:
            client.set_flow_run_state(flow_run_id, end, force=True)
