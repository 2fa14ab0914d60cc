"""A real SLURM is submitted to, asked and hurt: each job's end is told with its cause, none is made up."""

from __future__ import annotations

import asyncio
import getpass
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from uuid import uuid4

import pytest

from treadle.clusters.slurm.answers import QueueEntry
from treadle.clusters.slurm.commands import Slurm
from treadle.clusters.slurm.ssh import SshTransport
from treadle.clusters.slurm.transport import LocalTransport, Transport
from treadle.clusters.slurm.verdict import JobCause, JobEnd
from treadle.clusters.slurm.watcher import Watcher
from treadle.errors import ControllerAway, SubmissionRefused
from treadle.testing.slurm import DevelopmentSlurm
from treadle.testing.ssh import LoopbackSsh

pytestmark = pytest.mark.integration

DEADLINE_SECONDS = 60
MEMORY = (
    "import time; held = bytearray({size}); held[::4096] = b'x' * len(held[::4096]); time.sleep({seconds})"
)


def script(program: str, *directives: str) -> str:
    lines = [f"#SBATCH {line}" for line in ("--output=/dev/null", "--no-requeue", *directives)]
    return "\n".join(["#!/bin/sh", *lines, program, ""])


def new_name() -> str:
    return f"treadle-{uuid4().hex}"


def grows(size: int, seconds: float) -> str:
    return f"exec '{sys.executable}' -c \"{MEMORY.format(size=size, seconds=seconds)}\""


class Session:
    """Jobs on a real SLURM, watched; the tests speak of them by their ids."""

    def __init__(self, transport: Transport) -> None:
        self.slurm = Slurm(transport)
        self.away = asyncio.Event()
        self.watcher = Watcher(
            self.slurm, shortest_seconds=0.5, longest_seconds=2, on_away=lambda _: self.away.set()
        )
        self.jobs: list[str] = []

    async def submit(self, program: str, *directives: str) -> str:
        job = await self.slurm.submit(script(program, *directives), new_name())
        self.jobs.append(job)
        self.watcher.watch(job)
        return job

    async def state(self, job: str, state: str) -> QueueEntry:
        """Return a job once the queue has it in that state."""
        async with asyncio.timeout(DEADLINE_SECONDS):
            while (entry := self.watcher.state(job)) is None or entry.state != state:
                self.watcher.hurry()
                await asyncio.sleep(0.1)
            return entry

    async def end(self, job: str) -> JobEnd:
        """Return the end of a job, asking often."""
        async with asyncio.timeout(DEADLINE_SECONDS):
            ending = asyncio.create_task(self.watcher.ended(job))
            while not ending.done():
                self.watcher.hurry()
                await asyncio.wait({ending}, timeout=0.5)
            return ending.result()


def during(transport: Transport, act: Callable[[Session], Awaitable[None]]) -> None:
    async def run() -> None:
        session = Session(transport)
        async with session.watcher:
            try:
                await act(session)
            finally:
                await session.slurm.cancel(session.jobs)
                await session.slurm.close()

    asyncio.run(run())


def here(slurm: DevelopmentSlurm) -> LocalTransport:
    return LocalTransport(slurm.environment)


def test_ends_are_told_with_cause_node_and_memory(slurm: DevelopmentSlurm) -> None:
    """Seven jobs at once, each of which ends in its own way."""

    async def act(session: Session) -> None:
        completes = await session.submit(grows(100_000_000, 3), "--mem=954M", "--nodelist=n1", "--time=2")
        fails = await session.submit("exit 3")
        crashes = await session.submit("kill -11 $$")
        exceeds = await session.submit(grows(400_000_000, 600), "--mem=50M")
        cancelled = await session.submit("sleep 600")
        pending = await session.submit("true", "--hold")
        preempted = await session.submit("sleep 600", "-p long", "--nodelist=n4", "--exclusive")
        for job in (cancelled, preempted):
            await session.state(job, "RUNNING")
        assert (await session.state(pending, "PENDING")).reason == "JobHeldUser"
        urgent = await session.submit("true", "-p long", "--nodelist=n4", "--qos=urgent")
        await session.slurm.cancel([cancelled, pending])

        end = await session.end(completes)
        assert (end.cause, end.node, end.exit_code) == (JobCause.COMPLETED, "n1", 0)
        assert (end.requested_memory_mb, end.time_limit_seconds, end.cpus) == (1000, 120, 1)
        assert 100 < (end.peak_memory_mb or 0) < 300
        assert end.submitted_at is not None
        assert end.started_at is not None
        assert end.ended_at is not None
        assert end.submitted_at <= end.started_at < end.ended_at
        assert (end.ended_at - end.started_at).total_seconds() == end.elapsed_seconds
        assert (end.cpu_seconds or 0) > 0

        end = await session.end(fails)
        assert (end.cause, end.exit_code) == (JobCause.FAILED, 3)
        assert "SIGSEGV" in (await session.end(crashes)).explanation
        end = await session.end(exceeds)
        assert (end.cause, end.requested_memory_mb) == (JobCause.OUT_OF_MEMORY, 52)
        assert "it had 52 MB" in end.explanation
        end = await session.end(cancelled)
        assert (end.cause, end.cancelled_by) == (JobCause.CANCELLED, getpass.getuser())
        end = await session.end(pending)
        assert f"was cancelled by {getpass.getuser()} before it started" in end.explanation
        assert end.started_at is None
        assert (await session.end(preempted)).cause is JobCause.PREEMPTED
        assert (await session.end(urgent)).cause is JobCause.COMPLETED

    during(here(slurm), act)


def test_a_jobs_time_can_be_over_and_its_node_can_fail(slurm: DevelopmentSlurm) -> None:
    async def act(session: Session) -> None:
        timed = await session.submit("sleep 600", "--time=1", "--nodelist=n2")
        lost = await session.submit("sleep 600", "--nodelist=n1")
        for job in (timed, lost):
            await session.state(job, "RUNNING")
        await asyncio.to_thread(slurm.expire_job, timed)
        await asyncio.to_thread(slurm.kill_node, "n1")
        try:
            end = await session.end(lost)
            assert (end.cause, end.node) == (JobCause.NODE_FAIL, "n1")
        finally:
            await asyncio.to_thread(slurm.revive_node, "n1")
        end = await session.end(timed)
        assert (end.cause, end.node) == (JobCause.TIMEOUT, "n2")
        assert "it had 00:01:00 and ran" in end.explanation

    during(here(slurm), act)


def test_a_controller_that_is_stopped_takes_nothing_changes_nothing_and_goes_on(
    slurm: DevelopmentSlurm,
) -> None:
    """The job that could not be submitted is there once, after as many tries as it takes."""

    async def act(session: Session) -> None:
        goes_on = await session.submit("sleep 600")
        ends = await session.submit("sleep 4")
        for job in (goes_on, ends):
            await session.state(job, "RUNNING")
        name = new_name()
        await asyncio.to_thread(slurm.stop_controller)
        try:
            with pytest.raises(ControllerAway):
                await session.slurm.submit(script("sleep 600"), name)
            with pytest.raises(ControllerAway):
                await session.slurm.queue([goes_on, ends])
            async with asyncio.timeout(DEADLINE_SECONDS):
                await session.away.wait()
            for job in (goes_on, ends):
                await session.state(job, "RUNNING")
        finally:
            await asyncio.to_thread(slurm.start_controller)
        late = await session.slurm.submit(script("sleep 600"), name)
        session.jobs.append(late)
        assert await session.slurm.find_by_name(name) == [late]
        assert (await session.end(ends)).cause is JobCause.COMPLETED
        assert session.watcher.away is None
        assert (await session.state(goes_on, "RUNNING")).node
        await session.slurm.cancel_named(name)
        session.watcher.watch(late)
        assert (await session.end(late)).cause is JobCause.CANCELLED

    during(here(slurm), act)


def test_while_accounting_is_away_the_controller_tells_of_an_end(slurm: DevelopmentSlurm) -> None:
    async def act(session: Session) -> None:
        job = await session.submit(grows(100_000_000, 3))
        await session.state(job, "RUNNING")
        await asyncio.to_thread(slurm.stop_accounting)
        try:
            assert (await session.state(job, "COMPLETED")).is_final
            with pytest.raises(ControllerAway) as raised:
                await session.slurm.ended([job])
            assert "Connection refused" in raised.value.detail
            end = await session.end(job)
            assert (end.cause, end.peak_memory_mb) == (JobCause.COMPLETED, None)
        finally:
            await asyncio.to_thread(slurm.start_accounting)

    during(here(slurm), act)


def test_a_limit_of_jobs_is_a_refusal_for_now_and_a_wrong_partition_one_for_good(
    slurm: DevelopmentSlurm,
) -> None:
    async def act(session: Session) -> None:
        held = await session.submit("sleep 600")
        name = new_name()
        await asyncio.to_thread(slurm.limit_submissions, 1)
        try:
            with pytest.raises(SubmissionRefused) as raised:
                await session.slurm.submit(script("true"), name)
            assert raised.value.transient
            assert "AssocMaxSubmitJobLimit" in raised.value.detail
        finally:
            await asyncio.to_thread(slurm.limit_submissions, None)
        taken = await session.slurm.submit(script("true"), name)
        session.jobs.append(taken)
        assert taken != held
        for directive in ("--partition=nowhere", "--mem=99G", "--account=nobodys", "--time=soon"):
            with pytest.raises(SubmissionRefused) as raised:
                await session.submit("true", directive)
            assert not raised.value.transient

    during(here(slurm), act)


def test_nothing_of_a_surrounding_job_reaches_a_submitted_one(
    slurm: DevelopmentSlurm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SBATCH_PARTITION", "nowhere")
    monkeypatch.setenv("SLURM_MEM_PER_NODE", "3000")
    monkeypatch.setenv("SQUEUE_FORMAT", "%j")
    monkeypatch.setenv("SACCT_FORMAT", "State")
    monkeypatch.setenv("A_SECRET", "told")
    found = tmp_path / "environment"

    async def act(session: Session) -> None:
        job = await session.submit(f"env > '{found}'")
        assert (await session.end(job)).cause is JobCause.COMPLETED

    during(here(slurm), act)
    lines = found.read_text().splitlines()
    assert "SLURM_JOB_PARTITION=short" in lines
    assert not [line for line in lines if line.startswith(("A_SECRET=", "SLURM_MEM_PER_NODE=", "LC_ALL="))]


def test_without_accounting_the_controller_tells_of_ends(slurm_script: Path, tmp_path: Path) -> None:
    async def act(session: Session) -> None:
        fails = await session.submit("exit 3", "--mem=100M")
        cancelled = await session.submit("sleep 600")
        await session.state(cancelled, "RUNNING")
        await session.slurm.cancel([cancelled])
        end = await session.end(fails)
        assert (end.cause, end.exit_code, end.requested_memory_mb) == (JobCause.FAILED, 3, 105)
        assert (end.peak_memory_mb, end.node) == (None, "n1")
        assert "whom SLURM does not name" in (await session.end(cancelled)).explanation

    with DevelopmentSlurm(slurm_script, tmp_path / "up", nodes=2, accounting=False) as without:
        during(here(without), act)


def test_jobs_are_submitted_watched_and_cancelled_from_another_machine(
    slurm: DevelopmentSlurm, ssh_server: LoopbackSsh
) -> None:
    async def act(session: Session) -> None:
        fails = await session.submit("exit 3")
        cancelled = await session.submit("sleep 600")
        await session.state(cancelled, "RUNNING")
        await session.slurm.cancel([cancelled])
        assert (await session.end(fails)).exit_code == 3
        assert (await session.end(cancelled)).cancelled_by == getpass.getuser()

    remote = SshTransport(
        ssh_server.host,
        port=ssh_server.port,
        key_file=ssh_server.key_file,
        known_hosts=ssh_server.known_hosts,
        variables=slurm.environment,
    )
    during(remote, act)
