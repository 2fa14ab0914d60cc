"""What is to be done of a run that is taken up again."""

from __future__ import annotations

from collections.abc import Sequence

from treadle.compile.identity import is_gone, this_driver
from treadle.compile.scope import EVERYTHING, Scope
from treadle.errors import UsageError
from treadle.ledger import Ledger, leases
from treadle.ledger.runs import RunRecord, StepRecord, load_run
from treadle.model.graph import between
from treadle.model.states import StepState
from treadle.runs.availability import check_available


def check_resumable(ledger: Ledger, run_id: int) -> None:
    """Refuse early, before anything is started for the run, what `drive` would refuse.

    Raises:
        UnknownName: There is no such run.
        AlreadyDriven: Another process drives it.
        WorkflowInvalid: An environment that it needs cannot be used; says which command mends that.
    """
    with ledger.reading() as tx:
        leases.check_free(tx, run_id, this_driver(), is_gone=is_gone)
        check_available(tx, load_run(tx, run_id).plan)


def scope_of(
    run: RunRecord, *, only_failed: bool = False, first: str | None = None, last: str | None = None
) -> Scope:
    """Choose the steps of a run that are to be worked on.

    Args:
        run: The run.
        only_failed: Only steps in which units failed, also those that are done in spite of it; no other step
            is begun.
        first: Name of the first step, in order of execution.
        last: Name of the last one.

    Raises:
        UnknownName: There is no such step.
        UsageError: `first` comes after `last`, no step is left, or one that is left needs a step that is not
            done.
    """
    if not only_failed and first is None and last is None:
        return EVERYTHING
    span = between([step.name for step in run.steps], first, last, owner=f"Run {run.id}")
    chosen = [run.steps[place] for place in span if _is_wanted(run.steps[place], only_failed=only_failed)]
    if not chosen:
        what = "in which units failed" if only_failed else "that is not done"
        raise UsageError(
            f"Run {run.id} has no step {what} among those asked for.", remedy=f"See `treadle show {run.id}`."
        )
    _check_needs(run, chosen)
    return Scope(frozenset(step.position for step in chosen), with_done=only_failed)


def is_fulfilled(run: RunRecord, scope: Scope) -> bool:
    """Whether all that was asked for is done, be the run itself done or not."""
    return all(step.state is StepState.DONE for step in run.steps if scope.admits(step.position))


def _is_wanted(step: StepRecord, *, only_failed: bool) -> bool:
    return step.failed > 0 if only_failed else step.state is not StepState.DONE


def _check_needs(run: RunRecord, chosen: Sequence[StepRecord]) -> None:
    ready = {step.name for step in run.steps if step.state is StepState.DONE}
    ready.update(step.name for step in chosen)
    for step in chosen:
        missing = [need for need in run.plan.steps[step.position].step.needs if need not in ready]
        if missing:
            raise UsageError(
                f"Step {step.name!r} of run {run.id} needs step {missing[0]!r}, which is not done.",
                remedy=f"Begin with --from {missing[0]!r}, or leave the option away.",
            )
