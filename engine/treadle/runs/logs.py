"""What units printed, from the log store of their worker and step."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from treadle.errors import UnknownName
from treadle.execute.logs import read_log
from treadle.ledger import Ledger, runs, units
from treadle.model.states import UnitState


@dataclass(frozen=True, slots=True)
class UnitLog:
    """What one unit printed, both streams interleaved."""

    step: str
    index: int
    state: UnitState
    zarr_url: str | None
    text: str


def run_logs(
    ledger: Ledger, run_id: int, *, step: str | None, unit: int | None, failed_only: bool
) -> Iterator[UnitLog]:
    """Yield the logs of a run's units, in order of steps and units.

    Args:
        ledger: Where the units are recorded.
        run_id: The run.
        step: Only units of the step of this name.
        unit: Only units of this index in their step.
        failed_only: Only units that are not done.

    Raises:
        UnknownName: No such run, or the run has no step of that name.
    """
    with ledger.reading() as tx:
        record = runs.load_run(tx, run_id)
        chosen = [row for row in record.steps if step is None or row.name == step]
        if not chosen:
            names = ", ".join(repr(row.name) for row in record.steps)
            raise UnknownName(f"Run {run_id} has no step {step!r}.", remedy=f"Its steps are {names}.")
        rows = [(row.name, entry) for row in chosen for entry in units.list_units(tx, run_id, row.position)]
    for name, entry in rows:
        if (unit is None or entry.index == unit) and not (failed_only and entry.state is UnitState.DONE):
            text = entry.error or ""
            if entry.log_file:
                text = read_log(Path(entry.log_file), entry.log_offset, entry.log_length)
            yield UnitLog(name, entry.index, entry.state, entry.zarr_url, text)
