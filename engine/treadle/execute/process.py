"""One unit as a process: forked from a warm interpreter if that may be, else a fresh one."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from typing import TypeVar

from treadle.errors import WorkerLost
from treadle.execute.invocation import find_executable
from treadle.execute.keepers import Ended, KeeperLost, Order
from treadle.execute.logs import LogPart, LogStore
from treadle.execute.pool import Pool, Variables, shared_pool
from treadle.execute.running import RunningBatch
from treadle.execute.warm import WarmPython
from treadle.model.states import Cause

R = TypeVar("R")
Take = Callable[[Ended, LogPart], R]

# What a process dies of that was forked when it should not have been.
CRASHES = frozenset(
    -number for number in (signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS, signal.SIGILL, signal.SIGFPE)
)
# A unit that timed out after using less of the cpu than this share of its time has hung, not worked.
LARGEST_SHARE_OF_HANGING = 0.05


class ProcessUnit:
    """A unit that is about to run.

    Args:
        index: Place of the unit in its step.
        attempt: The attempt.
        order: Command and limits.
        variables: Its environment.
        batch: Where it is registered while it runs.
        store: Where what it prints goes.
    """

    def __init__(
        self,
        index: int,
        attempt: int,
        *,
        order: Order,
        variables: Variables,
        batch: RunningBatch,
        store: LogStore,
    ) -> None:
        self._index = index
        self._attempt = attempt
        self._order = order
        self._command = tuple(order.words)
        self._variables = variables
        self._batch = batch
        self._store = store

    def run(self, take: Take[R], *, warm: bool) -> R:
        """Run it to its end.

        A forked unit that crashes or hangs runs again as a fresh process; if that does better, the command's
        units are forked no more. So does a unit whose keeper died under it.

        Args:
            take: Called with how it ended, and with what it printed, while the files it left are there; its
                result is returned.
            warm: Whether it may be forked.

        Raises:
            CommandInvalid: The system does not take the file for a program.
            OSError: The unit could not be started for another reason.
            WorkerLost: The processes that run units on this worker ended under it.
        """
        pool = shared_pool()
        try:
            warm_python = pool.warm_python(self._command, self._variables) if warm else None
            forked = self._run_forked(pool, warm_python, take) if warm_python else None
            return forked if forked is not None else self._run_fresh(pool, take)
        except KeeperLost as lost:
            raise WorkerLost("The process that runs units on this worker ended under the unit.") from lost

    def _run_forked(self, pool: Pool, warm_python: WarmPython, take: Take[R]) -> R | None:
        keeper = pool.forkable_keeper(warm_python, self._command)
        if keeper is None:
            return None
        number = pool.number()
        try:
            offset = self._store.begin(self._index, self._attempt)
            with (
                self._batch.attended(self._index, keeper, number),
                keeper.running(self._order, number) as ended,
            ):
                suspicion = self._suspicion(pool, ended)
                result = None if suspicion else take(ended, self._store.part_from(offset))
        except KeeperLost:
            keeper.close()
            if not pool.launcher.alive:
                raise
            return None
        except BaseException:
            keeper.close()
            raise
        warm_python.give_back(keeper, self._command[1], ended.imported)
        if suspicion is None:
            return result
        return self._run_fresh(pool, self._comparing(pool, suspicion, take))

    def _suspicion(self, pool: Pool, ended: Ended) -> str | None:
        """Say how a forked unit ended if that may be because it was forked."""
        if self._batch.is_cancelled(self._index) or pool.is_cleared(self._command):
            return None
        if ended.cause is None and ended.exit_code in CRASHES:
            return f"was killed by {signal.Signals(-ended.exit_code).name}"
        if ended.cause is Cause.TIMEOUT and ended.cpu_seconds < LARGEST_SHARE_OF_HANGING * ended.seconds:
            return f"hung for {ended.seconds:.1f} s"
        return None

    def _comparing(self, pool: Pool, suspicion: str, take: Take[R]) -> Take[R]:
        def compare(fresh: Ended, log: LogPart) -> R:
            if fresh.cause is not Cause.CANCELLED:
                if fresh.exit_code in CRASHES or fresh.cause is Cause.TIMEOUT:
                    pool.clear(self._command)
                else:
                    reason = f"a forked unit {suspicion}, and the same as a fresh process did not"
                    pool.mark_not_forkable(self._command, reason)
            return take(fresh, log)

        return compare

    def _run_fresh(self, pool: Pool, take: Take[R]) -> R:
        variables = dict(self._variables.mapping)
        file = find_executable(self._command[0], variables.get("PATH", os.defpath))
        order = replace(self._order, program=(file, variables))
        number = pool.number()
        with ExitStack() as stack:
            keeper = stack.enter_context(pool.plain_keeper())
            offset = self._store.begin(self._index, self._attempt)
            stack.enter_context(self._batch.attended(self._index, keeper, number))
            ended = stack.enter_context(keeper.running(order, number))
            return take(ended, self._store.part_from(offset))
