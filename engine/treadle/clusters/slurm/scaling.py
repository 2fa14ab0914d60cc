"""How many jobs a pool should have: pure decisions from what is known at one moment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Worker:
    """A worker as the scaler sees it.

    Attributes:
        name: Its name.
        busy: Batches that it runs.
        idle_seconds: For how long it has run none.
        used: Whether it has run any.
        seconds_left: Until its job ends.
    """

    name: str
    busy: int
    used: bool
    idle_seconds: float
    seconds_left: float


@dataclass(frozen=True, slots=True)
class Situation:
    """What a pool has, and what it is to do.

    Attributes:
        units: Units still to come, those that run included.
        slots: Units that one job runs at once.
        most_jobs: Jobs there may be at once.
        room: Jobs that may be submitted now, as far as the run's limits go.
        pending: Jobs in SLURM's queue, oldest first.
        starting: Number of jobs that run and whose worker has not registered yet.
        workers: Those that get work.
        unit_seconds: How long a unit takes, as far as is known.
        lead_seconds: How long before a worker's end its successor is submitted.
        surplus_seconds: For how long there have been more jobs than are needed.
        patience_seconds: How long capacity that nobody needs is kept; another step may want it.
    """

    units: int
    slots: int
    most_jobs: int
    room: int
    pending: tuple[str, ...]
    starting: int
    workers: tuple[Worker, ...]
    unit_seconds: float
    lead_seconds: float
    surplus_seconds: float
    patience_seconds: float

    @property
    def needed(self) -> int:
        """Jobs that have something to do."""
        return min(-(-self.units // self.slots), self.most_jobs)

    @property
    def lasting(self) -> list[Worker]:
        """Workers that can begin another unit, and will be able to when a new job would have started.

        One that has not begun any can begin one however long that takes: no other would be better.
        """
        needed = self.unit_seconds + self.lead_seconds
        return [worker for worker in self.workers if not worker.used or worker.seconds_left > needed]

    @property
    def is_short(self) -> bool:
        """Whether there is work that waits for a job."""
        return bool(self.pending) or self.needed > self.jobs

    @property
    def jobs(self) -> int:
        """Jobs that work can be left to."""
        return len(self.pending) + self.starting + len(self.lasting)


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do.

    Attributes:
        submit: Number of jobs to submit.
        cancel: Pending jobs to take back, by name.
        retire: Workers to end when they have ended what they run, by name.
    """

    submit: int = 0
    cancel: tuple[str, ...] = ()
    retire: tuple[str, ...] = ()


def decide(now: Situation) -> Decision:
    """Say what brings a pool nearer to what its work needs.

    A pending job has waited for its place in the queue: it is taken back only when running ones have been
    enough for a while. Workers near the end of their job's time get a successor before they go, as long as
    there is work for both; they themselves stay until they have no time for another unit.
    """
    submit = max(0, min(now.needed - now.jobs, now.room))
    idle = [worker for worker in now.workers if not worker.busy]
    spent = [worker for worker in idle if worker.used and worker.seconds_left <= now.unit_seconds]
    surplus = max(0, now.jobs - now.needed)
    if not surplus or now.surplus_seconds < now.patience_seconds:
        return Decision(submit, retire=_names(spent))
    cancel = now.pending[::-1][:surplus]
    tired = [worker for worker in idle if worker not in spent and worker.idle_seconds >= now.patience_seconds]
    tired.sort(key=lambda worker: worker.idle_seconds, reverse=True)
    return Decision(submit, cancel, _names([*spent, *tired[: surplus - len(cancel)]]))


def _names(workers: Sequence[Worker]) -> tuple[str, ...]:
    return tuple(worker.name for worker in workers)
