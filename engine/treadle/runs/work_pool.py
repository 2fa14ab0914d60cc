"""The work pool through which deployed workflows start."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient

WORK_POOL = "treadle"
WORKER_TYPE = "treadle"


def ensure_work_pool(client: SyncPrefectClient) -> None:
    """Make the work pool unless it is there; its worker gives it its template when it first starts."""
    from prefect.client.schemas.actions import WorkPoolCreate
    from prefect.exceptions import ObjectAlreadyExists, ObjectNotFound

    try:
        client.read_work_pool(WORK_POOL)
    except ObjectNotFound:
        pool = WorkPoolCreate(name=WORK_POOL, type=WORKER_TYPE, description="Runs of Treadle's workflows.")
        try:
            client.create_work_pool(pool)
        except ObjectAlreadyExists:  # another process was faster
            return
