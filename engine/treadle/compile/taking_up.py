"""Takes up a run where its last driver left it, by its own will or not; a new run is the simplest case."""

from __future__ import annotations

from collections import defaultdict

from treadle.compile.context import RunContext
from treadle.compile.prefect_runs import mark_crashed
from treadle.compile.reuse import StepReuse
from treadle.errors import LedgerError
from treadle.execute.journal import claim_journals, read_journals, remove_journals, wait_until_closed
from treadle.ledger import runs, units
from treadle.ledger.runs import RunRecord
from treadle.ledger.units import UnitEntry
from treadle.model.records import UnitRecord
from treadle.model.states import RunState

WORKERS_SECONDS = 30.0


def take_up(context: RunContext, flow_run_id: str) -> RunRecord:
    """Make a run ready to be driven by the holder of its lease, as this flow run of Prefect.

    Units that ended without the ledger's hearing of it are taken from the workers' journals. Another flow run
    that still seems to run is ended in Prefect; a flow run that is retried there stays the run's own.

    Returns:
        The run, with the steps that are to be done planned again; a run that is done is returned as it is.

    Raises:
        LeaseLost: Another process drives the run.
        LedgerError: Workers of the last driver are still running units.
    """
    with context.ledger.reading() as tx:
        record = runs.load_run(tx, context.run_id)
    if record.state is RunState.DONE and not context.scope.with_done:
        return record
    claim_journals(context.log_folder, context.driver)
    if not wait_until_closed(context.log_folder, WORKERS_SECONDS):
        raise LedgerError(
            f"Workers of the last driver of run {context.run_id} are still running units.",
            remedy="Wait for their end, or end them, then resume the run.",
        )
    if record.state is RunState.SUBMITTED:  # nothing of it has run: they are of another ledger's run
        remove_journals(context.log_folder)
    _take_in_journals(context)
    if record.prefect_flow_run_id not in {None, flow_run_id}:
        mark_crashed(
            str(record.prefect_flow_run_id), f"Its driver ended early; run {context.run_id} was resumed."
        )
    with context.writing() as tx:
        runs.reopen_run(tx, context.run_id, context.scope.positions, with_done=context.scope.with_done)
        runs.set_prefect_run(tx, context.run_id, flow_run_id)
        runs.set_run_state(tx, context.run_id, RunState.RUNNING)
        return runs.load_run(tx, context.run_id)


def _take_in_journals(context: RunContext) -> None:
    """Record all units that are in the journals and not done in the ledger, in one transaction a step.

    What they did is kept for other runs too, like that of any unit.
    """
    by_step: dict[int, list[UnitRecord]] = defaultdict(list)
    for position, record in read_journals(context.log_folder):
        by_step[position].append(record)
    for position, records in by_step.items():
        reuse = StepReuse(context, position)
        waiting: list[UnitEntry] = []
        with context.writing() as tx:
            if reuse.keeps:
                waiting = units.list_units(tx, context.run_id, position, with_done=False, with_args=True)
            units.record_units(tx, context.run_id, position, records)
        reuse.keep_unheard(waiting, records)
