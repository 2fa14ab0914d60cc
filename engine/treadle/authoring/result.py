"""How a run ended, for the program that wanted it."""

from __future__ import annotations

from dataclasses import dataclass, field

from treadle.authoring.session import Session
from treadle.compile.failing import UNITS_SHOWN, tails_text
from treadle.errors import Cancelled, RunFailed
from treadle.ledger import datasets, runs, units
from treadle.ledger.runs import RunRecord, StepRecord
from treadle.ledger.units import UnitEntry
from treadle.model.dataset import Item
from treadle.model.states import RunState, UnitState


@dataclass(frozen=True, slots=True)
class Result:
    """A run at its end.

    Attributes:
        run: The run as the ledger has it.
    """

    run: RunRecord
    _session: Session = field(repr=False, compare=False)

    @property
    def id(self) -> int:
        """The run's number, as `treadle show` takes it."""
        return self.run.id

    @property
    def state(self) -> RunState:
        """How it ended."""
        return self.run.state

    @property
    def steps(self) -> tuple[StepRecord, ...]:
        """Its steps in order of execution, with their states and counts of units."""
        return self.run.steps

    @property
    def items(self) -> list[Item]:
        """The dataset's items as they now are."""
        with self._session.ledger.reading() as tx:
            return list(datasets.load_dataset(tx, self.run.dataset)[1].items)

    @property
    def failures(self) -> list[UnitEntry]:
        """The units that failed, also those of steps that are done in spite of it, with their errors."""
        with self._session.ledger.reading() as tx:
            return units.list_units(tx, self.run.id, state=UnitState.FAILED)

    def raise_for_state(self) -> Result:
        """Return the result itself if the run is done.

        Raises:
            RunFailed: A step failed; with the ends of its units' errors.
            Cancelled: The run was cancelled.
        """
        if self.state is RunState.DONE:
            return self
        raise error_of(self._session, self.run)

    def __repr__(self) -> str:
        steps = ", ".join(f"{step.name}: {step.state}" for step in self.steps)
        return f"<run {self.id} of {self.run.workflow!r} on {self.run.dataset!r}: {self.state} ({steps})>"


def result_of(session: Session, run_id: int) -> Result:
    """Return what the ledger has of a run.

    Raises:
        UnknownName: There is no such run.
    """
    with session.ledger.reading() as tx:
        return Result(runs.load_run(tx, run_id), session)


def error_of(session: Session, run: RunRecord) -> RunFailed | Cancelled:
    """Return the error that a run which is not done is to its caller."""
    if run.state is RunState.CANCELLED:
        return Cancelled(f"Run {run.id} was cancelled.", remedy=f"Go on with treadle resume {run.id}.")
    with session.ledger.reading() as tx:
        failed = units.list_units(tx, run.id, state=UnitState.FAILED, limit=UNITS_SHOWN)
    error = RunFailed(
        f"Run {run.id} failed: {run.error}",
        remedy=f"See treadle show {run.id}; go on with treadle resume {run.id}.",
        detail=tails_text(failed),
    )
    error.add_note(error.detail)  # a traceback shows it
    return error
