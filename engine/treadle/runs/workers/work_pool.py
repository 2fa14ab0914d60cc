"""The work pool of Treadle's deployments."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient

WORK_POOL = "treadle"


def ensure_work_pool(client: SyncPrefectClient) -> None:
    """Make the work pool where there is none; one that is there stays as it is."""
    from prefect.client.schemas.actions import WorkPoolCreate
    from prefect.exceptions import ObjectAlreadyExists, ObjectNotFound

    from treadle.runs.workers.worker import TreadleWorker

    try:
        client.read_work_pool(WORK_POOL)
    except ObjectNotFound:
        pool = WorkPoolCreate(
            name=WORK_POOL,
            type=TreadleWorker.type,
            description="Runs of Treadle's deployments, driven by processes that outlive their worker.",
            base_job_template=TreadleWorker.get_default_base_job_template(),
        )
        try:
            client.create_work_pool(pool)
        except ObjectAlreadyExists:  # another process was faster
            return
