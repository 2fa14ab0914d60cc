"""The work pool of Treadle's deployments."""

from __future__ import annotations

from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.client.schemas.objects import WorkPool
from prefect.exceptions import ObjectAlreadyExists

from treadle.runs.worker import WORK_POOL, TreadleWorker

__all__ = ["WORK_POOL", "ensure_work_pool"]


async def ensure_work_pool(client: PrefectClient) -> WorkPool:
    """Return the pool; it is made where there is none, and one that is there stays as it is."""
    pool = WorkPoolCreate(
        name=WORK_POOL,
        type=TreadleWorker.type,
        description="Runs of Treadle's deployments, driven by processes that outlive their worker.",
        base_job_template=TreadleWorker.get_default_base_job_template(),
    )
    try:
        return await client.create_work_pool(pool)
    except ObjectAlreadyExists:
        return await client.read_work_pool(WORK_POOL)
