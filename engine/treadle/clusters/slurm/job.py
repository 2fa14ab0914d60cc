"""One SLURM job of a pool, from its submission to its end."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from pathlib import Path

from treadle.clusters.port import JobOver
from treadle.clusters.slurm.verdict import JobCause, JobEnd
from treadle.errors import WorkerLost

LAST_WORDS_CHARACTERS = 4_000

# Ends of a job that no unit can be why.
BLAMELESS = frozenset({JobCause.NODE_FAIL, JobCause.BOOT_FAIL, JobCause.PREEMPTED, JobCause.CANCELLED})


@dataclass(slots=True)
class Job:
    """A job and its worker, which have the same name.

    Attributes:
        name: Unique among all jobs of all runs.
        output: File that the job's own output goes to.
        id: SLURM's number, once it is known.
        registered: Whether its worker has come to the scheduler.
        unwanted: It was cancelled, or its worker retired, by us.
        idle_since: When its worker last had something to do, in monotonic seconds.
        ended: Gets how it ended.
    """

    name: str
    output: Path
    id: str = ""
    registered: bool = False
    unwanted: bool = False
    idle_since: float = field(default_factory=time.monotonic)
    ended: asyncio.Future[JobEnd] = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    def last_words(self) -> str:
        """Return the end of what the job printed."""
        try:
            return self.output.read_text(errors="replace")[-LAST_WORDS_CHARACTERS:].strip()
        except OSError:
            return ""


def as_over(end: JobEnd) -> JobOver:
    """Return what is written down of a job's end."""
    return JobOver(
        id=end.job_id,
        state=end.state,
        node=end.node,
        submitted_at=end.submitted_at,
        started_at=end.started_at,
        ended_at=end.ended_at,
        cpu_seconds=end.cpu_seconds,
        peak_memory_mb=end.peak_memory_mb,
        text=end.explanation,
    )


def loss_of(end: JobEnd, slots: int) -> WorkerLost:
    """Return what a unit is told whose worker's job has ended so."""
    return WorkerLost(
        end.explanation,
        remedy=end.remedy,
        blameless=end.cause in BLAMELESS,
        out_of_memory=end.cause is JobCause.OUT_OF_MEMORY and slots == 1,
        out_of_time=end.cause is JobCause.TIMEOUT,
    )
