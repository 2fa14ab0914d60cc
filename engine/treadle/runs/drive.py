"""Drives one run from submitted to its end: compile, call the Prefect flow, settle."""

from __future__ import annotations

from pathlib import Path

from treadle.clusters.port import Cluster
from treadle.compile.context import RunContext
from treadle.compile.flow import compile_flow
from treadle.compile.observer import Observer
from treadle.errors import ServerError, StorageFull
from treadle.ledger import Ledger, runs
from treadle.ledger.runs import RunRecord
from treadle.model.states import RUN_TRANSITIONS, RunState
from treadle.runs.interrupts import stop_on_signals
from treadle.runs.settle import wait_until_prefect_agrees
from treadle.settings import Settings


def drive(
    run_id: int, *, ledger: Ledger, settings: Settings, cluster: Cluster, observer: Observer
) -> RunRecord:
    """Run a submitted run to its end, in this process.

    Call it in the main thread, with Prefect's address and secret in the environment. Ctrl-C and SIGTERM
    cancel the run: what is done stays done and merged, the rest is recorded as cancelled.

    Returns:
        The run as the ledger has it at the end, whatever its state.

    Raises:
        ServerError: Prefect's server could not be reached or refused the run.
        StorageFull: The folder of the run's logs could not be made.
    """
    with ledger.reading() as tx:
        record = runs.load_run(tx, run_id)
    context = RunContext(
        run_id=run_id,
        plan=record.plan,
        dataset_id=record.dataset_id,
        ledger=ledger,
        cluster=cluster,
        observer=observer,
        log_folder=_make_log_folder(settings.logs_folder / f"run-{run_id:06d}"),
        unit_environment={"FRACTAL_CACHE_DIR": str(settings.home / "fractal" / ".fractal_cache")},
    )
    try:
        with stop_on_signals(context.stop):
            _call_flow(context)
    except BaseException as error:
        _mark_failed(context, error)
        raise
    with ledger.reading() as tx:
        record = runs.load_run(tx, run_id)
    wait_until_prefect_agrees(record)
    return record


def _call_flow(context: RunContext) -> None:
    """Call the run's flow; return when the ledger has the run's end.

    The flow's own errors come out as they are; those of the way to Prefect's server are RuntimeError
    (unreachable), HTTPError (refused) or PrefectException.
    """
    from httpx import HTTPError
    from prefect.exceptions import PrefectException

    flow = compile_flow(context)
    try:
        state = flow(run=context.run_id, dataset=context.plan.dataset, return_state=True)
    except (PrefectException, HTTPError, RuntimeError) as error:
        raise ServerError(
            f"Prefect's server did not take run {context.run_id}: {error}.",
            remedy="Look into server/server.log in Treadle's home folder, then run the workflow again.",
        ) from error
    with context.ledger.reading() as tx:
        ended = not RUN_TRANSITIONS[runs.load_run(tx, context.run_id).state]
    if not ended:
        state.result(raise_on_failure=True)


def _mark_failed(context: RunContext, error: BaseException) -> None:
    """Never leave a run of a dead driver in a state that says it is alive."""
    state = RunState.CANCELLED if isinstance(error, KeyboardInterrupt) else RunState.FAILED
    with context.ledger.writing() as tx:
        current = runs.load_run(tx, context.run_id).state
        if state in RUN_TRANSITIONS[current]:
            runs.set_run_state(tx, context.run_id, state, f"The run's driver ended early: {error!r}")


def _make_log_folder(folder: Path) -> Path:
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise StorageFull(
            f"The folder {folder} for the run's logs cannot be made: {error.strerror}.",
            remedy="Free space, or set TREADLE_HOME to a folder you may write.",
        ) from error
    return folder
