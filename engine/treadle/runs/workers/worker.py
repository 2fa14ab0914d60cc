"""Prefect's worker for Treadle's work pool: each flow run gets a driver that outlives the worker.

Prefect's own worker kills its flows when it is restarted. This one starts a detached process for each,
leaves it alone when the worker ends, and finds it again when the next worker starts: an upgrade disturbs no
run. What it finds out when a driver has ended is told to Prefect, if the driver could not do that.

Prefect imports this module for every command that looks for workers: it imports nothing heavy.
"""

from __future__ import annotations

import asyncio
import logging
import os
import shlex
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

from prefect.exceptions import InfrastructureNotAvailable, InfrastructureNotFound, ObjectNotFound
from prefect.workers.base import BaseJobConfiguration, BaseVariables, BaseWorker, BaseWorkerResult
from pydantic import Field, PrivateAttr

from treadle.compile.identity import is_alive, is_driver, is_gone
from treadle.runs.workers.process import DRIVER, IN_PLACE, Ending, remove_old_logs, start_detached

if TYPE_CHECKING:
    from prefect.client.schemas.objects import FlowRun, State

LOOK_SECONDS = 0.5
ASK_SECONDS = 2.0
AGAIN_SECONDS = 5.0
STRANDED_SECONDS = 60.0
PAGE = 200

logger = logging.getLogger(__name__)


class DriverVariables(BaseVariables):
    """What a deployment or a person may say of the process."""

    working_dir: Path | None = Field(
        default=None,
        title="Working directory",
        description="Folder that the flow is run in. Left out: the worker's, or an empty one for a flow in a "
        "file.",
    )


class DriverConfiguration(BaseJobConfiguration):
    """What the process of one flow run is started with."""

    working_dir: Path | None = Field(default=None)
    _own_command: str | None = PrivateAttr(default=None)

    def prepare_for_flow_run(self, *arguments: Any, **more: Any) -> None:
        """Add the worker's own environment, and remember whether the command is somebody's wish."""
        self._own_command = self.command
        super().prepare_for_flow_run(*arguments, **more)
        self.env = {**os.environ, **self.env}

    @property
    def words(self) -> list[str]:
        """The command: Treadle's driver, unless another is wished for."""
        if self._own_command is not None:
            return shlex.split(self._own_command)
        return [*DRIVER, *([] if self.working_dir is None else [IN_PLACE])]


class DriverResult(BaseWorkerResult):
    """How the process ended; what that means for its flow run is settled by then."""


class TreadleWorker(BaseWorker[DriverConfiguration, DriverVariables, DriverResult]):
    """Starts drivers, watches them to their end, and finds those of earlier workers again."""

    type = "treadle"
    job_configuration = DriverConfiguration
    job_configuration_variables = DriverVariables
    _description = "Flow runs in processes of this machine that outlive the worker which started them."
    _display_name = "Treadle"

    async def setup(self) -> None:
        """Begin to work; the drivers that there are already are watched from now on."""
        await super().setup()
        from treadle.settings import load_settings

        self._server_folder = load_settings().server_folder
        self._logs = self._server_folder / "drivers"
        remove_old_logs(self._logs)
        self._watched: set[UUID] = set()
        if self._runs_task_group is not None:
            self._runs_task_group.start_soon(self._find_earlier)

    async def run(
        self,
        flow_run: FlowRun,
        configuration: DriverConfiguration,
        task_status: Any = None,
    ) -> DriverResult:
        """Start the driver of a flow run and wait for its end; it goes on where this is cancelled.

        Args:
            flow_run: The flow run.
            configuration: What its process is started with.
            task_status: Takes the driver's name once it has started; a `TaskStatus` of anyio's.
        """
        name, process = start_detached(
            configuration.words,
            environment={key: value for key, value in configuration.env.items() if value is not None},
            folder=configuration.working_dir,
            log_file=self._logs / f"{flow_run.id}.log",
            server_folder=self._server_folder,
        )
        logger.info("driver_started prefect_run=%s driver=%s", flow_run.id, name)
        if task_status is not None:
            task_status.started(name)
        await self._watch(flow_run.id, name, process)
        return DriverResult(identifier=name, status_code=0)

    async def kill_infrastructure(
        self, infrastructure_pid: str, configuration: DriverConfiguration, grace_seconds: int = 30
    ) -> None:
        """End a driver by SIGTERM, then by SIGKILL.

        Raises:
            InfrastructureNotAvailable: It is on another machine, or no driver of Treadle's.
            InfrastructureNotFound: It has ended.
        """
        del configuration
        if not is_driver(infrastructure_pid):
            raise InfrastructureNotAvailable(f"{infrastructure_pid} is no driver of Treadle's.")
        if is_gone(infrastructure_pid):
            raise InfrastructureNotFound(f"The driver {infrastructure_pid} has ended.")
        if not is_alive(infrastructure_pid):
            raise InfrastructureNotAvailable(f"The driver {infrastructure_pid} is on another machine.")
        ending = Ending(infrastructure_pid, by_itself=0, grace=grace_seconds)
        while not is_gone(infrastructure_pid):
            ending.press()
            await asyncio.sleep(LOOK_SECONDS)

    async def _find_earlier(self) -> None:
        """Watch the drivers that earlier workers of this machine have left."""
        from prefect.client.schemas.filters import FlowRunFilter, WorkPoolFilter, WorkPoolFilterName
        from prefect.client.schemas.objects import StateType

        under_way = [StateType.PENDING, StateType.RUNNING, StateType.CANCELLING]
        chosen = FlowRunFilter.model_validate({"state": {"type": {"any_": under_way}}})
        pool = WorkPoolFilter(name=WorkPoolFilterName(any_=[self._work_pool_name]))
        found: list[FlowRun] = []
        while True:
            page = await self._asked(
                self.client.read_flow_runs,
                flow_run_filter=chosen,
                work_pool_filter=pool,
                limit=PAGE,
                offset=len(found),
            )
            found += page
            if len(page) < PAGE:
                break
        for flow_run in found:
            if self._runs_task_group is not None and not self._is_mine(flow_run.id):
                self._runs_task_group.start_soon(self._take_over, flow_run)

    def _is_mine(self, flow_run_id: UUID) -> bool:
        return flow_run_id in self._watched or flow_run_id in self._submitting_flow_run_ids

    async def _take_over(self, flow_run: FlowRun) -> None:
        """Watch the driver that a flow run has; one of an earlier try is none."""
        driver, state = flow_run.infrastructure_pid, flow_run.state
        if state is not None and state.is_pending() and (driver is None or _has_ended(driver)):
            await self._start_stranded(flow_run)
        elif is_driver(driver) and driver is not None and (is_alive(driver) or is_gone(driver)):
            logger.info("driver_found prefect_run=%s driver=%s", flow_run.id, driver)
            self._occupy_slot(flow_run.id)
            try:
                await self._watch(flow_run.id, driver)
            finally:
                self._release_limit_slot(flow_run.id)

    async def _start_stranded(self, flow_run: FlowRun) -> None:
        """Schedule anew what a worker took, and was killed before it started a driver."""
        from prefect.states import AwaitingRetry

        await asyncio.sleep(STRANDED_SECONDS)
        now = await self._asked(self.client.read_flow_run, flow_run.id)
        if now is None or self._is_mine(now.id):
            return
        if now.infrastructure_pid != flow_run.infrastructure_pid:
            await self._take_over(now)
        elif now.state is not None and now.state.is_pending():
            again: State[Any] = AwaitingRetry(
                message="The worker that took it ended before it could start it."
            )
            await self._asked(self.client.set_flow_run_state, now.id, again, force=True)

    def _occupy_slot(self, flow_run_id: UUID) -> None:
        """Count a driver that was found among those at once, as far as there is room for it."""
        if self._limiter is not None and self._limiter.available_tokens >= 1:
            self._limiter.acquire_on_behalf_of_nowait(flow_run_id)

    async def _watch(
        self, flow_run_id: UUID, driver: str, process: subprocess.Popen[bytes] | None = None
    ) -> None:
        """Wait for a driver's end, see to it where its flow run is to be cancelled, and settle the rest."""
        self._watched.add(flow_run_id)
        try:
            ending, asked_at = Ending(driver), time.monotonic()
            while not is_gone(driver):
                await asyncio.sleep(LOOK_SECONDS)
                if process is not None:
                    process.poll()
                if time.monotonic() - asked_at >= ASK_SECONDS:
                    flow_run = await self._asked(self.client.read_flow_run, flow_run_id)
                    asked_at = time.monotonic()
                    if flow_run is not None and flow_run.state is not None and flow_run.state.is_cancelling():
                        ending.press()
            if process is None:  # another one may have been started that is not known yet
                await asyncio.sleep(AGAIN_SECONDS)
            await self._conclude(flow_run_id, driver, was_told=ending.has_told)
        finally:
            self._watched.discard(flow_run_id)

    async def _conclude(self, flow_run_id: UUID, driver: str, *, was_told: bool) -> None:
        """Tell Prefect the end of a flow run whose driver has ended without doing that.

        A flow of Prefect's own calls it a crash that SIGTERM ends it, but it was told to end to be cancelled.
        """
        flow_run = await self._asked(self.client.read_flow_run, flow_run_id)
        if flow_run is None or flow_run.infrastructure_pid not in {None, driver}:
            return
        if flow_run_id in self._submitting_flow_run_ids:
            return  # it was retried at once, and its next driver is about to start
        from prefect.states import Cancelled

        from treadle.runs.workers.endings import is_open, state_after, tell_steps_of

        if flow_run.state is not None and was_told and flow_run.state.is_crashed():
            state: State[Any] = Cancelled(message="It was cancelled, and ended by its worker.")
            await self._asked(self.client.set_flow_run_state, flow_run_id, state, force=True)
        elif flow_run.state is not None and is_open(flow_run.state):
            state = await asyncio.to_thread(state_after, flow_run)
            logger.info("driver_ended prefect_run=%s state=%s", flow_run_id, state.name)
            await self._asked(self.client.set_flow_run_state, flow_run_id, state, force=True)
            await self._asked(asyncio.to_thread, tell_steps_of, flow_run_id)

    async def _asked(self, ask: Any, *arguments: Any, **more: Any) -> Any:
        """Ask Prefect's server until it answers; None where there is no such flow run any more."""
        from httpx import HTTPError
        from prefect.exceptions import PrefectException

        while True:
            try:
                return await ask(*arguments, **more)
            except ObjectNotFound:
                return None
            except (PrefectException, HTTPError) as error:
                logger.warning("prefect_not_answering error=%r", error)
                await asyncio.sleep(AGAIN_SECONDS)


def _has_ended(driver: str) -> bool:
    return is_driver(driver) and is_gone(driver)
