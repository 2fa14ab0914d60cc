"""Units: written when planned, updated in bulk when they have ended."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from operator import attrgetter

from pydantic import JsonValue
from sqlalchemy import bindparam, delete, func, insert, literal, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.sql.expression import ColumnElement

from treadle.errors import LedgerError, UnknownName
from treadle.ledger.database import Transaction
from treadle.ledger.runs import unknown_step
from treadle.ledger.tables import steps, units
from treadle.model.records import UnitRecord
from treadle.model.states import Cause, UnitState
from treadle.model.task import Part
from treadle.model.units import Unit

_WIDEST_GAP = 100
"""Rows that cost as much to read in vain as another query."""


@dataclass(frozen=True, slots=True)
class UnitEntry:
    """A unit and how its latest attempt ended.

    Attributes:
        position: The step's place in the plan.
        index: The unit's place in the step.
        part: The part of the task that it calls.
        zarr_url: The item it works on; None where it works on all of them.
        args: All arguments of the call; None where they were not asked for.
        state: How it ended, or `planned`. The fields from here on are those of `UnitRecord`, and None
            or 0 while it is planned.
        cached: It did not run in this run, but was reused.
        key: What the call cache finds it by; None where its step reuses nothing.
        output: None also where it was not asked for.
    """

    position: int
    index: int
    part: Part
    zarr_url: str | None
    args: dict[str, JsonValue] | None
    state: UnitState
    cause: Cause | None
    error: str | None
    output: JsonValue
    exit_code: int | None
    seconds: float | None
    cpu_seconds: float | None
    peak_memory_bytes: int | None
    host: str | None
    worker: str | None
    started_at: datetime | None
    log_file: str | None
    log_offset: int
    log_length: int
    attempt: int
    cached: bool
    key: str | None


@dataclass(frozen=True, slots=True)
class PlannedUnit:
    """A unit as it was planned, and how its latest attempt ended."""

    unit: Unit
    state: UnitState
    cause: Cause | None
    attempt: int

    @property
    def next_attempt(self) -> int:
        """Number of the attempt that follows; one that was cancelled, or lost its worker, does not count."""
        is_used_up = self.state is UnitState.FAILED and self.cause is not Cause.WORKER_LOST
        return max(self.attempt, 1) + is_used_up


_RESULT = (
    units.c.state,
    units.c.cause,
    units.c.error,
    units.c.exit_code,
    units.c.seconds,
    units.c.cpu_seconds,
    units.c.peak_memory_bytes,
    units.c.host,
    units.c.worker,
    units.c.started_at,
    units.c.log_file,
    units.c.log_offset,
    units.c.log_length,
    units.c.attempt,
    units.c.cached,
)
_RESULT_NAMES = tuple(column.name for column in _RESULT)
_result_values = attrgetter(*_RESULT_NAMES)
_IDENTITY = (units.c.position, units.c.index, units.c.part, units.c.zarr_url, units.c.key)
_NOT_ASKED_FOR = literal(None)


def plan_units(
    tx: Transaction,
    run_id: int,
    position: int,
    planned: Sequence[Unit],
    keys: Mapping[int, str] | None = None,
) -> None:
    """Write units that a step is about to run, and how many the step has now.

    Args:
        tx: A writing transaction.
        run_id: The run.
        position: The step's place in the plan.
        planned: The units; none of them planned before.
        keys: What the call cache finds them by, by index.

    Raises:
        UnknownName: The run has no such step.
        LedgerError: One of the units is planned already.
    """
    _lock_step(tx, run_id, position)
    rows = [
        {
            "run_id": run_id,
            "position": position,
            "index": unit.index,
            "part": unit.part,
            "zarr_url": unit.zarr_url,
            "args": unit.args,
            "state": UnitState.PLANNED,
            "log_offset": 0,
            "log_length": 0,
            "attempt": 0,
            "cached": False,
            "key": (keys or {}).get(unit.index),
        }
        for unit in planned
    ]
    try:
        if rows:
            tx.execute(insert(units), rows)
    except IntegrityError as error:
        raise LedgerError(
            f"Units of step {position} of run {run_id} are planned already.",
            remedy="Another process drives this run: look at it with `treadle show`.",
        ) from error
    number = (
        select(func.count())
        .select_from(units)
        .where(units.c.run_id == run_id, units.c.position == position)
        .scalar_subquery()
    )
    tx.execute(update(steps).where(*_is_step(run_id, position)).values(units=number))


def set_keys(tx: Transaction, run_id: int, position: int, keys: Mapping[int, str]) -> None:
    """Note what the call cache finds planned units by, by index."""
    if keys:
        change = update(units).where(*_is_unit(run_id, position), units.c.index == bindparam("unit"))
        tx.execute(
            change.values(key=bindparam("found_by")),
            [{"unit": index, "found_by": key} for index, key in keys.items()],
        )


def drop_units(tx: Transaction, run_id: int, position: int, indexes: Collection[int]) -> None:
    """Forget planned units, whatever became of them, and count those of the step that are left.

    Args:
        tx: A writing transaction.
        run_id: The run.
        position: The step's place in the plan.
        indexes: The units.

    Raises:
        UnknownName: The run has no such step.
    """
    _lock_step(tx, run_id, position)
    drop = delete(units).where(*_is_unit(run_id, position), units.c.index == bindparam("unit"))
    tx.execute(drop, [{"unit": index} for index in indexes])
    states = select(units.c.state, func.count()).where(*_is_unit(run_id, position)).group_by(units.c.state)
    left = dict(tx.execute(states).all())
    reused = select(func.count()).select_from(units).where(*_is_unit(run_id, position), units.c.cached)
    tx.execute(
        update(steps)
        .where(*_is_step(run_id, position))
        .values(
            units=sum(left.values()),
            done=left.get(UnitState.DONE, 0),
            failed=left.get(UnitState.FAILED, 0),
            cached=tx.scalar(reused),
        )
    )


def record_units(tx: Transaction, run_id: int, position: int, records: Sequence[UnitRecord]) -> None:
    """Write how units ended, and count them in their step.

    Writing the same records again changes nothing; a unit that is done stays done, and an earlier
    attempt never replaces a later one.

    Args:
        tx: A writing transaction.
        run_id: The run.
        position: The step's place in the plan.
        records: The ends of planned units.

    Raises:
        UnknownName: The run has no such step.
        LedgerError: A unit was never planned.
    """
    _lock_step(tx, run_id, position)
    known = _attempts(tx, run_id, position, [record.index for record in records])
    latest: dict[int, UnitRecord] = {}
    counted: Counter[UnitState] = Counter()
    reused = 0
    for record in records:
        if record.index not in known:
            raise LedgerError(f"Unit {record.index} of step {position} of run {run_id} was never planned.")
        state, attempt = known[record.index]
        if state is UnitState.DONE or record.attempt < attempt:
            continue
        known[record.index] = (record.state, record.attempt)
        latest[record.index] = record
        counted[state] -= 1
        counted[record.state] += 1
        reused += record.cached
    if not latest:
        return
    change = update(units).where(*_is_unit(run_id, position), units.c.index == bindparam("unit"))
    tx.execute(change, [_row(record) for record in latest.values()])
    tx.execute(
        update(steps)
        .where(*_is_step(run_id, position))
        .values(
            done=steps.c.done + counted[UnitState.DONE],
            failed=steps.c.failed + counted[UnitState.FAILED],
            cached=steps.c.cached + reused,
        )
    )


def list_units(
    tx: Transaction,
    run_id: int,
    position: int | None = None,
    state: UnitState | None = None,
    *,
    index: int | None = None,
    with_done: bool = True,
    limit: int | None = None,
    with_args: bool = False,
    with_output: bool = False,
) -> list[UnitEntry]:
    """Units of a run in the order of steps and indexes.

    Args:
        tx: A transaction.
        run_id: The run.
        position: Only units of this step.
        state: Only units in this state.
        index: Only units of this index; quick where the step is given too.
        with_done: Also units that are done.
        limit: Only so many, the first.
        with_args: Read their arguments too.
        with_output: Read their outputs too.
    """
    query = (
        select(
            *_IDENTITY,
            (units.c.args if with_args else _NOT_ASKED_FOR).label("args"),
            (units.c.output if with_output else _NOT_ASKED_FOR).label("output"),
            *_RESULT,
        )
        .where(units.c.run_id == run_id)
        .order_by(units.c.position, units.c.index)
    )
    if position is not None:
        query = query.where(units.c.position == position)
    if state is not None:
        query = query.where(units.c.state == state)
    if index is not None:
        query = query.where(units.c.index == index)
    if not with_done:
        query = query.where(units.c.state != UnitState.DONE)
    if limit is not None:
        query = query.limit(limit)
    return [UnitEntry(**row) for row in tx.execute(query).mappings()]


def load_planned(tx: Transaction, run_id: int, position: int) -> list[PlannedUnit]:
    """Units of a step as they were planned, in the order of indexes."""
    query = select(
        units.c.index,
        units.c.part,
        units.c.zarr_url,
        units.c.args,
        units.c.state,
        units.c.cause,
        units.c.attempt,
    )
    rows = tx.execute(query.where(*_is_unit(run_id, position)).order_by(units.c.index))
    return [
        PlannedUnit(Unit(index, part, zarr_url, args), state, cause, attempt)
        for index, part, zarr_url, args, state, cause, attempt in rows
    ]


def load_done(tx: Transaction, run_id: int, position: int) -> list[UnitRecord]:
    """Records of the units of a step that are done, with their outputs, in the order of indexes."""
    query = select(units.c.index, units.c.output, *_RESULT).where(
        *_is_unit(run_id, position), units.c.state == UnitState.DONE
    )
    return [UnitRecord(**row) for row in tx.execute(query.order_by(units.c.index)).mappings()]


def load_unit(tx: Transaction, run_id: int, position: int, index: int) -> UnitEntry:
    """One unit with its arguments and output.

    Raises:
        UnknownName: The step has no such unit.
    """
    query = select(*_IDENTITY, units.c.args, units.c.output, *_RESULT).where(
        *_is_unit(run_id, position), units.c.index == index
    )
    row = tx.execute(query).mappings().one_or_none()
    if row is None:
        raise UnknownName(f"Step {position} of run {run_id} has no unit {index}.")
    return UnitEntry(**row)


def _is_step(run_id: int, position: int) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return steps.c.run_id == run_id, steps.c.position == position


def _is_unit(run_id: int, position: int) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return units.c.run_id == run_id, units.c.position == position


def _lock_step(tx: Transaction, run_id: int, position: int) -> None:
    """Let one writer at a time count the step's units."""
    query = select(steps.c.position).where(*_is_step(run_id, position)).with_for_update()
    if tx.scalar(query) is None:
        raise unknown_step(run_id, position)


def _attempts(
    tx: Transaction, run_id: int, position: int, indexes: Sequence[int]
) -> dict[int, tuple[UnitState, int]]:
    """State and attempt of these units, and of some that lie between them."""
    query = select(units.c.index, units.c.state, units.c.attempt).where(
        *_is_unit(run_id, position), units.c.index.between(bindparam("first"), bindparam("last"))
    )
    known = {}
    for first, last in _ranges(indexes):
        for index, state, attempt in tx.execute(query, {"first": first, "last": last}):
            known[index] = (state, attempt)
    return known


def _ranges(indexes: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Cover the indexes with ranges: units that ended together were planned side by side, as a rule."""
    if not indexes:
        return
    ordered = sorted(indexes)
    wide = [place for place, (one, next_) in enumerate(pairwise(ordered), 1) if next_ - one > _WIDEST_GAP]
    for start, end in pairwise([0, *wide, len(ordered)]):
        yield ordered[start], ordered[end - 1]


def _row(record: UnitRecord) -> dict[str, JsonValue | datetime]:
    row = dict(zip(_RESULT_NAMES, _result_values(record), strict=True))
    return {**row, "output": record.output, "unit": record.index}
