"""Jobs are watched with few questions; SLURM's absence changes nothing, and only SLURM tells of an end."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

import pytest

from treadle.clusters.slurm.answers import QueueEntry
from treadle.clusters.slurm.commands import Slurm
from treadle.clusters.slurm.transport import Completed
from treadle.clusters.slurm.verdict import JobCause
from treadle.clusters.slurm.watcher import Watcher
from treadle.errors import ControllerAway
from treadle.testing import fake_slurm
from treadle.testing.clock import run_without_waiting
from treadle.testing.fake_slurm import Answer, FakeJob, FakeSlurm

Scene = Callable[["Watched"], Awaitable[None]]


class Watched:
    """A watcher of a pretended SLURM with three jobs, of which the first runs, and what it told."""

    def __init__(self, fake: FakeSlurm) -> None:
        self.fake = fake
        self.changes: list[tuple[str, str]] = []
        self.absences: list[ControllerAway | None] = []
        self.watcher = Watcher(Slurm(fake), on_change=self._change, on_away=self.absences.append)
        for number in (1, 2, 3):
            fake.jobs[str(number)] = FakeJob(str(number), f"pool-{number}")
        fake.jobs["1"].start()

    def _change(self, entry: QueueEntry) -> None:
        self.changes.append((entry.job_id, entry.state))

    @property
    def ended(self) -> list[str]:
        """Which jobs are known to have ended."""
        futures = {job_id: job.ended for job_id, job in self.watcher._watched.items()}
        return [job_id for job_id, end in futures.items() if end.done() and not end.cancelled()]


def play(fake: FakeSlurm, scene: Scene) -> Watched:
    """Let the jobs be watched for a second, and then the scene be played; nobody really waits."""

    async def run() -> Watched:
        watched = Watched(fake)
        async with watched.watcher:
            for job_id in fake.jobs:
                watched.watcher.watch(job_id)
            await asyncio.sleep(1)
            await scene(watched)
        return watched

    return run_without_waiting(run())


def test_one_squeue_asks_for_all_jobs_and_accounting_only_for_those_that_are_over(fake: FakeSlurm) -> None:
    async def scene(watched: Watched) -> None:
        assert watched.changes == [("1", "RUNNING"), ("2", "PENDING"), ("3", "PENDING")]
        assert fake.count("sacct") == 0
        fake.jobs["1"].end("COMPLETED")
        end = await watched.watcher.ended("1")
        assert end.cause is JobCause.COMPLETED
        await asyncio.sleep(10)

    watched = play(fake, scene)
    squeues = [words[-1] for words in fake.calls if words[0] == "squeue"]
    assert squeues[0] == "--jobs=1,2,3"
    assert squeues[-1] == "--jobs=2,3"
    assert [words[-1] for words in fake.calls if words[0] == "sacct"] == ["--jobs=1"]
    assert watched.ended == ["1"]


def test_an_end_in_the_queue_is_told_before_accounting_has_it(fake: FakeSlurm) -> None:
    async def scene(watched: Watched) -> None:
        fake.jobs["1"].end("TIMEOUT")
        fake.jobs["1"].is_accounted = False
        await asyncio.sleep(10)
        assert watched.changes[-1] == ("1", "TIMEOUT")
        assert watched.watcher.state("1") is not None
        assert not watched.ended
        fake.jobs["1"].is_accounted = True
        assert (await watched.watcher.ended("1")).cause is JobCause.TIMEOUT

    play(fake, scene)


def test_questions_become_rare_and_frequent_again_after_a_change_or_when_told(fake: FakeSlurm) -> None:
    async def scene(watched: Watched) -> None:
        await asyncio.sleep(600)
        rare = fake.count("squeue")
        assert rare <= 16  # at 0, 2, 4, 8, 16, 32, 60, 60 ... seconds
        fake.jobs["2"].start("n2")
        await asyncio.sleep(61)
        assert watched.changes[-1] == ("2", "RUNNING")
        await asyncio.sleep(600)
        before = fake.count("squeue")
        watched.watcher.hurry()
        await asyncio.sleep(3)
        assert fake.count("squeue") == before + 2  # at once, and after two seconds

    play(fake, scene)


def test_many_new_jobs_do_not_make_many_questions(fake: FakeSlurm) -> None:
    async def scene(watched: Watched) -> None:
        before = fake.count("squeue")
        for number in range(4, 54):
            fake.jobs[str(number)] = FakeJob(str(number), f"pool-{number}")
            watched.watcher.watch(str(number))
            await asyncio.sleep(0.2)
        assert fake.count("squeue") - before <= 6
        assert watched.watcher.state("4") is not None

    play(fake, scene)


def test_without_jobs_nothing_is_asked(fake: FakeSlurm) -> None:
    async def scene(watched: Watched) -> None:
        for job_id in fake.jobs:
            watched.watcher.forget(job_id)
        await asyncio.sleep(100)
        before = len(fake.calls)
        await asyncio.sleep(1000)
        assert len(fake.calls) == before
        watched.watcher.watch("2")
        await asyncio.sleep(3)
        assert len(fake.calls) > before

    play(fake, scene)


@contextmanager
def slow(fake: FakeSlurm) -> Iterator[None]:
    fake.seconds = 1000
    yield
    fake.seconds = 0


@contextmanager
def faulty(fake: FakeSlurm, fault: fake_slurm.Fault, *commands: str) -> Iterator[None]:
    fake.fail(fault, *commands)
    yield
    fake.heal()


@pytest.mark.parametrize("kind", ["away", "garbage", "silence", "slow", "missing"])
def test_ten_minutes_without_slurm_change_nothing_and_are_told_once(
    fake: FakeSlurm, caplog: pytest.LogCaptureFixture, kind: str
) -> None:
    """Meanwhile a job ends, and another starts; both are known soon after."""
    outages = {
        "away": faulty(fake, fake_slurm.away),
        "garbage": faulty(fake, fake_slurm.garbage),
        "silence": faulty(fake, fake_slurm.silence),
        "slow": slow(fake),
        "missing": faulty(fake, lambda _: Completed(127, "", "not found")),
    }

    async def scene(watched: Watched) -> None:
        with outages[kind]:
            fake.jobs["1"].end("NODE_FAIL")
            await asyncio.sleep(600)
            assert not watched.ended
            assert isinstance(watched.watcher.away, ControllerAway)
            assert watched.absences == [watched.watcher.away]
            fake.jobs["2"].start("n2")
        end = await watched.watcher.ended("1")
        assert (end.cause, end.node) == (JobCause.NODE_FAIL, "n1")
        await asyncio.sleep(200)
        assert watched.watcher.away is None

    with caplog.at_level(logging.INFO, "treadle"):
        watched = play(fake, scene)
    assert watched.absences[1:] == [None]
    assert [record.message.split()[0] for record in caplog.records] == ["slurm_away", "slurm_answers_again"]
    assert watched.ended == ["1"]
    state = watched.watcher.state("2")
    assert state is not None
    assert state.state == "RUNNING"


def test_while_accounting_is_away_the_controller_tells_of_ends_and_what_it_forgot_is_waited_for(
    fake: FakeSlurm, caplog: pytest.LogCaptureFixture
) -> None:
    refused = Completed(1, "", "Connection refused")

    async def scene(watched: Watched) -> None:
        with faulty(fake, lambda _: refused, "sacct"):
            fake.jobs["1"].end("NODE_FAIL")
            end = await watched.watcher.ended("1")
            assert (end.cause, end.node) == (JobCause.NODE_FAIL, "n1")
            fake.jobs["2"].end("CANCELLED")
            fake.jobs["2"].is_queued = False
            await asyncio.sleep(6000)
            assert watched.ended == ["1"]
        assert (await watched.watcher.ended("2")).cause is JobCause.CANCELLED

    with caplog.at_level(logging.INFO, "treadle.clusters"):
        watched = play(fake, scene)
    assert watched.absences == []
    told = [record.message for record in caplog.records if record.name == "treadle.notices"]
    assert len(told) == 1
    assert "accounting does not answer" in told[0]


def test_a_queue_that_is_wrongly_empty_ends_nothing(fake: FakeSlurm) -> None:
    """Accounting still has the jobs: one runs, the others wait."""

    async def scene(watched: Watched) -> None:
        with faulty(fake, fake_slurm.empty, "squeue"):
            await asyncio.sleep(600)
            assert not watched.ended
        fake.jobs["1"].end("COMPLETED")
        assert (await watched.watcher.ended("1")).cause is JobCause.COMPLETED

    watched = play(fake, scene)
    assert watched.ended == ["1"]
    assert watched.absences == []


def test_a_queue_and_accounting_that_are_wrongly_empty_end_nothing_that_the_controller_shows(
    fake: FakeSlurm,
) -> None:
    async def scene(watched: Watched) -> None:
        with faulty(fake, fake_slurm.empty, "squeue", "sacct"):
            await asyncio.sleep(600)
        assert not watched.ended

    play(fake, scene)


def test_a_job_that_left_the_queue_is_told_by_accounting(fake: FakeSlurm) -> None:
    async def scene(watched: Watched) -> None:
        fake.jobs["1"].end("PREEMPTED")
        fake.jobs["1"].forget()
        assert (await watched.watcher.ended("1")).cause is JobCause.PREEMPTED

    play(fake, scene)


def test_a_job_that_nobody_knows_any_more_is_gone_only_after_answers_that_agree(fake: FakeSlurm) -> None:
    async def scene(watched: Watched) -> None:
        fake.jobs["1"].forget(accounting=True)
        fake.calls.clear()
        began = asyncio.get_running_loop().time()
        end = await watched.watcher.ended("1")
        assert asyncio.get_running_loop().time() - began >= 10
        assert end.cause is JobCause.UNKNOWN
        assert fake.count("squeue") >= 3
        assert fake.count("sacct") >= 3
        assert fake.count("scontrol") == 1

    watched = play(fake, scene)
    assert watched.ended == ["1"]


def test_answers_agree_only_if_none_is_missing_between_them(fake: FakeSlurm) -> None:
    calls = 0

    def every_third(answer: Answer) -> Completed:
        nonlocal calls
        calls += 1
        return answer() if calls % 3 else fake_slurm.away(answer)

    async def scene(watched: Watched) -> None:
        with faulty(fake, every_third, "squeue"):
            fake.jobs["1"].forget(accounting=True)
            await asyncio.sleep(600)
            assert not watched.ended
        assert (await watched.watcher.ended("1")).cause is JobCause.UNKNOWN

    play(fake, scene)


def test_a_job_that_accounting_runs_on_for_ever_is_gone_after_an_hour(fake: FakeSlurm) -> None:
    async def scene(watched: Watched) -> None:
        fake.jobs["1"].forget()
        await asyncio.sleep(3000)
        assert not watched.ended
        assert (await watched.watcher.ended("1")).cause is JobCause.UNKNOWN

    play(fake, scene)


def test_accounting_that_never_learns_of_an_end_is_not_waited_for(fake: FakeSlurm) -> None:
    async def scene(watched: Watched) -> None:
        fake.jobs["1"].end("FAILED", "3:0")
        fake.jobs["1"].is_accounted = False
        end = await watched.watcher.ended("1")
        assert (end.cause, end.exit_code, end.peak_memory_mb) == (JobCause.FAILED, 3, None)

    play(fake, scene)


def test_without_accounting_the_controller_tells(fake: FakeSlurm) -> None:
    fake.accounting = False

    async def scene(watched: Watched) -> None:
        fake.jobs["1"].end("OUT_OF_MEMORY", "0:125")
        end = await watched.watcher.ended("1")
        assert end.cause is JobCause.OUT_OF_MEMORY
        assert "how much it used is not known" in end.explanation
        fake.jobs["2"].forget()
        assert (await watched.watcher.ended("2")).cause is JobCause.UNKNOWN

    play(fake, scene)


def test_whoever_waits_for_an_end_is_let_go_when_watching_stops(fake: FakeSlurm) -> None:
    waiting: list[asyncio.Task[object]] = []

    async def scene(watched: Watched) -> None:
        waiting.append(asyncio.create_task(watched.watcher.ended("1")))
        await asyncio.sleep(0)

    async def run() -> None:
        watched = Watched(fake)
        async with watched.watcher:
            watched.watcher.watch("1")
            await scene(watched)
        await asyncio.wait(waiting, timeout=5)
        assert waiting[0].cancelled()

    run_without_waiting(run())


def test_whoever_gives_up_waiting_takes_the_end_from_nobody(fake: FakeSlurm) -> None:
    async def scene(watched: Watched) -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(watched.watcher.ended("1"), 5)
        fake.jobs["1"].end("COMPLETED")
        assert (await watched.watcher.ended("1")).cause is JobCause.COMPLETED

    play(fake, scene)
