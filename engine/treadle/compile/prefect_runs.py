"""What Prefect's server says of a flow run, and the little that we tell it beside the flow itself."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING
from uuid import UUID

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient

logger = logging.getLogger(__name__)


def is_cancelled(client: SyncPrefectClient, flow_run_id: str) -> bool:
    """Whether somebody cancelled the flow run in Prefect; False if the server does not say."""
    from httpx import HTTPError
    from prefect.exceptions import PrefectException

    try:
        state = client.read_flow_run(UUID(flow_run_id)).state
    except (PrefectException, HTTPError) as error:
        logger.warning("prefect_not_answering prefect_run=%s error=%r", flow_run_id, error)
        return False
    return state is not None and (state.is_cancelling() or state.is_cancelled())


def mark_crashed(flow_run_id: str, message: str) -> None:
    """End a flow run whose process is gone, which Prefect's server cannot notice; an ended one stays."""
    from httpx import HTTPError
    from prefect.client.orchestration import get_client
    from prefect.exceptions import PrefectException
    from prefect.states import Crashed

    try:
        with get_client(sync_client=True) as client:
            state = client.read_flow_run(UUID(flow_run_id)).state
            if state is not None and not state.is_final():
                client.set_flow_run_state(UUID(flow_run_id), Crashed(message=message), force=True)
    except (PrefectException, HTTPError) as error:
        logger.warning("prefect_not_told prefect_run=%s error=%r", flow_run_id, error)
