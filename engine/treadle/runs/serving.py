"""Serves the engine's own deployments: what people start in Prefect's UI runs in processes of this machine.

Run as `python -m treadle.runs.serving`, with Prefect's address and secret in the environment.
"""

from __future__ import annotations

import asyncio
from typing import Any

from prefect import Flow
from prefect.client.orchestration import get_client
from prefect.runner import Runner
from prefect.types.entrypoint import EntrypointType

from treadle.runs import collection_flow, upkeep_flow
from treadle.settings import load_settings

NAME = "treadle up"
AT_ONCE = 4
POLL_SECONDS = 2


async def serve() -> None:
    """Register the deployments and run what is asked of them, until SIGTERM or SIGINT."""
    runner = Runner(name=NAME, query_seconds=POLL_SECONDS, limit=AT_ONCE, pause_on_shutdown=False)
    await _add(runner, collection_flow.collect_package, collection_flow.DEPLOYMENT)
    await _add(runner, upkeep_flow.upkeep, upkeep_flow.DEPLOYMENT, cron=upkeep_flow.CRON)
    settings = load_settings()
    if settings.plugin_folders or settings.git_plugins:
        await _start_upkeep()
    await runner.start()


async def _add(runner: Runner, flow: Flow[..., Any], name: str, *, cron: str | None = None) -> None:
    deployment = await flow.ato_deployment(
        name,
        cron=cron,
        description=flow.description,
        tags=["treadle"],
        entrypoint_type=EntrypointType.MODULE_PATH,
    )
    await runner.aadd_deployment(deployment)


async def _start_upkeep() -> None:
    async with get_client() as client:
        found = await client.read_deployment_by_name(f"{upkeep_flow.FLOW}/{upkeep_flow.DEPLOYMENT}")
        await client.create_flow_run_from_deployment(found.id, name="plugins at start")


if __name__ == "__main__":
    asyncio.run(serve())
