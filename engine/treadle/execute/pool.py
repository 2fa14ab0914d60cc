"""The processes that run this worker's units: one launcher, its keepers, and warm interpreters."""

from __future__ import annotations

import atexit
import itertools
import logging
import threading
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from treadle.execute.keepers import Keeper
from treadle.execute.launcher import Launcher
from treadle.execute.warm import NotForkable, WarmPython, is_warmable

MOST_WARM = 8

logger = logging.getLogger(__name__)

WarmKey = tuple[str, frozenset[tuple[str, str]]]


@dataclass(frozen=True, slots=True)
class Variables:
    """The variables of a unit, in two forms: making either takes longer than using it."""

    mapping: Mapping[str, str]
    key: frozenset[tuple[str, str]]


class Pool:
    """Gives each unit a keeper; for any number of threads.

    Raises:
        OSError: The launcher could not be started.
    """

    def __init__(self) -> None:
        self.launcher = Launcher()
        self._closed = False
        self._numbers = itertools.count()
        self._lock = threading.Lock()
        self._idle: list[Keeper] = []
        self._warm: OrderedDict[WarmKey, WarmPython] = OrderedDict()
        self._not_forkable: set[tuple[str, ...]] = set()
        self._cleared: set[tuple[str, ...]] = set()

    @contextmanager
    def plain_keeper(self) -> Iterator[Keeper]:
        """Lend a keeper that starts programs.

        Raises:
            OSError: There is no room for another process.
            WorkerLost: The launcher has ended.
        """
        keeper = self._idle_keeper()
        if keeper is None:
            folder = self.launcher.scratch / f"programs-{next(self._numbers)}"
            folder.mkdir(mode=0o700)
            keeper = Keeper(self.launcher.keep(folder), folder)
        try:
            yield keeper
        except BaseException:
            keeper.close()
            raise
        with self._lock:
            if self._closed:
                keeper.close()
            else:
                self._idle.append(keeper)

    def _idle_keeper(self) -> Keeper | None:
        with self._lock:
            while self._idle:
                keeper = self._idle.pop()
                if keeper.ready:
                    return keeper
                keeper.close()
        return None

    def warm_python(self, command: tuple[str, ...], variables: Variables) -> WarmPython | None:
        """Return the warm interpreter for a command; None if its units must be fresh processes."""
        if not is_warmable(command) or command in self._not_forkable:
            return None
        key = (command[0], variables.key)
        with self._lock:
            found = self._warm.pop(key, None)
            if found is None:
                found = WarmPython(self.launcher, command[0], variables.mapping)
            self._warm[key] = found
            _, oldest = self._warm.popitem(last=False) if len(self._warm) > MOST_WARM else (None, None)
        if oldest is not None:
            oldest.retire()
        return found

    def forkable_keeper(self, warm: WarmPython, command: tuple[str, ...]) -> Keeper | None:
        """Return a keeper that forks units of a command; None if they must be fresh processes.

        Raises:
            OSError: There is no room for another process.
            WorkerLost: The launcher has ended.
        """
        try:
            return warm.lease(command[1])
        except NotForkable as reason:
            self.mark_not_forkable(command, str(reason))
            return None

    def mark_not_forkable(self, command: tuple[str, ...], reason: str) -> None:
        """Run a command's units as fresh processes from now on."""
        with self._lock:
            new = command not in self._not_forkable
            self._not_forkable.add(command)
        if new:
            logger.warning("task_not_forkable file=%s reason=%r", command[1], reason)

    def clear(self, command: tuple[str, ...]) -> None:
        """Note that a command's units crash or hang as fresh processes too."""
        with self._lock:
            self._cleared.add(command)

    def is_cleared(self, command: tuple[str, ...]) -> bool:
        """Whether a crash or a hang of a forked unit of that command says nothing against forking."""
        return command in self._cleared

    def close(self) -> None:
        """End this worker's units, and all processes that serve them; returns when none is left."""
        self.launcher.close()
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
            warm = list(self._warm.values())
        for keeper in idle:
            keeper.close()
        for python in warm:
            python.retire()

    def number(self) -> int:
        """Return a number for a unit that none had before."""
        return next(self._numbers)


_shared: list[Pool] = []
_shared_lock = threading.Lock()


def shared_pool() -> Pool:
    """Return this process's pool; makes one if there is none, or the launcher of the last has ended.

    Raises:
        OSError: The launcher could not be started.
    """
    with _shared_lock:
        if not _shared or not _shared[0].launcher.alive:
            while _shared:
                _shared.pop().close()
            _shared.append(Pool())
        return _shared[0]


@atexit.register
def close_shared_pool() -> None:
    """End this process's units and all processes that serve them."""
    with _shared_lock:
        while _shared:
            _shared.pop().close()
