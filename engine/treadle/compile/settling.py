"""The end of a run in the ledger."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from treadle.compile.context import RunContext
from treadle.ledger import runs
from treadle.ledger.runs import StepRecord
from treadle.model.states import RUN_TRANSITIONS, RunState, StepState


@dataclass(frozen=True, slots=True)
class RunEnd:
    """How a run ended: its state, and one line for people."""

    state: RunState
    message: str


def settle(context: RunContext) -> RunEnd:
    """Settle the steps that never began and the run itself.

    Raises:
        LeaseLost: Another process drives the run.
    """
    with context.writing() as tx:
        record = runs.load_run(tx, context.run_id)
        unreached = StepState.CANCELLED if context.stop.is_set() else StepState.NOT_RUN
        for step in record.steps:
            if step.state is StepState.PLANNED:
                runs.set_step_state(tx, context.run_id, step.position, unreached)
        end = _end(record.steps, stopped=context.stop.is_set())
        error = None if end.state is RunState.DONE else end.message
        runs.set_run_state(tx, context.run_id, end.state, error)
    context.settled.set()
    return end


def mark_failed(context: RunContext, error: BaseException) -> None:
    """Never leave a run of a dead driver in a state that says it is alive."""
    state = RunState.CANCELLED if isinstance(error, KeyboardInterrupt) else RunState.FAILED
    with context.writing() as tx:
        current = runs.load_run(tx, context.run_id).state
        if state in RUN_TRANSITIONS[current]:
            runs.set_run_state(tx, context.run_id, state, f"The run's driver ended early: {error!r}")


def _end(steps: Sequence[StepRecord], *, stopped: bool) -> RunEnd:
    left = [step for step in steps if step.state is not StepState.DONE]
    failed = [step for step in left if step.state is StepState.FAILED]
    if not left:
        return RunEnd(RunState.DONE, f"{len(steps)} of {len(steps)} steps done")
    if failed:
        return RunEnd(RunState.FAILED, f"Step {failed[0].name!r} failed: {failed[0].error}")
    if stopped:
        return RunEnd(RunState.CANCELLED, "The run was cancelled.")
    names = ", ".join(repr(step.name) for step in left)
    return RunEnd(RunState.CANCELLED, f"Ended before steps that were left out on request: {names}.")
