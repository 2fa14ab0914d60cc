"""SLURM by its own commands: jobs are submitted, asked for, cancelled; silence is taken for no fact."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from typing import TypeVar

from treadle.clusters.slurm.answers import (
    ACCOUNTING_FORMAT,
    QUEUE_FORMAT,
    Garbled,
    QueueEntry,
    Records,
    read_accounting,
    read_queue,
    read_shown,
)
from treadle.clusters.slurm.refusals import Refusal, classify, reason
from treadle.clusters.slurm.transport import NOT_FOUND, Completed, Transport
from treadle.clusters.slurm.verdict import JobEnd
from treadle.errors import ClusterError, ControllerAway, SubmissionRefused

T = TypeVar("T")

AGREEING_ANSWERS = 3
AGREEING_SECONDS = 10.0
"""How many answers without a job, over how long, show that there is none."""

_READING = {"LC_ALL": "C", "SLURM_TIME_FORMAT": "%s"}
_IDS_PER_COMMAND = 500
_JOB = re.compile(r"(\d+)(;\S+)?")
_NAME = re.compile(r"[\w.-]+")
_NO_SUCH_JOB = "Invalid job id specified"
_ALREADY_OVER = re.compile(r"Invalid job id|already completing or completed|Job has already finished")
_NO_ACCOUNTING = "accounting storage is disabled"
_ACCOUNTING_OPTIONS = ("--parsable2", "--units=K", f"--format={ACCOUNTING_FORMAT}")
_QUOTED_CHARACTERS = 1000
_ASKED_AGAIN = "Jobs that run go on, and it is asked again."


class Slurm:
    """The SLURM that a transport's commands speak with.

    Every method that asks may raise `ControllerAway`: nothing is known then, and nothing has changed. All
    methods are for one event loop, and may be called at the same time.

    Args:
        transport: Where the commands are.
        timeout_seconds: How long one command may take.
    """

    def __init__(self, transport: Transport, *, timeout_seconds: float = 60.0) -> None:
        self._transport = transport
        self._timeout_seconds = timeout_seconds
        self._has_accounting = True
        self._unsettled: set[str] = set()
        self._users: dict[str, str] = {}

    async def submit(self, script: str, name: str) -> str:
        """Submit a job and return its id. There is never more than one job of a name.

        If nobody knows whether the last try left a job, that is found out first, which may take
        `AGREEING_SECONDS`. So the same call may be repeated after `ControllerAway`. Names of earlier
        processes need `find_by_name`.

        Args:
            script: The job's script, which sbatch reads from its standard input.
            name: Name of the job, unlike that of any other job; letters, digits, `.`, `_` and `-`.

        Raises:
            SubmissionRefused: SLURM took no job; `transient` says whether it may later.
            ControllerAway: SLURM did not answer, or broke off.
        """
        if not _NAME.fullmatch(name):
            raise ValueError(f"{name!r} is no name of a job")
        if name in self._unsettled and (job_id := await self._settle(name)):
            return job_id
        self._unsettled.add(name)
        try:
            return await self._sbatch(script, name)
        except _BrokenOff as broken:
            if job_id := await self._settle(name):
                return job_id
            raise ControllerAway(
                broken.what, remedy="It may be tried again.", detail=broken.detail
            ) from broken

    async def find_by_name(self, name: str) -> list[str]:
        """Return the ids of the jobs of that name, running, waiting or ended of late; newest last.

        Raises:
            ControllerAway: SLURM does not answer.
        """
        found = set(await self._queue(f"--name={name}"))
        if not found and self._has_accounting:
            words = ("sacct", *_ACCOUNTING_OPTIONS, f"--name={name}", "--starttime=now-7days")
            records = await self._account(words)
            found = {*records.ends, *records.unfinished}
        return sorted(found, key=int)

    async def queue(self, job_ids: Iterable[str]) -> dict[str, QueueEntry]:
        """Return those of the jobs that the controller knows; it forgets a job some minutes after its end.

        Raises:
            ControllerAway: SLURM does not answer.
        """
        found: dict[str, QueueEntry] = {}
        for ids in _chunks(job_ids):
            found |= await self._queue(f"--jobs={','.join(ids)}")
        return found

    async def ended(self, job_ids: Iterable[str]) -> dict[str, JobEnd]:
        """Return how those of the jobs ended that have; see `records`."""
        return (await self.records(job_ids)).ends

    async def records(self, job_ids: Iterable[str]) -> Records:
        """Return what accounting knows of the jobs; where a site has none, what the controller does.

        Raises:
            ControllerAway: SLURM does not answer.
        """
        ids = list(job_ids)
        found = Records()
        for chunk in _chunks(ids):
            if self._has_accounting:
                words = ("sacct", *_ACCOUNTING_OPTIONS, f"--jobs={','.join(chunk)}")
                found |= await self._account(words)
        if not self._has_accounting:
            return await self.shown(ids)
        return Records({job: await self._named(end) for job, end in found.ends.items()}, found.unfinished)

    async def shown(self, job_ids: Iterable[str]) -> Records:
        """Return what the controller knows of the jobs, one question each; memory in use is not part of it.

        Raises:
            ControllerAway: SLURM does not answer.
        """
        found = Records()
        for job_id in job_ids:
            words = ("scontrol", "show", "job", "--oneliner", job_id)
            done = await self._run(words)
            if _NO_SUCH_JOB not in done.stderr:
                found |= _read(read_shown, words, done)
        return found

    async def cancel(self, job_ids: Iterable[str]) -> None:
        """Cancel jobs; those that have ended are left alone.

        Raises:
            ControllerAway: SLURM does not answer; some may be cancelled.
            ClusterError: SLURM does not let the caller.
        """
        for ids in _chunks(job_ids):
            await self._cancel(*ids)

    async def cancel_named(self, name: str) -> None:
        """Cancel the jobs of that name, however many there are; raises as `cancel`."""
        await self._cancel(f"--name={name}")

    async def close(self) -> None:
        """Leave nothing of the transport behind."""
        await self._transport.close()

    async def _sbatch(self, script: str, name: str) -> str:
        try:
            done = await self._run(("sbatch", "--parsable", f"--job-name={name}"), script.encode(), {})
        except ControllerAway as error:
            raise _BrokenOff(error.what, detail=error.detail) from error
        job_id = _submitted(done.stdout) if done.status == 0 else None
        refusal, remedy = classify(done.stderr) if done.status > 0 else (Refusal.UNCERTAIN, "")
        if job_id is None and refusal is Refusal.UNCERTAIN:
            raise _BrokenOff("sbatch broke off.", detail=done.stderr or done.stdout)
        self._unsettled.discard(name)
        if job_id is not None:
            return job_id
        if refusal is Refusal.AWAY or done.status == NOT_FOUND:
            raise _away("sbatch", done)
        raise SubmissionRefused(
            f"SLURM refused the job: {reason(done.stderr)}.",
            transient=refusal is Refusal.TRANSIENT,
            remedy=remedy,
            detail=done.stderr,
        )

    async def _settle(self, name: str) -> str | None:
        """Find out whether there is a job of that name; None only after several answers that agree."""
        for number in range(AGREEING_ANSWERS):
            if number:
                await asyncio.sleep(AGREEING_SECONDS / (AGREEING_ANSWERS - 1))
            if found := await self.find_by_name(name):
                self._unsettled.discard(name)
                return found[-1]
        self._unsettled.discard(name)
        return None

    async def _queue(self, selection: str) -> dict[str, QueueEntry]:
        words = ("squeue", "--states=all", f"--format={QUEUE_FORMAT}", selection)
        done = await self._run(words)
        if _NO_SUCH_JOB in done.stderr:
            return {}
        return _read(read_queue, words, done)

    async def _account(self, words: Sequence[str]) -> Records:
        done = await self._run(words)
        if done.status and _NO_ACCOUNTING in done.stderr:
            self._has_accounting = False
            return Records()
        return _read(read_accounting, words, done)

    async def _named(self, end: JobEnd) -> JobEnd:
        """Put the user's name in the place of the number."""
        number = end.cancelled_by
        if number is None:
            return end
        if number not in self._users:
            done = await self._run(("id", "-nu", number))
            self._users[number] = done.stdout.strip() if done.status == 0 else f"user {number}"
        return replace(end, cancelled_by=self._users[number])

    async def _cancel(self, *selection: str) -> None:
        done = await self._run(("scancel", *selection))
        others = [line for line in done.stderr.splitlines() if not _ALREADY_OVER.search(line)]
        if done.status == 0 or (done.stderr and not others):
            return
        if "denied" in done.stderr:
            raise ClusterError("SLURM does not let you cancel these jobs.", detail=done.stderr)
        raise _away("scancel", done)

    async def _run(
        self, words: Sequence[str], stdin: bytes | None = None, variables: Mapping[str, str] = _READING
    ) -> Completed:
        try:
            async with asyncio.timeout(self._timeout_seconds):
                return await self._transport.run(words, stdin, variables=variables)
        except TimeoutError as error:
            what = f"{words[0]} did not answer within {self._timeout_seconds:g} s."
            raise ControllerAway(what, remedy=_ASKED_AGAIN) from error


class _BrokenOff(ClusterError):
    """Nobody knows whether sbatch left a job."""


def _submitted(stdout: str) -> str | None:
    """Return the id that `sbatch --parsable` printed last, after whatever a site prints before it."""
    match = _JOB.fullmatch(stdout.strip().rpartition("\n")[2].strip())
    return match[1] if match else None


def _read(read: Callable[[str], T], words: Sequence[str], done: Completed) -> T:
    if done.status:
        raise _away(words[0], done)
    try:
        return read(done.stdout)
    except Garbled as error:
        said = (done.stdout or done.stderr)[:_QUOTED_CHARACTERS]
        raise ControllerAway(f"{words[0]} gave no answer.", remedy=_ASKED_AGAIN, detail=said) from error


def _away(command: str, done: Completed) -> ControllerAway:
    if done.status == NOT_FOUND:
        what, remedy = f"There is no {command} on PATH.", "Put SLURM's commands on PATH."
    else:
        what, remedy = f"{command} failed with exit status {done.status}.", _ASKED_AGAIN
    return ControllerAway(what, remedy=remedy, detail=done.stderr)


def _chunks(job_ids: Iterable[str]) -> Iterator[list[str]]:
    """Yield ids by as many as one command line takes."""
    ids = iter(job_ids)
    while chunk := list(islice(ids, _IDS_PER_COMMAND)):
        yield chunk
