"""One eye on all jobs of a cluster: one question per interval, and no end without SLURM's word for it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from treadle.clusters.notices import notice
from treadle.clusters.slurm.answers import QueueEntry, Records
from treadle.clusters.slurm.commands import AGREEING_ANSWERS, AGREEING_SECONDS, Slurm
from treadle.clusters.slurm.verdict import JobEnd, gone
from treadle.errors import ControllerAway

logger = logging.getLogger(__name__)

ACCOUNTING_SECONDS = 60.0
"""How long accounting may lag behind the controller until the controller's word for an end is taken.

Where it does not answer at all, that is after AGREEING_SECONDS.
"""

RUNAWAY_SECONDS = 3600.0
"""How long accounting may have a job run on that the controller does not know, until it counts as gone."""

_BACK_OFF = 2.0


@dataclass(slots=True)
class _Watched:
    """A job; `over_since` and `answers` are those that had it over, and none of how."""

    ended: asyncio.Future[JobEnd]
    entry: QueueEntry | None = None
    over_since: float = 0.0
    answers: int = 0


class Watcher:
    """Watches jobs from their submission to their end; a context manager around its life.

    It asks soon after any change, and less often while there is none. While SLURM does not answer, is too
    slow or talks nonsense, no job's state changes; that is logged and told once, and so is the end of it.
    All of it happens on one event loop.

    Args:
        slurm: Who is asked.
        shortest_seconds: Between two questions after a change.
        longest_seconds: Between two questions when nothing changes.
        on_change: Called with each job whose state in the queue has changed.
        on_away: Called with the error when SLURM begins not to answer, and with None when it does again.
    """

    def __init__(
        self,
        slurm: Slurm,
        *,
        shortest_seconds: float = 2.0,
        longest_seconds: float = 60.0,
        on_change: Callable[[QueueEntry], None] = lambda _: None,
        on_away: Callable[[ControllerAway | None], None] = lambda _: None,
    ) -> None:
        self._slurm = slurm
        self._shortest_seconds = shortest_seconds
        self._longest_seconds = longest_seconds
        self._on_change = on_change
        self._on_away = on_away
        self._watched: dict[str, _Watched] = {}
        self._away: ControllerAway | None = None
        self._is_accounting_away = False
        self._wanted = asyncio.Event()
        self._watching: asyncio.Task[None] | None = None

    @property
    def away(self) -> ControllerAway | None:
        """Why SLURM does not answer at present; None if it does."""
        return self._away

    def watch(self, job_id: str) -> None:
        """Watch a job that was submitted, from now until its end."""
        if job_id not in self._watched:
            self._watched[job_id] = _Watched(asyncio.get_running_loop().create_future())
            self.hurry()

    def forget(self, job_id: str) -> None:
        """Watch a job no more, and drop what is known of it; whoever waits for its end is cancelled."""
        if job := self._watched.pop(job_id, None):
            job.ended.cancel()

    def state(self, job_id: str) -> QueueEntry | None:
        """Return a watched job as the queue had it last; None if the queue never did."""
        return self._watched[job_id].entry

    async def ended(self, job_id: str) -> JobEnd:
        """Return how a watched job ended, once SLURM has told."""
        return await asyncio.shield(self._watched[job_id].ended)

    def hurry(self) -> None:
        """Ask as soon as after a change: something is about to."""
        self._wanted.set()

    async def __aenter__(self) -> Self:
        """Start to watch."""
        self._watching = asyncio.create_task(self._watch())
        self._watching.add_done_callback(self._stop)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop; whoever waits for the end of a job is cancelled."""
        if self._watching is not None:
            self._watching.cancel()
            with suppress(asyncio.CancelledError):
                await self._watching

    def _stop(self, watching: asyncio.Task[None]) -> None:
        """Let nobody wait for what is watched no more."""
        error = None if watching.cancelled() else watching.exception()
        for job in self._watched.values():
            if job.ended.done():
                continue
            if error is None:
                job.ended.cancel()
            else:
                job.ended.set_exception(error)

    async def _watch(self) -> None:
        interval = self._shortest_seconds
        loop = asyncio.get_running_loop()
        while True:
            if not self._open():
                await self._wanted.wait()
            self._wanted.clear()
            asked = loop.time()
            if await self._has_changed():
                interval = self._shortest_seconds
            with suppress(TimeoutError):
                async with asyncio.timeout_at(asked + interval):
                    await self._wanted.wait()
            if self._wanted.is_set():
                interval = self._shortest_seconds
                await asyncio.sleep(asked + interval - loop.time())
            else:
                interval = min(interval * _BACK_OFF, self._longest_seconds)

    async def _has_changed(self) -> bool:
        """Ask SLURM; whether anything is not as it was."""
        try:
            has_changed = await self._look()
        except ControllerAway as error:
            for job in self._watched.values():
                job.answers = 0
            if self._away is None:
                logger.warning("slurm_away error=%s detail=%r", error.what, error.detail)
                self._away = error
                self._on_away(error)
            return False
        if self._away is None:
            return has_changed
        logger.warning("slurm_answers_again jobs=%d", len(self._open()))
        self._away = None
        self._on_away(None)
        return True

    async def _look(self) -> bool:
        queue = await self._slurm.queue(self._open())
        has_changed = False
        for job_id, entry in queue.items():
            has_changed |= self._note(job_id, entry)
        over = [job_id for job_id in self._open() if job_id not in queue or queue[job_id].is_final]
        records = await self._records(over) if over else Records()
        for job_id in over:
            end = records.ends.get(job_id) or await self._overdue(job_id, queue.get(job_id), records)
            if end is not None and (job := self._watched.get(job_id)):
                job.ended.set_result(end)
                has_changed = True
        return has_changed

    async def _records(self, over: list[str]) -> Records:
        """Ask accounting; while it is away the controller, which has just answered, has the word for ends."""
        try:
            records = await self._slurm.records(over)
        except ControllerAway as error:
            if not self._is_accounting_away:
                logger.warning("accounting_away error=%s detail=%r", error.what, error.detail)
                notice("SLURM's accounting does not answer: meanwhile its controller tells how jobs ended.")
            self._is_accounting_away = True
            return Records()
        self._is_accounting_away = False
        return records

    def _note(self, job_id: str, entry: QueueEntry) -> bool:
        job = self._watched.get(job_id)
        if job is None:
            return False
        before, job.entry = job.entry, entry
        if not entry.is_final:
            job.answers = 0
        if before is not None and before.state == entry.state:
            return False
        self._on_change(entry)
        return True

    async def _overdue(self, job_id: str, entry: QueueEntry | None, records: Records) -> JobEnd | None:
        """Return the end of a job that is over, of which no record tells how, if it is time to conclude."""
        job = self._watched.get(job_id)
        if job is None:
            return None
        now = asyncio.get_running_loop().time()
        if job.answers == 0:
            job.over_since = now
        job.answers += 1
        lasts = now - job.over_since
        patience = ACCOUNTING_SECONDS if entry and not self._is_accounting_away else AGREEING_SECONDS
        if job.answers < AGREEING_ANSWERS or lasts < patience:
            return None
        shown = await self._slurm.shown([job_id])
        if job_id in shown.ends:
            return shown.ends[job_id]
        if job_id in shown.unfinished:
            job.answers = 0
            return None
        is_unsaid = self._is_accounting_away or (job_id in records.unfinished and lasts < RUNAWAY_SECONDS)
        return None if is_unsaid else gone(job_id)

    def _open(self) -> list[str]:
        return [job_id for job_id, job in self._watched.items() if not job.ended.done()]
