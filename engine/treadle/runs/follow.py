"""Watches a run that another process drives, by what the ledger has of it."""

from __future__ import annotations

import time
from collections.abc import Callable

from treadle.compile.identity import is_gone
from treadle.compile.observer import Observer
from treadle.errors import RunStranded
from treadle.ledger import Ledger, leases, runs
from treadle.ledger.runs import RunRecord, StepRecord
from treadle.model.states import RUN_TRANSITIONS, STEP_TRANSITIONS, StepState

POLL_SECONDS = 1.0
PATIENCE_SECONDS = 60.0


def follow(
    run_id: int,
    ledger: Ledger,
    observer: Observer,
    *,
    is_coming: Callable[[], bool] = lambda: False,
    poll_seconds: float = POLL_SECONDS,
    patience_seconds: float = PATIENCE_SECONDS,
) -> RunRecord:
    """Tell an observer how a run goes on, until its end.

    Args:
        run_id: The run.
        ledger: Where its driver writes.
        observer: Hears of steps and units.
        is_coming: While nobody drives the run: whether somebody will; raises if nobody ever will.
        poll_seconds: Between two looks.
        patience_seconds: How long nobody may drive it, unless somebody is coming.

    Returns:
        The run at its end.

    Raises:
        UnknownName: There is no such run.
        RunStranded: Nobody drives it, and it is not at its end.
    """
    told = _Told(observer)
    driven_at = time.monotonic()
    while True:
        with ledger.reading() as tx:
            run = runs.load_run(tx, run_id)
            driver = leases.holder_of(tx, run_id, is_gone=is_gone)
        told.tell(run)
        if not RUN_TRANSITIONS[run.state]:
            return run
        if driver is not None or is_coming():
            driven_at = time.monotonic()
        elif time.monotonic() - driven_at > patience_seconds:
            raise RunStranded(
                f"Run {run_id} is {run.state}, and nobody drives it.",
                remedy=f"Go on with `treadle resume {run_id}`.",
            )
        time.sleep(poll_seconds)


class _Told:
    """What an observer has heard so far; tells it the rest."""

    def __init__(self, observer: Observer) -> None:
        self._observer = observer
        self._steps: dict[int, StepRecord] = {}

    def tell(self, run: RunRecord) -> None:
        for step in run.steps:
            before = self._steps.get(step.position)
            if step.state is not StepState.PLANNED and step != before:
                self._tell_step(step, before)
                self._steps[step.position] = step

    def _tell_step(self, step: StepRecord, before: StepRecord | None) -> None:
        if before is None:
            self._observer.step_started(step.position, step.name)
        units, done, failed = (before.units or 0, before.done, before.failed) if before else (0, 0, 0)
        if more := (step.units or 0) - units:
            self._observer.units_planned(step.position, more)
        if (step.done, step.failed) != (done, failed):
            self._observer.units_ended(step.position, step.done - done, step.failed - failed)
        if not STEP_TRANSITIONS[step.state] and (before is None or before.state is not step.state):
            self._observer.step_ended(step.position, step.state)
