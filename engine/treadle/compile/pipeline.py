"""How the steps of one drive hang together: which run ahead of the end of the step before, and on what."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from itertools import pairwise

from treadle.compile.context import RunContext
from treadle.compile.fed_step import FedStepRun
from treadle.compile.feeding import Feed
from treadle.compile.step import StepEnd, StepRun, finished_before
from treadle.ledger import merges
from treadle.ledger.runs import StepRecord
from treadle.model.pipelining import feeds
from treadle.model.states import StepState


class Pipeline:
    """Runs steps, each with the feeds that connect it with its neighbours.

    Attributes:
        changed: Set whenever another step may begin.

    Args:
        context: The run.
        rows: Its steps in the order of the plan, as the run was taken up.
    """

    def __init__(self, context: RunContext, rows: Sequence[StepRecord]) -> None:
        self.changed = threading.Event()
        self._context = context
        self._rows = rows
        with context.ledger.reading() as tx:
            self._merged = {merged.position for merged in merges.list_merges(tx, context.run_id)}
        self._feeds = {
            row.position: Feed(self.changed.set)
            for before, row in pairwise(rows)
            if feeds(context.plan.steps, before.position) and self._is_open(row)
        }

    def may_begin(self, position: int) -> bool:
        """Whether a step has anything to do, given that those it needs are on their way."""
        feed = self._feeds.get(position)
        return feed is None or feed.has_begun

    def is_ahead(self, position: int) -> bool:
        """Whether a step that begins now runs beside the one it needs."""
        feed = self._feeds.get(position)
        return feed is not None and feed.is_open

    def run(self, position: int) -> StepEnd:
        """Run a step to its end, or pass over one that was done before; see `StepRun.run`."""
        end = None
        try:
            end = self._run(self._rows[position])
        finally:
            self.ended(position, done=end is not None and end.state is StepState.DONE)
        return end

    def ended(self, position: int, *, done: bool) -> None:
        """Let the next step know that a step has ended, or will never begin; only the first word counts."""
        if (feed := self._feeds.get(position + 1)) is not None:
            feed.close(complete=done)

    def _run(self, row: StepRecord) -> StepEnd:
        if row.state is StepState.DONE:
            return finished_before(self._context, row)
        feed = self._feeds.get(row.position)
        # Of a step that is in the dataset already, nothing can be told of its items as they were before.
        onward = None if row.position in self._merged else self._feeds.get(row.position + 1)
        if feed is None:
            return StepRun(self._context, row.position, onward=onward).run()
        return FedStepRun(self._context, row.position, feed, onward=onward).run()

    def _is_open(self, row: StepRecord) -> bool:
        wanted = row.state is not StepState.DONE and self._context.scope.admits(row.position)
        return wanted and row.position not in self._merged
