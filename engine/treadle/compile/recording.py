"""Writes the records of ended units into the ledger in bulk."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence

from treadle.compile.context import RunContext
from treadle.errors import LedgerBusy
from treadle.ledger import units
from treadle.model.records import UnitRecord
from treadle.model.states import UnitState

FLUSH_SECONDS = 0.5

logger = logging.getLogger(__name__)


class Recorder:
    """Keeps the records of one step and writes them together, at most twice a second.

    Args:
        context: The run.
        position: The step's place in the plan.
        on_recorded: Called with records as soon as the ledger has them.
        clock: Monotonic seconds.
    """

    def __init__(
        self,
        context: RunContext,
        position: int,
        *,
        on_recorded: Callable[[Sequence[UnitRecord]], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._context = context
        self._position = position
        self._on_recorded = on_recorded
        self._clock = clock
        self._unwritten: list[UnitRecord] = []
        self._written_at = clock()
        self.records: dict[int, UnitRecord] = {}

    def recall(self, records: Sequence[UnitRecord]) -> None:
        """Take records that the ledger has, and tell the observer."""
        self._take(records)
        self._on_recorded(records)

    def add(self, records: Sequence[UnitRecord]) -> None:
        """Take the records of a batch, tell the observer, and write if it is time and the ledger is free."""
        self._take(records)
        self._unwritten.extend(records)
        if self._clock() - self._written_at >= FLUSH_SECONDS:
            try:
                self.flush()
            except LedgerBusy as error:
                logger.warning("units_not_written_yet run=%d error=%s", self._context.run_id, error)
                self._written_at = self._clock()

    def flush(self) -> None:
        """Write what is not in the ledger yet."""
        if self._unwritten:
            with self._context.writing() as tx:
                units.record_units(tx, self._context.run_id, self._position, self._unwritten)
            written, self._unwritten = self._unwritten, []
            self._on_recorded(written)
        self._written_at = self._clock()

    def _take(self, records: Sequence[UnitRecord]) -> None:
        self.records.update((record.index, record) for record in records)
        done = sum(record.state is UnitState.DONE for record in records)
        self._context.observer.units_ended(self._position, done, len(records) - done)
