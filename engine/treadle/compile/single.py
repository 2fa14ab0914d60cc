"""A run of one step inside a task of somebody's own flow: one Prefect task run for all of its units."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

from treadle.compile.artifacts.keeper import RunArtifacts
from treadle.compile.context import RunContext
from treadle.compile.interrupts import stop_on_signals
from treadle.compile.observer import Observers
from treadle.compile.settling import mark_failed, settle
from treadle.compile.step import StepRun
from treadle.compile.supervision import supervised
from treadle.compile.taking_up import take_up
from treadle.errors import LeaseLost
from treadle.execute.journal import remove_journals
from treadle.model.states import RunState


def conduct_step(context: RunContext, flow_run_id: UUID, task_run_id: UUID) -> None:
    """Drive a run of one step from where it is to its end; the ledger then has it.

    Called again, it goes on where the run ended: a run that is done stays as it is.

    Args:
        context: The run.
        flow_run_id: The flow run in which it is driven; if that is cancelled, so is the run.
        task_run_id: The task run that shows it.

    Raises:
        AlreadyDriven: Another process drives the run.
        LeaseLost: Another process has taken it over; nothing was written since.
    """
    with supervised(context, str(flow_run_id)), stop_on_signals(context.stop):
        try:
            _conduct(context, flow_run_id, task_run_id)
        except LeaseLost:
            raise
        except BaseException as error:
            mark_failed(context, error)
            raise


def _conduct(context: RunContext, flow_run_id: UUID, task_run_id: UUID) -> None:
    record = take_up(context, str(flow_run_id))
    if record.state is RunState.DONE:
        return
    [row] = record.steps
    artifacts = RunArtifacts(context, flow_run_id, record, is_whole=False)
    context = replace(context, observer=Observers(context.observer, artifacts))
    with artifacts.kept():
        artifacts.begin(row.position, row.name, task_run_id)
        end = StepRun(context, row.position).run()
        artifacts.end(row.position, end.report)
        ended = settle(context)
    if ended.state is RunState.DONE:
        remove_journals(context.log_folder)
