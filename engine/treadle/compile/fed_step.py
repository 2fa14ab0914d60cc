"""A parallel step that works on items while the step before is still at others."""

from __future__ import annotations

from treadle.compile.context import RunContext
from treadle.compile.dispatch import Dispatch
from treadle.compile.feeding import Feed, FeedState
from treadle.compile.step import StepEnd, StepRun
from treadle.ledger import units
from treadle.model.dataset import Item
from treadle.model.filters import select
from treadle.model.states import StepState, UnitState
from treadle.model.units import Unit, parallel_unit


class FedStepRun(StepRun):
    """The execution of a step whose items arrive one by one.

    What it comes to is what it would be had it waited: when the step before is done, its items are selected
    from the dataset anew, and what was begun without being among them is dropped. If the step before fails,
    nothing is merged; units that are done stay in the ledger for the run to be resumed.

    Args:
        context: The run.
        position: The step's place in the plan, from 0.
        feed: Where the items come from.
        onward: Where they go on; None where the next step waits.
    """

    def __init__(self, context: RunContext, position: int, feed: Feed, *, onward: Feed | None = None) -> None:
        super().__init__(context, position, onward=onward)
        self._feed = feed
        self._units: dict[str, Unit] = {}
        self._next_index = 0
        self._begun: set[str] = set()
        self._selected: list[str] | None = None

    def _conduct(self) -> StepEnd:
        self._remember()
        known = [planned.unit for planned in self._known.values()]
        self._units = {unit.zarr_url: unit for unit in known if unit.zarr_url is not None}
        self._next_index = 1 + max((unit.index for unit in known), default=-1)
        dispatch = self._dispatch([], is_open=True)
        self._feed.listen(dispatch.wake)
        try:
            for records in dispatch.records():
                self._recorder.add(records)
                self._take_in(dispatch)
        finally:
            self._recorder.flush()
        if self._selected is None:
            return self._end_before_its_turn()
        self._drop_unselected(self._selected)
        return self._merge(self._selected, [self._units[url] for url in self._selected])

    def _take_in(self, dispatch: Dispatch) -> None:
        if self._selected is not None or self._context.stop.is_set():
            return
        items, state = self._feed.take()
        if state is FeedState.BROKEN:
            dispatch.withdraw()
        elif state is FeedState.COMPLETE:
            items = self._select()
            self._selected = [item.zarr_url for item in items]
            self._send(items, dispatch)
            dispatch.seal()
        else:
            filters = (self._planned.type_filters, *self._planned.or_types)
            self._send(select(items, filters, self._context.plan.attribute_filters), dispatch)

    def _send(self, items: list[Item], dispatch: Dispatch) -> None:
        new = {item.zarr_url: item for item in items if item.zarr_url not in self._begun}
        for url in new:
            if url not in self._units:
                self._units[url] = parallel_unit(self._planned.step, url, self._next_index)
                self._next_index += 1
        self._begun.update(new)
        self._inputs.update(new)
        if new:
            dispatch.extend(self._begin([self._units[url] for url in new]))

    def _drop_unselected(self, selected: list[str]) -> None:
        dropped = [self._units[url].index for url in self._units.keys() - set(selected)]
        if dropped:
            with self._context.writing() as tx:
                units.drop_units(tx, self._context.run_id, self._position, dropped)

    def _end_before_its_turn(self) -> StepEnd:
        before = self._context.plan.steps[self._position - 1].step.name
        done = sum(1 for record in self._recorder.records.values() if record.state is UnitState.DONE)
        why = "cancelled" if self._context.stop.is_set() else f"step {before!r} is not done"
        message = f"{why}; {done} units were done ahead of it and will not run again"
        with self._context.writing() as tx:
            return self._commit(tx, StepEnd(StepState.CANCELLED, message))
