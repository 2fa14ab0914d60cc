"""Waits until Prefect shows of a run what the ledger says of it."""

from __future__ import annotations

import logging
import time
from collections import Counter
from typing import TYPE_CHECKING
from uuid import UUID

from treadle.compile.scope import Scope
from treadle.ledger.runs import RunRecord
from treadle.model.states import StepState

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient

SETTLE_SECONDS = 15.0
POLL_SECONDS = 0.1
PREFECT_PAGE = 200
PREFECT_STATES = {StepState.DONE: "COMPLETED", StepState.FAILED: "FAILED"}
NOT_DONE = "CANCELLED or PENDING"
"""Prefect keeps a step pending that never began; the ledger says why it did not."""

logger = logging.getLogger(__name__)


def wait_until_prefect_agrees(run: RunRecord, scope: Scope) -> bool:
    """Wait until Prefect has stored the end of every step of a run that has ended.

    Prefect's clients send the states of task runs as events, which the server stores a moment later; a server
    that ends before that would show the steps as running for ever.

    Returns:
        Whether Prefect's states of the steps equal the ledger's within fifteen seconds.
    """
    from prefect.client.orchestration import get_client

    shown = [step for step in run.steps if step.state is StepState.DONE or scope.admits(step.position)]
    expected = Counter(PREFECT_STATES.get(step.state, NOT_DONE) for step in shown)
    deadline = time.monotonic() + SETTLE_SECONDS
    with get_client(sync_client=True) as client:
        while _states_in_prefect(client, run) != expected:
            if time.monotonic() > deadline:
                logger.warning("prefect_lags run=%d prefect_run=%s", run.id, run.prefect_flow_run_id)
                return False
            time.sleep(POLL_SECONDS)
    return True


def _unfinished(state: str) -> str:
    return NOT_DONE if state in {"CANCELLED", "PENDING"} else state


def _states_in_prefect(client: SyncPrefectClient, run: RunRecord) -> Counter[str]:
    from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId

    this_run = FlowRunFilter(id=FlowRunFilterId(any_=[UUID(run.prefect_flow_run_id)]))
    states: Counter[str] = Counter()
    for offset in range(0, len(run.steps), PREFECT_PAGE):
        page = client.read_task_runs(flow_run_filter=this_run, limit=PREFECT_PAGE, offset=offset)
        found = [str(task.state_type.value) for task in page if task.state_type]
        states.update(state if state in PREFECT_STATES.values() else _unfinished(state) for state in found)
    return states
