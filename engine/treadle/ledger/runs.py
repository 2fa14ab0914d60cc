"""Runs and their steps: the plan they were made from, their states, and how far they are."""

from __future__ import annotations

import zlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from sqlalchemy import func, insert, literal, select, update
from sqlalchemy.sql.expression import ColumnElement

from treadle.errors import LedgerError, UnknownName
from treadle.ledger.columns import UtcDateTime, now
from treadle.ledger.database import Transaction
from treadle.ledger.people import default_project, local_user
from treadle.ledger.tables import runs, steps
from treadle.model.dataset import Dataset
from treadle.model.plan import Plan
from treadle.model.states import RUN_TRANSITIONS, STEP_TRANSITIONS, RunState, StepState

S = TypeVar("S", RunState, StepState)


@dataclass(frozen=True, slots=True)
class StepRecord:
    """One step of a run.

    Attributes:
        position: Its place in the plan, from 0.
        name: Its name in the workflow.
        state: Where it is.
        units: How many units it has; None while that is not known.
        done: How many of them are done.
        failed: How many of them failed.
        error: Why it is not done, for people to read.
        started_at: When it began.
        ended_at: When it ended.
        cached: How many of those done were reused from earlier runs.
    """

    position: int
    name: str
    state: StepState
    units: int | None
    done: int
    failed: int
    error: str | None
    started_at: datetime | None
    ended_at: datetime | None
    cached: int = 0


@dataclass(frozen=True, slots=True)
class RunSummary:
    """One run, without plan and steps.

    Attributes:
        id: The run's number.
        workflow: Name of the workflow when it was submitted.
        dataset: Name of the dataset when it was submitted.
        dataset_id: The dataset.
        state: Where it is.
        error: Why it is not done, for people to read.
        prefect_flow_run_id: Its flow run in Prefect; None until there is one.
        created_at: When it was submitted.
        started_at: When it began.
        ended_at: When it ended.
        cached: How many of its units were reused from earlier runs.
    """

    id: int
    workflow: str
    dataset: str
    dataset_id: int
    state: RunState
    error: str | None
    prefect_flow_run_id: str | None
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    cached: int


@dataclass(frozen=True, slots=True)
class RunRecord(RunSummary):
    """One run with its plan and its steps in the order of execution."""

    plan: Plan
    steps: tuple[StepRecord, ...]


_SUMMARY = (
    runs.c.id,
    runs.c.workflow,
    runs.c.dataset,
    runs.c.dataset_id,
    runs.c.state,
    runs.c.error,
    runs.c.prefect_flow_run_id,
    runs.c.created_at,
    runs.c.started_at,
    runs.c.ended_at,
    select(func.coalesce(func.sum(steps.c.cached), 0))
    .where(steps.c.run_id == runs.c.id)
    .correlate(runs)
    .scalar_subquery()
    .label("cached"),
)
_STEP = (
    steps.c.position,
    steps.c.name,
    steps.c.state,
    steps.c.units,
    steps.c.done,
    steps.c.failed,
    steps.c.error,
    steps.c.started_at,
    steps.c.ended_at,
    steps.c.cached,
)


def create_run(
    tx: Transaction,
    plan: Plan,
    workflow_id: int | None,
    dataset_id: int,
    snapshot: Dataset,
    *,
    key: str | None = None,
) -> int:
    """Write a submitted run with its plan, its steps and the dataset as it was; return its id.

    Args:
        tx: A writing transaction.
        plan: What the run will do.
        workflow_id: The stored workflow; None for one that is not stored.
        dataset_id: The dataset that the run's outputs are merged into.
        snapshot: The dataset that the plan was made for.
        key: What `find_run` is to find it by; no other run has it.
    """
    row = insert(runs).values(
        owner_id=local_user(tx),
        project_id=default_project(tx),
        workflow_id=workflow_id,
        dataset_id=dataset_id,
        workflow=plan.workflow.name,
        dataset=plan.dataset,
        state=RunState.SUBMITTED,
        created_at=now(),
        plan=plan.model_dump_json(),
        snapshot=zlib.compress(snapshot.model_dump_json().encode()),
        key=key,
        recoveries=0,
    )
    run_id = tx.scalars(row.returning(runs.c.id)).one()
    rows = [
        {
            "run_id": run_id,
            "position": position,
            "name": planned.step.name,
            "state": StepState.PLANNED,
            "units": planned.units,
            "done": 0,
            "failed": 0,
            "cached": 0,
        }
        for position, planned in enumerate(plan.steps)
    ]
    if rows:
        tx.execute(insert(steps), rows)
    return run_id


def find_run(tx: Transaction, key: str) -> int | None:
    """The id of the run that was created with this key; None if there is none."""
    return tx.scalar(select(runs.c.id).where(runs.c.key == key))


def give_key(tx: Transaction, run_id: int, key: str) -> None:
    """Let `find_run` find a run by this key, unless it has one already."""
    tx.execute(update(runs).where(runs.c.id == run_id, runs.c.key.is_(None)).values(key=key))


def set_prefect_run(tx: Transaction, run_id: int, flow_run_id: str) -> None:
    """Note which flow run of Prefect shows this run.

    Raises:
        UnknownName: There is no such run.
    """
    change = update(runs).where(runs.c.id == run_id).values(prefect_flow_run_id=flow_run_id)
    if tx.execute(change).rowcount == 0:
        raise unknown_run(tx, run_id)


def prefect_run_of(tx: Transaction, run_id: int) -> str | None:
    """The flow run of Prefect that shows this run; None until there is one."""
    return tx.scalar(select(runs.c.prefect_flow_run_id).where(runs.c.id == run_id))


def set_run_state(tx: Transaction, run_id: int, state: RunState, error: str | None = None) -> None:
    """Move a run to a state that may follow its present one; of two processes only one succeeds.

    Raises:
        UnknownName: There is no such run.
        LedgerError: The run is in a state that `state` cannot follow.
    """
    change = (
        update(runs)
        .where(runs.c.id == run_id, runs.c.state.in_(_before(RUN_TRANSITIONS, state)))
        .values(state=state, error=error, **_times(state, runs.c.started_at))
    )
    if tx.execute(change).rowcount == 1:
        return
    present = tx.scalar(select(runs.c.state).where(runs.c.id == run_id))
    if present is None:
        raise unknown_run(tx, run_id)
    raise _cannot_follow(f"Run {run_id}", present, state)


def set_step_state(
    tx: Transaction, run_id: int, position: int, state: StepState, error: str | None = None
) -> None:
    """Move a step to a state that may follow its present one; of two processes only one succeeds.

    Raises:
        UnknownName: There is no such run or step.
        LedgerError: The step is in a state that `state` cannot follow.
    """
    this = (steps.c.run_id == run_id, steps.c.position == position)
    change = (
        update(steps)
        .where(*this, steps.c.state.in_(_before(STEP_TRANSITIONS, state)))
        .values(state=state, error=error, **_times(state, steps.c.started_at))
    )
    if tx.execute(change).rowcount == 1:
        return
    present = tx.scalar(select(steps.c.state).where(*this))
    if present is None:
        raise unknown_step(run_id, position)
    raise _cannot_follow(f"Step {position} of run {run_id}", present, state)


def reopen_run(
    tx: Transaction, run_id: int, positions: Collection[int] | None = None, *, with_done: bool = False
) -> None:
    """Take a run back to submitted, and its steps that are to be done to planned.

    The one way backwards, for whoever holds the run's lease and resumes it.

    Args:
        tx: A writing transaction.
        run_id: The run.
        positions: Only these steps; all if None. The others stay as they are.
        with_done: Also those of them that are done.
    """
    this_run = update(runs).where(runs.c.id == run_id)
    tx.execute(this_run.values(state=RunState.SUBMITTED, error=None, ended_at=None))
    its_steps = update(steps).where(steps.c.run_id == run_id)
    if positions is not None:
        its_steps = its_steps.where(steps.c.position.in_(positions))
    if not with_done:
        its_steps = its_steps.where(steps.c.state != StepState.DONE)
    tx.execute(its_steps.values(state=StepState.PLANNED, error=None, ended_at=None))


def list_runs(tx: Transaction, limit: int) -> list[RunSummary]:
    """The latest runs, newest first."""
    query = (
        select(*_SUMMARY)
        .where(runs.c.project_id == default_project(tx))
        .order_by(runs.c.id.desc())
        .limit(limit)
    )
    return [RunSummary(**row) for row in tx.execute(query).mappings()]


def load_run(tx: Transaction, run_id: int) -> RunRecord:
    """One run with its plan and steps.

    Raises:
        UnknownName: There is no such run.
    """
    row = tx.execute(select(*_SUMMARY, runs.c.plan).where(runs.c.id == run_id)).mappings().one_or_none()
    if row is None:
        raise unknown_run(tx, run_id)
    summary = {**row, "plan": Plan.model_validate_json(row["plan"])}
    query = select(*_STEP).where(steps.c.run_id == run_id).order_by(steps.c.position)
    return RunRecord(**summary, steps=tuple(StepRecord(**step) for step in tx.execute(query).mappings()))


def load_snapshot(tx: Transaction, run_id: int) -> Dataset:
    """The dataset as it was when the run was submitted.

    Raises:
        UnknownName: There is no such run.
    """
    snapshot = tx.scalar(select(runs.c.snapshot).where(runs.c.id == run_id))
    if snapshot is None:
        raise unknown_run(tx, run_id)
    return Dataset.model_validate_json(zlib.decompress(snapshot))


def unknown_step(run_id: int, position: int) -> UnknownName:
    """The error for a step that a run does not have."""
    return UnknownName(f"Run {run_id} has no step {position}.", remedy="Steps are counted from 0.")


def unknown_run(tx: Transaction, run_id: int) -> UnknownName:
    """The error for a run that there is not."""
    latest = tx.scalar(select(func.max(runs.c.id)))
    exist = "There is no run yet." if latest is None else f"The latest run is {latest}."
    return UnknownName(f"There is no run {run_id}.", remedy=exist)


def _before(transitions: Mapping[S, frozenset[S]], state: S) -> list[S]:
    return [before for before, following in transitions.items() if state in following]


def _times(
    state: RunState | StepState, started_at: ColumnElement[datetime | None]
) -> dict[str, ColumnElement[datetime] | datetime | None]:
    if state in {RunState.RUNNING, StepState.RUNNING}:
        return {"started_at": func.coalesce(started_at, literal(now(), UtcDateTime)), "ended_at": None}
    return {} if state is StepState.NOT_RUN else {"ended_at": now()}


def _cannot_follow(what: str, present: RunState | StepState, wanted: RunState | StepState) -> LedgerError:
    return LedgerError(
        f"{what} is {present} and cannot become {wanted}.",
        remedy="Another process moved it first: look at the run again.",
    )
