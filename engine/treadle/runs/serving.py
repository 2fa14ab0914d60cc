"""Serves the engine's own deployments: what people start in Prefect's UI runs in processes of this machine.

Run as `python -m treadle.runs.serving`, with Prefect's address and secret in the environment.
"""

from __future__ import annotations

import asyncio

from prefect.runner import Runner
from prefect.types.entrypoint import EntrypointType

from treadle.runs.collection_flow import DEPLOYMENT, collect_package

NAME = "treadle up"
AT_ONCE = 4
POLL_SECONDS = 2


async def serve() -> None:
    """Register the deployments and run what is asked of them, until SIGTERM or SIGINT."""
    runner = Runner(name=NAME, query_seconds=POLL_SECONDS, limit=AT_ONCE, pause_on_shutdown=False)
    deployment = await collect_package.ato_deployment(
        DEPLOYMENT,
        description=collect_package.description,
        tags=["treadle"],
        entrypoint_type=EntrypointType.MODULE_PATH,
    )
    await runner.aadd_deployment(deployment)
    await runner.start()


if __name__ == "__main__":
    asyncio.run(serve())
