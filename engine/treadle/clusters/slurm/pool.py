"""The SLURM jobs of one shape: as many as the work needs, replaced when they die, given back in the end."""

from __future__ import annotations

import asyncio
import logging
import sys
import time
from collections.abc import Awaitable, Callable, Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from distributed import Client

from treadle.clusters.dispatcher import Dispatcher
from treadle.clusters.notices import notice
from treadle.clusters.port import JobBook, JobStarted
from treadle.clusters.slurm.commands import Slurm
from treadle.clusters.slurm.job import Job, as_over, loss_of
from treadle.clusters.slurm.scaling import Situation, Worker, decide
from treadle.clusters.slurm.script import render
from treadle.clusters.slurm.verdict import JobCause, JobEnd
from treadle.clusters.slurm.waiting import check_waiting
from treadle.clusters.slurm.watcher import Watcher
from treadle.errors import (
    ClusterError,
    ControllerAway,
    SubmissionRefused,
    TreadleError,
    WorkerLost,
    WorkersUnavailable,
)
from treadle.model.job_shape import JobShape, jobs_at_most
from treadle.model.profile import ClusterProfile

STILLBORN_AT_MOST = 3
TURN_SECONDS = 1.0
HURRIED_SECONDS = 2.0
LONGEST_PAUSE_SECONDS = 60.0
GRACE_SECONDS = 5.0
FAREWELL_SECONDS = 30.0
LONGEST_LEAD_SECONDS = 60.0

# Ends of a job that say nothing about whether the next one's worker comes up.
CHANCE = frozenset({JobCause.NODE_FAIL, JobCause.PREEMPTED})

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Site:
    """What the pools of one cluster share.

    Attributes:
        cluster: What the user calls the cluster.
        slurm: The way to SLURM.
        watcher: Knows what became of jobs.
        profile: What the site's people have settled.
        folder: Private folder on storage that the nodes share.
        token: Begins the name of every job, and of those of no other run.
        book: Returns where jobs are written down.
        dismiss: Has the worker at an address end by itself.
        pools: Returns all pools of the cluster.
    """

    cluster: str
    slurm: Slurm
    watcher: Watcher
    profile: ClusterProfile
    folder: Path
    token: str
    book: Callable[[], JobBook]
    dismiss: Callable[[str], Awaitable[None]]
    pools: Callable[[], Collection[SlurmPool]]


class SlurmPool:
    """Jobs of one shape and the orders they work on; everything here happens in the cluster's loop.

    Args:
        number: Tells this pool from others of the cluster.
        shape: What each job asks for.
        site: What it shares with others.
        client: Client of the scheduler.
        tokens: Numbers for orders.
    """

    def __init__(
        self, number: int, shape: JobShape, site: Site, client: Client, tokens: Iterator[int]
    ) -> None:
        self.shape = shape
        self._prefix = f"{site.token}-{number}"
        self._most_jobs = jobs_at_most(shape, site.profile, None)
        self._site = site
        self._jobs: dict[str, Job] = {}
        self._ended: dict[str, Job] = {}
        self._numbers = iter(range(1, sys.maxsize))
        self._surplus_since: float | None = None
        self._stillborn = 0
        self.is_short = False
        self._pause_seconds = 0.0
        self._paused_until = 0.0
        self._is_stopped = False
        self._wake = asyncio.Event()
        self._watches: set[asyncio.Task[None]] = set()
        self.dispatcher = Dispatcher(
            client, shape.slots * self._most_jobs, self._bury, tokens=tokens, wanting=self._wake.set
        )

    @property
    def jobs(self) -> int:
        """Jobs it has in SLURM's hands, or soon."""
        return len(self._jobs)

    def owns(self, worker: str) -> bool:
        """Whether a worker is in one of this pool's jobs."""
        return worker.startswith(f"{self._prefix}-")

    async def keep(self) -> None:
        """Have as many jobs as there is work for, until `stop`."""
        while not self._is_stopped:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), TURN_SECONDS)
            self._wake.clear()
            try:
                await self._adjust()
            except ControllerAway:
                self._pause()  # the watcher tells of it
            except ClusterError as error:
                self.dispatcher.fail(error)
                return
            except TreadleError as error:  # the book takes no more jobs
                self.dispatcher.fail(ClusterError(error.what, remedy=error.remedy, detail=error.detail))
                return

    def stop(self) -> None:
        """Submit no more; `keep` returns when a submission that is under way has ended."""
        self._is_stopped = True
        self._wake.set()

    async def _adjust(self) -> None:
        self._note_arrivals()
        self._check_waiting()
        situation = self._situation()
        self.is_short = situation.is_short
        if situation.jobs <= situation.needed:
            self._surplus_since = None
        elif self._surplus_since is None:
            self._surplus_since = time.monotonic()
        decision = decide(situation)
        await self._dismiss(decision.retire)
        if time.monotonic() < self._paused_until:
            return
        await self._cancel([self._jobs[name] for name in decision.cancel])
        unsettled = [job for job in self._jobs.values() if not job.id]
        for job in chain(unsettled, (self._new_job() for _ in range(decision.submit))):
            if not await self._submit(job) or self._is_stopped:
                return
            await asyncio.sleep(self._site.profile.submit_interval_seconds)

    def _note_arrivals(self) -> None:
        for member in self.dispatcher.members:
            job = self._jobs.get(member.name)
            if job is not None:
                self._stillborn = 0 if not job.registered else self._stillborn
                job.registered = True
                if member.tokens:
                    job.idle_since = time.monotonic()

    def _room(self) -> int:
        """Return how many more jobs of this shape the limits of the run allow."""
        pools, profile = self._site.pools(), self._site.profile
        room = profile.max_jobs - sum(pool.jobs for pool in pools)
        if profile.max_cores is not None:
            cores = profile.max_cores - sum(pool.jobs * pool.shape.cpus for pool in pools)
            room = min(room, cores // self.shape.cpus)
        return room

    def _patience(self) -> float:
        """Return how long to keep what nobody needs: not long where another pool waits for its place."""
        seconds = self._site.profile.idle_seconds
        others = (pool for pool in self._site.pools() if pool is not self)
        return min(seconds, HURRIED_SECONDS) if any(pool.is_short for pool in others) else seconds

    def _check_waiting(self) -> None:
        for job in self._jobs.values():
            entry = self._site.watcher.state(job.id) if job.id and not job.unwanted else None
            if entry is not None:
                check_waiting(entry)

    def _situation(self) -> Situation:
        now, epoch = time.monotonic(), time.time()
        members = [member for member in self.dispatcher.members if not member.retiring]
        waiting = [job for job in self._jobs.values() if not job.registered and not job.unwanted]
        pending = tuple(job.name for job in waiting if not self._is_running(job))
        return Situation(
            units=self.dispatcher.demand,
            slots=self.shape.slots,
            most_jobs=self._most_jobs,
            room=self._room(),
            pending=pending,
            starting=len(waiting) - len(pending),
            workers=tuple(
                Worker(
                    name=member.name,
                    busy=len(member.tokens),
                    idle_seconds=now - self._jobs[member.name].idle_since,
                    used=member.used,
                    seconds_left=(member.ends_at or float("inf")) - epoch,
                )
                for member in members
                if member.name in self._jobs
            ),
            unit_seconds=self.dispatcher.longest_wait,
            lead_seconds=min(LONGEST_LEAD_SECONDS, self.shape.time_seconds / 4),
            surplus_seconds=0.0 if self._surplus_since is None else now - self._surplus_since,
            patience_seconds=self._patience(),
        )

    def _is_running(self, job: Job) -> bool:
        entry = self._site.watcher.state(job.id) if job.id else None
        return entry is not None and entry.state == "RUNNING"

    def _new_job(self) -> Job:
        name = f"{self._prefix}-{next(self._numbers)}"
        job = self._jobs[name] = Job(name, self._site.folder / f"{name}.out")
        return job

    async def _submit(self, job: Job) -> bool:
        """Submit one job; return whether SLURM took it, rather than that it takes none for now.

        Raises:
            SubmissionRefused: It will never take one.
            ControllerAway: Nobody knows; the same job is submitted again, which makes no second one.
        """
        try:
            job.id = await self._site.slurm.submit(self._script(job), name=job.name)
        except SubmissionRefused as refusal:
            del self._jobs[job.name]
            if not refusal.transient:
                raise
            if not self._pause_seconds:
                logger.warning("submission_postponed pool=%s reason=%r", self._prefix, str(refusal))
                notice(str(refusal))
            self._pause()
            return False
        self._pause_seconds = 0.0
        self._site.watcher.watch(job.id)
        watch = asyncio.create_task(self._watch(job))
        self._watches.add(watch)
        watch.add_done_callback(self._watches.discard)
        await self._note_started(job)
        return True

    def _pause(self) -> None:
        """Wait longer each time before the next try."""
        self._pause_seconds = min(2 * self._pause_seconds or TURN_SECONDS, LONGEST_PAUSE_SECONDS)
        self._paused_until = time.monotonic() + self._pause_seconds

    async def _note_started(self, job: Job) -> None:
        started = JobStarted(
            id=job.id,
            name=job.name,
            cluster=self._site.cluster,
            shape=self.shape.label,
            cpus=self.shape.cpus,
            memory_mb=self.shape.memory_mb,
        )
        await asyncio.to_thread(self._site.book().started, started)

    def _script(self, job: Job) -> str:
        words = [
            str(self._site.profile.python or sys.executable),
            "-P",
            "-m",
            "treadle.clusters.slurm.worker",
            str(self._site.folder),
            job.name,
            str(self.shape.slots),
            str(self.shape.time_seconds),
        ]
        return render(self.shape, name=job.name, command=words, log_file=str(job.output))

    async def _watch(self, job: Job) -> None:
        """Take note of a job's end; give the pool up when several in a row brought no worker."""
        end = await self._site.watcher.ended(job.id)
        try:
            await asyncio.to_thread(self._site.book().over, as_over(end))
        except TreadleError:
            logger.exception("end_of_job_not_written job=%s", job.id)
        self._ended[job.name] = self._jobs.pop(job.name)
        job.ended.set_result(end)
        for line in job.last_words().splitlines():
            logger.info("worker_said worker=%s line=%r", job.name, line)
        if not job.registered and not job.unwanted and end.cause not in CHANCE:
            self._stillborn += 1
            if self._stillborn == STILLBORN_AT_MOST:
                self.dispatcher.fail(_none_came_up(job, end))
        await self._dismiss([job.name])  # it may not have noticed that its job is over
        self._paused_until = 0.0  # there may be room now
        self._wake.set()

    async def _bury(self, name: str) -> WorkerLost:
        """Return how a worker's job ended; one that outlives its worker is cancelled."""
        job = self._jobs.get(name) or self._ended[name]
        while not job.ended.done():
            self._site.watcher.hurry()
            await asyncio.wait({job.ended}, timeout=FAREWELL_SECONDS)
            if not job.ended.done():
                with suppress(ControllerAway):
                    await self._cancel([job])
        loss = loss_of(job.ended.result(), self.shape.slots)
        notice(f"{loss.what} What it ran is run again, or fails.")
        return loss

    async def _dismiss(self, names: Collection[str]) -> None:
        """Let workers end by themselves, and their jobs with them."""
        for member in self.dispatcher.members:
            if member.name in names:
                if member.name in self._jobs:
                    self._jobs[member.name].unwanted = True
                self.dispatcher.retire(member.name)
                await self._site.dismiss(member.address)

    async def _cancel(self, jobs: list[Job]) -> None:
        """Have SLURM end jobs.

        Raises:
            ControllerAway: It may have ended none of them.
        """
        wanted = [job for job in jobs if job.id]
        if wanted:
            await self._site.slurm.cancel([job.id for job in wanted])
            for job in wanted:
                job.unwanted = True
            self._site.watcher.hurry()

    async def close(self, error: ClusterError) -> bool:
        """End all jobs; return whether none is left, which nobody knows where SLURM does not answer."""
        self.dispatcher.close(error)
        registered = {member.name for member in self.dispatcher.members} & self._jobs.keys()
        jobs = [job for job in self._jobs.values() if job.id]
        with suppress(ControllerAway):
            await self._cancel([job for job in jobs if job.name not in registered])
        await self._dismiss(registered)
        if jobs:
            await self._await_ends(jobs)
        self.dispatcher.abandon(WorkerLost("The cluster was closed while the batch ran."))
        return not self._jobs

    async def _await_ends(self, jobs: list[Job]) -> None:
        ends = {job.ended for job in jobs}
        self._site.watcher.hurry()
        _, late = await asyncio.wait(ends, timeout=GRACE_SECONDS)
        with suppress(ControllerAway):
            await self._cancel([job for job in jobs if job.ended in late])
        await asyncio.wait(ends, timeout=FAREWELL_SECONDS)


def _none_came_up(job: Job, end: JobEnd) -> WorkersUnavailable:
    return WorkersUnavailable(
        f"{STILLBORN_AT_MOST} jobs in a row ended before their worker was ready. {end.explanation}",
        remedy=end.remedy or "The text below is what the last of them said.",
        detail=job.last_words(),
    )
