"""Drives one run to its end: compile, call the Prefect flow, settle."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, cast

from treadle.clusters import Cluster, open_cluster
from treadle.compile.context import RunContext
from treadle.compile.flow import compile_flow
from treadle.compile.identity import is_gone, this_driver
from treadle.compile.interrupts import stop_on_signals
from treadle.compile.naming import flow_run_tags
from treadle.compile.observer import Observer
from treadle.compile.scope import EVERYTHING, Scope
from treadle.compile.settling import mark_failed
from treadle.errors import AlreadyDriven, LeaseLost, ServerError, StorageFull
from treadle.execute.journal import remove_journals
from treadle.ledger import Ledger, leases, runs
from treadle.ledger.runs import RunRecord
from treadle.model.outputs import OUTPUT_KEYS, OUTPUT_KEYS_VARIABLE
from treadle.model.placement import place_plan
from treadle.model.states import RunState
from treadle.runs.deployments.deployed_runs import new_deployed_run
from treadle.runs.garbage import rarer_collections
from treadle.runs.settle import wait_until_prefect_agrees
from treadle.runs.unit_cache import unit_cache_of
from treadle.settings import Settings

if TYPE_CHECKING:
    from prefect.client.schemas.objects import State

logger = logging.getLogger(__name__)


def drive(
    run_id: int,
    *,
    ledger: Ledger,
    settings: Settings,
    cluster: Cluster,
    observer: Observer,
    scope: Scope = EVERYTHING,
) -> RunRecord:
    """Run a submitted run to its end in this process, or resume one that is not done.

    Call it in the main thread, with Prefect's address and secret in the environment. Ctrl-C and SIGTERM
    cancel the run: what is done stays done and merged, the rest is recorded as cancelled.

    Returns:
        The run as the ledger has it at the end, whatever its state; at once if there is nothing to do.

    Raises:
        UnknownName: There is no such run.
        AlreadyDriven: Another process drives it.
        LeaseLost: Another process has taken the run over meanwhile.
        ServerError: Prefect's server could not be reached or refused the run.
        StorageFull: The folder of the run's logs could not be made.
    """
    context = context_of(
        run_id, ledger=ledger, settings=settings, cluster=cluster, observer=observer, scope=scope
    )
    with ledger.reading() as tx:
        record = runs.load_run(tx, run_id)
    if record.state is RunState.DONE and not scope.with_done:
        return record
    with _settled(context), stop_on_signals(context.stop), rarer_collections():
        _call_flow(context)
    with ledger.reading() as tx:
        record = runs.load_run(tx, run_id)
    wait_until_prefect_agrees(record, scope)
    return record


@contextmanager
def prepared(run_id: int, *, ledger: Ledger, settings: Settings, observer: Observer) -> Iterator[RunContext]:
    """What `conduct` takes, with the run's cluster up, for a flow run that is there already.

    A run whose cluster does not come up is recorded as failed.

    Raises:
        TreadleError: As for `context_of`, or the cluster did not start.
    """
    with ledger.reading() as tx:
        name = runs.load_run(tx, run_id).plan.cluster
    cluster = open_cluster(name, settings)
    context = context_of(run_id, ledger=ledger, settings=settings, cluster=cluster, observer=observer)
    with _settled(context), rarer_collections(), cluster:
        yield context


def context_of(
    run_id: int,
    *,
    ledger: Ledger,
    settings: Settings,
    cluster: Cluster,
    observer: Observer,
    scope: Scope = EVERYTHING,
) -> RunContext:
    """Return what `compile_flow` and `conduct` take, for a run that this process is to drive.

    Raises:
        UnknownName: There is no such run, or its cluster is described no more.
        WorkflowInvalid: By now its cluster cannot run it.
        AlreadyDriven: Another process drives it.
        StorageFull: The folder of the run's logs could not be made.
    """
    driver = this_driver()
    with ledger.reading() as tx:
        leases.check_free(tx, run_id, driver, is_gone=is_gone)
        record = runs.load_run(tx, run_id)
    profile = settings.cluster(record.plan.cluster)
    return RunContext(
        run_id=run_id,
        driver=driver,
        plan=place_plan(record.plan, profile),
        dataset_id=record.dataset_id,
        ledger=ledger,
        cluster=cluster,
        observer=observer,
        log_folder=_make_log_folder(settings.run_logs_folder(run_id)),
        unit_environment={
            "FRACTAL_CACHE_DIR": str(settings.cache_folder),
            OUTPUT_KEYS_VARIABLE: OUTPUT_KEYS,
        },
        profile=profile,
        scope=scope,
        cache=unit_cache_of(record.plan, settings),
        by_content=settings.compare_contents,
    )


def _call_flow(context: RunContext) -> None:
    """Call the compiled flow.

    A flow that could not begin, or was ended by others, is an error; one that ended as the ledger says is
    not, whatever Prefect calls it.
    """
    from httpx import HTTPError
    from prefect import tags
    from prefect.exceptions import PrefectException
    from prefect.flow_engine import run_flow

    flow, parameters = compile_flow(context), {"run": context.run_id, "dataset": context.plan.dataset}
    deployed = new_deployed_run(context)
    try:
        if deployed is None:
            with tags(*flow_run_tags(context.plan, context.run_id)):
                state = flow(**parameters, return_state=True)
        else:
            state = cast(
                "State[None]",
                run_flow(flow, flow_run=deployed, parameters=parameters, return_type="state"),
            )
    except (PrefectException, HTTPError, RuntimeError) as error:
        if context.settled.is_set():
            logger.warning("prefect_not_told run=%d error=%r", context.run_id, error)
            return
        raise ServerError(
            f"Prefect's server did not take run {context.run_id}: {error}.",
            remedy="Look into server/server.log in Treadle's home folder, then run the workflow again.",
        ) from error
    if not context.settled.is_set():
        state.result(raise_on_failure=True)


@contextmanager
def _settled(context: RunContext) -> Iterator[None]:
    """See to it that the ledger does not call a run alive whose drive has ended."""
    try:
        yield
    except (AlreadyDriven, LeaseLost):
        raise
    except BaseException as error:
        _mark_failed(context, error)
        raise
    with context.ledger.reading() as tx:
        state = runs.load_run(tx, context.run_id).state
    if state is RunState.DONE:
        remove_journals(context.log_folder)


def _mark_failed(context: RunContext, error: BaseException) -> None:
    """Settle a run whose flow never began; nothing is done where another process has it meanwhile."""
    with context.ledger.writing() as tx:
        try:
            leases.acquire(tx, context.run_id, context.driver, is_gone=is_gone)
        except AlreadyDriven:
            return
    mark_failed(context, error)
    with context.ledger.writing() as tx:
        leases.release(tx, context.run_id, context.driver)


def _make_log_folder(folder: Path) -> Path:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise StorageFull(f"The folder {folder} for the run's logs cannot be made: {error}.") from error
    return folder
