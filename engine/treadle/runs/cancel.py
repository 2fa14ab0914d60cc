"""Ends a run on request, from any process."""

from __future__ import annotations

import time

from treadle.compile.identity import is_gone
from treadle.ledger import Ledger, Transaction, leases, runs
from treadle.ledger.runs import RunRecord
from treadle.model.states import RUN_TRANSITIONS, RunState, StepState

POLL_SECONDS = 0.2


def cancel(ledger: Ledger, run_id: int) -> RunRecord:
    """Ask the driver of a run to end it; a run without a living driver is cancelled at once.

    A run that has ended stays as it is.

    Returns:
        The run as it is then: see `wait_until_ended`.

    Raises:
        UnknownName: There is no such run.
    """
    with ledger.writing() as tx:
        record = runs.load_run(tx, run_id)
        if not RUN_TRANSITIONS[record.state]:
            return record
        if leases.holder_of(tx, run_id, is_gone=is_gone) is None:
            _settle(tx, record)
            return runs.load_run(tx, run_id)
        leases.request_cancel(tx, run_id)
    return record


def wait_until_ended(ledger: Ledger, run_id: int, seconds: float) -> RunRecord:
    """Return the run once it has ended, or as it is after so many seconds.

    A driver that dies meanwhile, or whose lease runs out, is waited for no longer: the run is cancelled.
    """
    deadline = time.monotonic() + seconds
    while True:
        record = cancel(ledger, run_id)
        if not RUN_TRANSITIONS[record.state] or time.monotonic() > deadline:
            return record
        time.sleep(POLL_SECONDS)


def _settle(tx: Transaction, record: RunRecord) -> None:
    """Take the run's lease from the dead, so that nobody writes about it any more, and settle its states."""
    leases.take_away(tx, record.id)
    for step in record.steps:
        if step.state in {StepState.PLANNED, StepState.RUNNING}:
            runs.set_step_state(tx, record.id, step.position, StepState.CANCELLED, "cancelled")
    runs.set_run_state(tx, record.id, RunState.CANCELLED, "The run was cancelled; it had no driver.")
