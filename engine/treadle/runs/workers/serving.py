"""Works beside the server: runs what people start in the UI, and looks after runs whose driver died.

Run as `python -m treadle.runs.workers.serving`, with Prefect's address and secret in the environment. It ends
at SIGTERM, and when its standard input is closed, which is when its starter has died. The drivers that it has
started go on.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
from collections.abc import Callable, Coroutine
from typing import Any

from httpx import HTTPError
from prefect import Flow
from prefect.client.orchestration import get_client
from prefect.exceptions import PrefectException
from prefect.types.entrypoint import EntrypointType

from treadle.errors import TreadleError
from treadle.runs.deployments.deploying import refresh_deployments
from treadle.runs.flows import collection, upkeep
from treadle.runs.workers.reaper import look
from treadle.runs.workers.work_pool import WORK_POOL, ensure_work_pool
from treadle.runs.workers.worker import TreadleWorker
from treadle.settings import Settings, load_settings

NAME = "treadle up"
PAUSE_SECONDS = 2.0
LOOK_SECONDS = 3.0
REFRESH_SECONDS = 5.0
END_SECONDS = 5.0

logger = logging.getLogger(__name__)


async def serve() -> None:
    """Register the deployments, then run what is asked of them, until SIGTERM or SIGINT."""
    settings = load_settings()
    await asyncio.to_thread(_make_work_pool)
    await _register(collection.collect_package, collection.DEPLOYMENT)
    await _register(upkeep.upkeep, upkeep.DEPLOYMENT, cron=upkeep.CRON)
    if settings.plugin_folders or settings.git_plugins:
        await _start_upkeep()
    async with asyncio.TaskGroup() as group:
        group.create_task(_work(settings))
        for seconds, act in _duties(settings):
            group.create_task(_repeat(seconds, act))


def _make_work_pool() -> None:
    with get_client(sync_client=True) as client:
        ensure_work_pool(client)


def _duties(settings: Settings) -> list[tuple[float, Callable[[], object]]]:
    """What is done every so many seconds, in a thread, beside the worker."""
    return [(LOOK_SECONDS, lambda: look(settings)), (REFRESH_SECONDS, _refresh)]


def _refresh() -> None:
    for path in refresh_deployments():
        logger.info("form_changed deployment=%r", path)


async def _work(settings: Settings) -> None:
    """Be a worker; one that gave up, since the server was away for too long, is followed by the next."""
    while True:
        try:
            worker = TreadleWorker(WORK_POOL, name=NAME, limit=settings.runs_at_once)
            await worker.start(printer=logger.info)
        except* (PrefectException, HTTPError, RuntimeError) as errors:
            logger.warning("worker_ended errors=%r", errors.exceptions)
        await asyncio.sleep(PAUSE_SECONDS)


async def _repeat(seconds: float, act: Callable[[], object]) -> None:
    while True:
        try:
            await asyncio.to_thread(act)
        except (TreadleError, PrefectException, HTTPError) as error:
            logger.warning("duty_failed error=%r", error)
        await asyncio.sleep(seconds)


async def _register(flow: Flow[..., Any], name: str, *, cron: str | None = None) -> None:
    deployment = await flow.ato_deployment(
        name,
        cron=cron,
        description=flow.description,
        tags=["treadle"],
        work_pool_name=WORK_POOL,
        entrypoint_type=EntrypointType.MODULE_PATH,
    )
    await deployment.aapply()


async def _start_upkeep() -> None:
    async with get_client() as client:
        found = await client.read_deployment_by_name(f"{upkeep.FLOW}/{upkeep.DEPLOYMENT}")
        await client.create_flow_run_from_deployment(found.id, name="plugins at start")


async def until_ended(work: Coroutine[Any, Any, None]) -> None:
    """Do the work until a signal comes or the starter has gone.

    Raises:
        Exception: What the work raised.
    """
    loop, told = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, told.set)
    loop.add_reader(sys.stdin, told.set)
    working, telling = asyncio.create_task(work), asyncio.create_task(told.wait())
    await asyncio.wait({working, telling}, return_when=asyncio.FIRST_COMPLETED)
    if working.done():
        working.result()
    working.cancel()
    await asyncio.wait({working}, timeout=END_SECONDS)


def main() -> None:
    """Serve to the end; threads that wait for something are not waited for."""
    asyncio.run(until_ended(serve()))
    sys.stderr.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
