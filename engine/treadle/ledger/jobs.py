"""Jobs of batch systems that served runs: written when submitted, completed when they have ended."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, insert, literal, select, update
from sqlalchemy.sql.expression import ColumnElement

from treadle.errors import UnknownName
from treadle.ledger.columns import UtcDateTime, now
from treadle.ledger.database import Transaction
from treadle.ledger.tables import jobs


@dataclass(frozen=True, slots=True)
class JobRow:
    """A job of a batch system.

    Attributes:
        run_id: The run that it was submitted for.
        name: Ours, which no other job has; units know it as their worker's.
        cluster: What the user calls the cluster.
        job_id: The system's number for it.
        shape: What it asks for, for people.
        cpus: CPUs it asks for.
        memory_mb: Memory it asks for; None for the system's default.
        submitted_at: When it was submitted.
        started_at: When it began; None if it never did, like the rest while it has not ended.
        ended_at: When it ended.
        state: The system's word for how it ended; None while it has not.
        node: Where it ran.
        cpu_seconds: CPU time that its processes used.
        peak_memory_mb: The most memory they used at once.
        text: What happened, for people.
    """

    run_id: int
    name: str
    cluster: str
    job_id: str
    shape: str
    cpus: int
    memory_mb: int | None
    submitted_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    state: str | None
    node: str | None
    cpu_seconds: float | None
    peak_memory_mb: int | None
    text: str | None

    @property
    def queue_seconds(self) -> float | None:
        """How long it waited; None if it never began."""
        return None if self.started_at is None else _seconds(self.submitted_at, self.started_at)

    @property
    def run_seconds(self) -> float | None:
        """How long it ran; None if it never began."""
        if self.started_at is None or self.ended_at is None:
            return None
        return _seconds(self.started_at, self.ended_at)


_ROW = (
    jobs.c.run_id,
    jobs.c.name,
    jobs.c.cluster,
    jobs.c.job_id,
    jobs.c.shape,
    jobs.c.cpus,
    jobs.c.memory_mb,
    jobs.c.submitted_at,
    jobs.c.started_at,
    jobs.c.ended_at,
    jobs.c.state,
    jobs.c.node,
    jobs.c.cpu_seconds,
    jobs.c.peak_memory_mb,
    jobs.c.text,
)


def add_job(
    tx: Transaction,
    run_id: int,
    *,
    name: str,
    cluster: str,
    job_id: str,
    shape: str,
    cpus: int,
    memory_mb: int | None,
) -> None:
    """Write a job that was just submitted for a run; one that is written already stays as it is.

    Args:
        tx: A writing transaction of the run's driver.
        run_id: The run.
        name: See `JobRow`, like the others.
        cluster: The cluster.
        job_id: The system's number.
        shape: What it asks for, for people.
        cpus: CPUs it asks for.
        memory_mb: Memory it asks for.
    """
    known = select(jobs.c.id).where(jobs.c.run_id == run_id, jobs.c.name == name)
    if tx.scalar(known) is not None:
        return
    tx.execute(
        insert(jobs).values(
            run_id=run_id,
            name=name,
            cluster=cluster,
            job_id=job_id,
            shape=shape,
            cpus=cpus,
            memory_mb=memory_mb,
            submitted_at=now(),
        )
    )


def end_job(
    tx: Transaction,
    run_id: int,
    cluster: str,
    job_id: str,
    *,
    state: str,
    node: str,
    submitted_at: datetime | None,
    started_at: datetime | None,
    ended_at: datetime | None,
    cpu_seconds: float | None,
    peak_memory_mb: int | None,
    text: str,
) -> None:
    """Write how a job ended; writing it again changes nothing else.

    Args:
        tx: A writing transaction; anybody's, for an end is a fact whoever drives the run by now.
        run_id: The run that it was submitted for.
        cluster: The cluster.
        job_id: The system's number; of two jobs of one number it is the later.
        state: See `JobRow`, like the others.
        node: Where it ran.
        submitted_at: When the system took it; None keeps the time at which it was written.
        started_at: When it began.
        ended_at: When it ended; None for now.
        cpu_seconds: CPU time used.
        peak_memory_mb: Memory used.
        text: What happened.

    Raises:
        UnknownName: The run has no such job.
    """
    latest = select(func.max(jobs.c.id)).where(
        jobs.c.run_id == run_id, jobs.c.cluster == cluster, jobs.c.job_id == job_id
    )
    change = update(jobs).where(jobs.c.id == latest.scalar_subquery())
    end = change.values(
        state=state,
        node=node or None,
        submitted_at=func.coalesce(literal(submitted_at, UtcDateTime), jobs.c.submitted_at),
        started_at=started_at,
        ended_at=ended_at or now(),
        cpu_seconds=cpu_seconds,
        peak_memory_mb=peak_memory_mb,
        text=text or None,
    )
    if tx.execute(end).rowcount == 0:
        raise UnknownName(f"Run {run_id} has no job {job_id} on cluster {cluster!r}.")


def list_jobs(tx: Transaction, run_id: int) -> list[JobRow]:
    """Jobs of a run in the order in which they were submitted."""
    return select_jobs(tx, jobs.c.run_id == run_id)


def open_jobs(tx: Transaction, run_id: int | None = None) -> list[JobRow]:
    """Jobs whose end is not written, of a run or of all, in the order in which they were submitted."""
    of_run = [] if run_id is None else [jobs.c.run_id == run_id]
    return select_jobs(tx, jobs.c.state.is_(None), *of_run)


def select_jobs(tx: Transaction, *conditions: ColumnElement[bool]) -> list[JobRow]:
    """Jobs of which all conditions hold, in the order in which they were submitted."""
    query = select(*_ROW).where(*conditions).order_by(jobs.c.id)
    return [JobRow(**row) for row in tx.execute(query).mappings()]


def _seconds(begin: datetime, end: datetime) -> float:
    """Time from one to the other, which different clocks may tell."""
    return max(0.0, (end - begin).total_seconds())
