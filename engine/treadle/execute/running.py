"""What this worker runs at the moment, and the way to cancel it."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Collection, Iterator
from contextlib import contextmanager

from treadle.execute.keepers import Keeper

_lock = threading.Lock()
_batches: list[RunningBatch] = []


class RunningBatch:
    """The units of one batch, from its begin to its end.

    Args:
        run_id: The run.
        position: The step's place in the plan.

    Attributes:
        slot: Number, from 1, that no other batch on this worker has at the same time; small.
    """

    def __init__(self, run_id: int, position: int) -> None:
        self.run_id = run_id
        self.position = position
        self.slot = 0
        self._all = False
        self._cancelled: set[int] = set()
        self._current: tuple[int, Keeper, int] | None = None

    def is_cancelled(self, index: int) -> bool:
        """Whether a unit is not to be started any more."""
        return self._all or index in self._cancelled

    @contextmanager
    def attended(self, index: int, keeper: Keeper, number: int) -> Iterator[None]:
        """Let a unit be cancelled while `keeper` runs it under `number`."""
        with _lock:
            self._current = (index, keeper, number)
            if self.is_cancelled(index):
                keeper.cancel(number)
        try:
            yield
        finally:
            with _lock:
                self._current = None

    def cancel(self, indices: Collection[int] | None) -> None:
        """Cancel units, or all."""
        if indices is None:
            self._all = True
        else:
            self._cancelled.update(indices)
        if self._current is not None and self.is_cancelled(self._current[0]):
            _, keeper, number = self._current
            keeper.cancel(number)


@contextmanager
def running_batch(run_id: int, position: int) -> Iterator[RunningBatch]:
    """Make a batch known to `cancel_units` as long as it runs."""
    batch = RunningBatch(run_id, position)
    with _lock:
        taken = {other.slot for other in _batches}
        batch.slot = next(number for number in itertools.count(1) if number not in taken)
        _batches.append(batch)
    try:
        yield batch
    finally:
        with _lock:
            _batches.remove(batch)


def cancel_run(run_id: int) -> None:
    """Cancel all units of a run that this worker runs now; what a cluster broadcasts to its workers."""
    cancel_units(run_id)


def cancel_units(run_id: int, position: int | None = None, indices: Collection[int] | None = None) -> None:
    """Cancel units of batches that this worker runs now; call it in the worker's process.

    Those that have not begun do not begin. The processes of those that run are asked to end, and killed
    after a grace of two seconds. All of them get records with the cause `CANCELLED`. A function unit that
    has begun ends by itself.

    Args:
        run_id: The run.
        position: The step's place in the plan; every step if None.
        indices: The units; all of them if None.
    """
    with _lock:
        for batch in _batches:
            if batch.run_id == run_id and position in (None, batch.position):
                batch.cancel(indices)
