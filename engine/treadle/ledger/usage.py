"""Sums over what units used; the database adds up, so that a run of many units costs one pass."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import case, func, select

from treadle.ledger.database import Transaction
from treadle.ledger.jobs import JobRow, select_jobs
from treadle.ledger.tables import jobs, people, runs, units
from treadle.model.figures import Outcome
from treadle.model.plan import Plan
from treadle.model.states import UnitState
from treadle.model.task import Part
from treadle.model.usage import UnitSums


def unit_sums(tx: Transaction, run_ids: Collection[int]) -> dict[int, dict[tuple[int, Part], UnitSums]]:
    """Sums over the ended units of runs, by run, and in it by the step's place and the part of its task.

    They tell of each unit's latest attempt; units that were reused are left out.
    """
    peak, seconds = units.c.peak_memory_bytes, units.c.seconds
    query = (
        select(
            units.c.run_id,
            units.c.position,
            units.c.part,
            func.count(),
            func.sum(seconds),
            func.sum(units.c.cpu_seconds),
            func.max(peak),
            func.sum(peak * seconds),
        )
        .where(units.c.run_id.in_(run_ids), units.c.state != UnitState.PLANNED, units.c.cached.is_(False))
        .group_by(units.c.run_id, units.c.position, units.c.part)
        .order_by(units.c.run_id, units.c.position, units.c.part)
    )
    found: dict[int, dict[tuple[int, Part], UnitSums]] = {run_id: {} for run_id in run_ids}
    for run_id, position, part, count, wall, cpu, largest, memory in tx.execute(query):
        found[run_id][position, part] = UnitSums(count, wall or 0.0, cpu or 0.0, largest or 0, memory or 0.0)
    return found


def outcomes(tx: Transaction, run_id: int, position: int | None = None) -> dict[int, list[Outcome]]:
    """Figures of a run's units that ended alike, by the step's place; those of one step if it is given.

    A percentile is the time of the first unit that so many took no longer than (nearest rank), of those that
    ran: units that were reused took none.
    """
    alike = (units.c.position, units.c.state, units.c.cause)
    ranked = select(
        *alike,
        units.c.seconds,
        units.c.cpu_seconds,
        units.c.peak_memory_bytes,
        units.c.attempt,
        units.c.cached,
        func.row_number().over(partition_by=(*alike, units.c.cached), order_by=units.c.seconds).label("rank"),
        func.count().over(partition_by=(*alike, units.c.cached)).label("number"),
    ).where(units.c.run_id == run_id)
    if position is not None:
        ranked = ranked.where(units.c.position == position)
    unit = ranked.subquery()
    percentiles = [
        func.min(case((~unit.c.cached & (unit.c.rank * 100 >= unit.c.number * percent), unit.c.seconds)))
        for percent in (50, 95)
    ]
    query = (
        select(
            unit.c.position,
            unit.c.state,
            unit.c.cause,
            func.count(),
            *percentiles,
            func.max(unit.c.peak_memory_bytes),
            func.coalesce(func.sum(unit.c.cpu_seconds), 0.0),
            func.sum(case((unit.c.attempt > 1, unit.c.attempt - 1), else_=0)),
        )
        .group_by(unit.c.position, unit.c.state, unit.c.cause)
        .order_by(unit.c.position, func.count().desc(), unit.c.state, unit.c.cause)
    )
    found: dict[int, list[Outcome]] = {}
    for place, *figures in tx.execute(query):
        found.setdefault(place, []).append(Outcome(*figures))
    return found


def first_steps(tx: Transaction, run_id: int) -> dict[str, int]:
    """For each job of a run that had units, by name: the place of the step that the first of them was of."""
    names = select(jobs.c.name).where(jobs.c.run_id == run_id)
    query = (
        select(units.c.worker, units.c.position)
        .where(units.c.run_id == run_id, units.c.worker.in_(names))
        .group_by(units.c.worker, units.c.position)
        .order_by(func.min(units.c.started_at).desc())
    )
    return {worker: position for worker, position in tx.execute(query) if worker is not None}


def jobs_of_runs(tx: Transaction, run_ids: Collection[int]) -> dict[int, list[JobRow]]:
    """Jobs of runs, by run, in the order in which they were submitted."""
    found: dict[int, list[JobRow]] = {run_id: [] for run_id in run_ids}
    for job in select_jobs(tx, jobs.c.run_id.in_(run_ids)):
        found[job.run_id].append(job)
    return found


def plans_of(tx: Transaction, run_ids: Collection[int]) -> dict[int, Plan]:
    """Plans of runs, by run."""
    query = select(runs.c.id, runs.c.plan).where(runs.c.id.in_(run_ids))
    return {run_id: Plan.model_validate_json(plan) for run_id, plan in tx.execute(query)}


def owners_of(tx: Transaction, run_ids: Collection[int]) -> dict[int, str]:
    """Names of the people whom runs belong to, by run."""
    query = (
        select(runs.c.id, people.c.name)
        .join(people, people.c.id == runs.c.owner_id)
        .where(runs.c.id.in_(run_ids))
    )
    return dict(tx.execute(query).all())
