"""Looks after runs whose driver died: ends what is left of them, says so everywhere, and takes them up again.

Nothing is done on a guess. A driver of this machine is dead when its process is gone, another one when its
lease has long run out; the ledger is changed only while nobody holds the lease.
"""

from __future__ import annotations

import logging
import os
import sys
from collections import defaultdict
from typing import TYPE_CHECKING, Any
from uuid import UUID

from treadle.clusters.slurm.leftovers import end_leftovers
from treadle.compile.identity import is_alive, is_driver, is_gone
from treadle.errors import ClusterError, TreadleError, UnknownName
from treadle.ledger import Ledger, activities, jobs, leases, recovery, runs
from treadle.ledger.jobs import JobRow
from treadle.ledger.recovery import DrivenRun
from treadle.model.states import RUN_TRANSITIONS, RunState, StepState
from treadle.runs.cancel import cancel
from treadle.runs.workers.endings import DIED, ended_state, open_ledger, tell_steps
from treadle.runs.workers.process import start_detached
from treadle.settings import Settings

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient
    from prefect.client.schemas.objects import FlowRun, State

DRIVER_JOBS = "treadle-driver-"
PAGE = 200
UNNAMED_SECONDS = 60.0
"""What a driver that nobody knows the process of gets for telling Prefect an end that the ledger has."""

logger = logging.getLogger(__name__)


def look(settings: Settings) -> None:
    """Look once after all runs of the ledger.

    Raises:
        LedgerError: The ledger could not be read or written.
        PrefectException, HTTPError: Prefect's server does not answer; what is left is done at the next look.
    """
    from prefect.client.orchestration import get_client

    with open_ledger(settings) as ledger, get_client(sync_client=True) as client:
        with ledger.reading() as tx:
            lost = activities.lost(tx, is_gone=is_gone)
            abandoned = recovery.abandoned_runs(tx, is_gone=is_gone, is_alive=is_alive)
        if lost:
            with ledger.writing() as tx:
                activities.end_lost(tx, is_gone=is_gone)
        for run in abandoned:
            try:
                _settle(settings, ledger, client, run)
            except TreadleError as error:
                logger.warning("run_not_settled run=%d error=%s %s", run.id, error, error.detail)
        _tell_ends(ledger, client)


def _settle(settings: Settings, ledger: Ledger, client: SyncPrefectClient, run: DrivenRun) -> None:
    """Settle one run whose driver is dead, unless somebody else has it in hand."""
    flow_run = _flow_run_of(client, run)
    if flow_run is not None and flow_run.state is not None and not flow_run.state.is_final():
        _crash(client, run, flow_run)
        return  # the rest is done at the next look: by then its worker knows, too
    if _comes_again(settings, ledger, run) or not _end_jobs(settings, ledger, run):
        return
    cancelled = flow_run is not None and flow_run.state is not None and flow_run.state.is_cancelled()
    if cancelled or run.cancel_requested:
        cancel(ledger, run.id)
        if flow_run is not None:
            tell_steps(client, ledger, flow_run.id)
        return
    recovers = run.recoveries < settings.recover and (_can_retry(run, flow_run) or not run.is_part)
    if not _record_death(ledger, run, flow_run, of=settings.recover if recovers else 0):
        return
    if flow_run is not None:
        tell_steps(client, ledger, flow_run.id)
    if recovers:
        _recover(settings, client, run, flow_run)


def _flow_run_of(client: SyncPrefectClient, run: DrivenRun) -> FlowRun | None:
    from prefect.exceptions import ObjectNotFound

    if run.prefect_flow_run_id is None:
        return None
    try:
        return client.read_flow_run(UUID(run.prefect_flow_run_id))
    except ObjectNotFound:
        return None


def _crash(client: SyncPrefectClient, run: DrivenRun, flow_run: FlowRun) -> None:
    """Tell Prefect that a flow run's driver is dead, unless another one has it or is about to."""
    from prefect.states import Cancelled, Crashed

    state, driver = flow_run.state, flow_run.infrastructure_pid
    if state is None or not (state.is_running() or state.is_cancelling()):
        return  # it waits for its worker, or for a person
    if is_driver(driver) and driver is not None and driver != run.driver and not is_gone(driver):
        return
    told: State[Any] = (
        Cancelled(message="It was cancelled.") if state.is_cancelling() else Crashed(message=DIED)
    )
    client.set_flow_run_state(flow_run.id, told, force=True)


def _comes_again(settings: Settings, ledger: Ledger, run: DrivenRun) -> bool:
    """Whether the run's driver is in a job that SLURM runs, or will run again: after its node failed, say.

    Raises:
        ControllerAway: SLURM did not answer.
    """
    from treadle.clusters.slurm.driver_job import end_of

    with ledger.reading() as tx:
        drivers = [job for job in jobs.open_jobs(tx, run.id) if job.name.startswith(DRIVER_JOBS)]
    return any(end_of(settings.cluster(job.cluster), job.job_id) is None for job in drivers)


def _end_jobs(settings: Settings, ledger: Ledger, run: DrivenRun) -> bool:
    """End the jobs that units of the run were to run in; return whether that is done.

    Jobs of a driver that has taken the run up meanwhile are none of these.
    """
    left: dict[str, list[JobRow]] = defaultdict(list)
    with ledger.reading() as tx:
        if leases.holder_of(tx, run.id, is_gone=is_gone) is not None:
            return False
        for job in jobs.open_jobs(tx, run.id):
            left[job.cluster].append(job)
    for cluster, rows in left.items():
        try:
            ends = end_leftovers(settings.cluster(cluster), {row.name: row.job_id for row in rows})
        except UnknownName:
            continue  # nobody can reach that cluster any more
        except ClusterError as error:
            logger.warning("jobs_not_ended run=%d cluster=%s error=%s", run.id, cluster, error)
            return False
        with ledger.writing() as tx:
            for job_id, end in ends.items():
                jobs.end_job(
                    tx,
                    run.id,
                    cluster,
                    job_id,
                    state=end.state,
                    node=end.node,
                    submitted_at=end.submitted_at,
                    started_at=end.started_at,
                    ended_at=end.ended_at,
                    cpu_seconds=end.cpu_seconds,
                    peak_memory_mb=end.peak_memory_mb,
                    text="Its driver died, and it was cancelled.",
                )
    return True


def _can_retry(run: DrivenRun, flow_run: FlowRun | None) -> bool:
    """Whether the run goes on when its flow run is retried, for which that needs a deployment."""
    return run.is_found_again and flow_run is not None and flow_run.deployment_id is not None


def _record_death(ledger: Ledger, run: DrivenRun, flow_run: FlowRun | None, *, of: int) -> bool:
    """Write into the ledger that the run failed with its driver; return False if somebody else has it by now.

    Args:
        ledger: The ledger.
        run: The run.
        flow_run: Its flow run.
        of: How often it may be taken up by itself; 0 if it is not this time.
    """
    retry = "Retry in Prefect's UI or with " if _can_retry(run, flow_run) else ""
    text = (
        f"The run's driver died. It is taken up again, for the {run.recoveries + 1}. time of {of}."
        if of
        else f"The run's driver died. What is done is kept: go on with {retry}treadle resume {run.id}."
    )
    with ledger.writing() as tx:
        record = runs.load_run(tx, run.id)
        if leases.holder_of(tx, run.id, is_gone=is_gone) is not None or not RUN_TRANSITIONS[record.state]:
            return False
        leases.take_away(tx, run.id)
        for step in record.steps:
            if step.state is StepState.RUNNING:
                runs.set_step_state(tx, run.id, step.position, StepState.FAILED, "The run's driver died.")
            elif step.state is StepState.PLANNED:
                runs.set_step_state(tx, run.id, step.position, StepState.NOT_RUN)
        runs.set_run_state(tx, run.id, RunState.FAILED, text)
        if of:
            recovery.count_recovery(tx, run.id)
    logger.warning("driver_died run=%d driver=%s recovers=%s", run.id, run.driver, bool(of))
    return True


def _recover(settings: Settings, client: SyncPrefectClient, run: DrivenRun, flow_run: FlowRun | None) -> None:
    """Have the run taken up: by a worker if its flow run can be retried, else by a process of its own."""
    from prefect.states import AwaitingRetry

    if flow_run is not None and _can_retry(run, flow_run):
        again: State[Any] = AwaitingRetry(message=f"The driver of run {run.id} died; it is taken up again.")
        client.set_flow_run_state(flow_run.id, again)
        return
    start_detached(
        [sys.executable, "-P", "-m", "treadle", "resume", str(run.id)],
        environment=os.environ,
        folder=None,
        log_file=settings.server_folder / "drivers" / f"run-{run.id}.log",
        server_folder=settings.server_folder,
    )


def _tell_ends(ledger: Ledger, client: SyncPrefectClient) -> None:
    """Tell Prefect the ends that only the ledger has, of drivers that died or found no server in the end."""
    from prefect.client.schemas.filters import FlowRunFilter
    from prefect.client.schemas.objects import StateType

    under_way = [StateType.RUNNING, StateType.CANCELLING]
    chosen = FlowRunFilter.model_validate({"state": {"type": {"any_": under_way}}})
    for flow_run in client.read_flow_runs(flow_run_filter=chosen, limit=PAGE):
        driver = flow_run.infrastructure_pid
        if driver is not None and is_driver(driver) and not is_gone(driver):
            continue
        patience = 0.0 if driver is not None and is_driver(driver) else UNNAMED_SECONDS
        end = ended_state(ledger, str(flow_run.id), since_seconds=patience)
        if end is not None:
            client.set_flow_run_state(flow_run.id, end, force=True)
            tell_steps(client, ledger, flow_run.id)
