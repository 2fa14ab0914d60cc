"""Who comes to the scheduler and who leaves it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from distributed import Scheduler
from distributed.diagnostics.plugin import SchedulerPlugin

from treadle.clusters.dispatcher import Dispatcher
from treadle.clusters.roster import Member
from treadle.clusters.servers import ENDS_AT


class Attendance(SchedulerPlugin):
    """Tells dispatchers of workers that register and of those that are gone.

    Args:
        dispatcher_of: Returns who gives orders to the worker of a name.
    """

    def __init__(self, dispatcher_of: Callable[[str], Dispatcher]) -> None:
        self._dispatcher_of = dispatcher_of
        self._names: dict[str, str] = {}
        self._events: dict[str, asyncio.Event] = {}

    def add_worker(self, scheduler: Scheduler, worker: str) -> None:
        """Called by the scheduler."""
        state = scheduler.workers[worker]
        name = self._names[worker] = str(state.name)
        member = Member(name, worker, state.nthreads, state.extra.get(ENDS_AT))
        self._dispatcher_of(name).welcome(member)
        self._event(name).set()

    def remove_worker(self, scheduler: Scheduler, worker: str, **_: Any) -> None:  # noqa: ARG002 - Dask names it
        """Called by the scheduler."""
        name = self._names.pop(worker)
        self._dispatcher_of(name).lose(name)

    async def of(self, name: str) -> None:
        """Return when the worker of that name is there."""
        await self._event(name).wait()

    def _event(self, name: str) -> asyncio.Event:
        return self._events.setdefault(name, asyncio.Event())
