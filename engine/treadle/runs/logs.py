"""What units printed, from the log stores of their run."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from treadle.compile.identity import is_gone
from treadle.compile.labels import step_label
from treadle.errors import UnknownName
from treadle.execute.logs import LogPart, LogTail, find_part, read_log
from treadle.ledger import Ledger, leases, runs, units
from treadle.ledger.runs import StepRecord
from treadle.ledger.units import UnitEntry
from treadle.model.states import RUN_TRANSITIONS, RunState, UnitState

POLL_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class LogQuery:
    """Whose logs are wanted; all units of the run where nothing is said.

    Attributes:
        run_id: The run.
        step: Only units of the step of this name.
        unit: Only units of this index in their step.
        failed_only: Only units that are not done.
    """

    run_id: int
    step: str | None = None
    unit: int | None = None
    failed_only: bool = False


@dataclass(frozen=True, slots=True)
class UnitLog:
    """What one unit printed, both streams interleaved; of one that runs, what it has printed so far."""

    step: str
    index: int
    state: UnitState
    zarr_url: str | None
    text: str


@dataclass(frozen=True, slots=True)
class FreshText:
    """What one unit has printed since one last looked."""

    step: str
    unit: int
    attempt: int
    text: str


def run_logs(ledger: Ledger, folder: Path, query: LogQuery) -> Iterator[UnitLog]:
    """Yield the logs of a run's units, in order of steps and units.

    Args:
        ledger: Where the units are recorded.
        folder: The run's log folder.
        query: Which units.

    Raises:
        UnknownName: No such run, or the run has no step of that name.
    """
    for step in _steps(ledger, query):
        with ledger.reading() as tx:
            entries = units.list_units(
                tx, query.run_id, step.position, index=query.unit, with_done=not query.failed_only
            )
        for entry in entries:
            text = _text(entry, folder, step_label(step.position, step.name))
            yield UnitLog(step.name, entry.index, entry.state, entry.zarr_url, text)


def follow_logs(ledger: Ledger, folder: Path, query: LogQuery) -> Iterator[FreshText]:
    """Yield what a run's units have printed so far, and then what they print, until the run has ended.

    Args:
        ledger: Where the run is recorded; another process may drive it.
        folder: The run's log folder.
        query: Which units; `failed_only` does not count, for nobody knows yet.

    Raises:
        UnknownName: No such run, or the run has no step of that name.
    """
    steps = {step_label(step.position, step.name): step.name for step in _steps(ledger, query)}
    tail = LogTail(folder, from_start=True)
    while True:
        is_last = _has_ended(ledger, query.run_id)
        while pieces := tail.read():
            for piece in pieces:
                if piece.step in steps and query.unit in {None, piece.unit}:
                    yield FreshText(steps[piece.step], piece.unit, piece.attempt, piece.text)
        if is_last:
            return
        time.sleep(POLL_SECONDS)


def _steps(ledger: Ledger, query: LogQuery) -> list[StepRecord]:
    with ledger.reading() as tx:
        steps = runs.load_run(tx, query.run_id).steps
    chosen = [step for step in steps if query.step in {None, step.name}]
    if not chosen:
        names = ", ".join(repr(step.name) for step in steps)
        raise UnknownName(f"Run {query.run_id} has no step {query.step!r}.", remedy=f"Its steps are {names}.")
    return chosen


def _text(entry: UnitEntry, folder: Path, label: str) -> str:
    part: LogPart | None = None
    if entry.log_file:
        part = LogPart(Path(entry.log_file), entry.log_offset, entry.log_length)
    elif entry.state is UnitState.PLANNED:
        part = find_part(folder, label, entry.index)
    return read_log(part.file, part.offset, part.length) if part else entry.error or ""


def _has_ended(ledger: Ledger, run_id: int) -> bool:
    """Whether no process will run units of the run, unless somebody resumes it."""
    with ledger.reading() as tx:
        state = runs.load_run(tx, run_id).state
        is_driven = leases.holder_of(tx, run_id, is_gone=is_gone) is not None
    return not RUN_TRANSITIONS[state] or (state is RunState.RUNNING and not is_driven)
