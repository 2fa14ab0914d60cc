"""Who comes to the scheduler and who leaves it."""

from __future__ import annotations

import asyncio
from typing import Any

from distributed import Scheduler
from distributed.diagnostics.plugin import SchedulerPlugin

from treadle.clusters.dispatcher import Dispatcher
from treadle.clusters.roster import Member

ENDS_AT = "treadle-ends-at"


class Attendance(SchedulerPlugin):
    """Tells the dispatcher of workers that register and of those that are gone.

    Args:
        dispatcher: Gives them orders.
    """

    def __init__(self, dispatcher: Dispatcher) -> None:
        self._dispatcher = dispatcher
        self._names: dict[str, str] = {}
        self._events: dict[str, asyncio.Event] = {}

    def add_worker(self, scheduler: Scheduler, worker: str) -> None:
        """Called by the scheduler."""
        state = scheduler.workers[worker]
        name = self._names[worker] = str(state.name)
        self._dispatcher.welcome(Member(name, worker, state.nthreads, state.extra.get(ENDS_AT)))
        self._event(name).set()

    def remove_worker(self, scheduler: Scheduler, worker: str, **_: Any) -> None:  # noqa: ARG002 - Dask names it
        """Called by the scheduler."""
        self._dispatcher.lose(self._names.pop(worker))

    async def of(self, name: str) -> None:
        """Return when the worker of that name is there."""
        await self._event(name).wait()

    def _event(self, name: str) -> asyncio.Event:
        return self._events.setdefault(name, asyncio.Event())
