"""What a mapped call comes to: items, or what a function returned."""

from __future__ import annotations

from typing import Any

from treadle.authoring.session import Session
from treadle.compile.failing import tails_text
from treadle.errors import UnitError
from treadle.execute.values import FIRST_VALUE
from treadle.ledger import datasets, units
from treadle.ledger.runs import RunRecord
from treadle.ledger.units import UnitEntry
from treadle.model.outputs import parse_unit_output
from treadle.model.states import UnitState
from treadle.model.task import Part, Task

CALL = "treadle.execute.values:call"
HAND_OUT = "treadle.execute.values:hand_out"


def outcome_of(session: Session, run: RunRecord) -> list[Any]:
    """Return what a mapped call returns to its caller.

    Returns:
        Of a plain function what it returned, in the order of the values, with a `UnitError` in the place of
        each unit that failed. Of any other task the items that its units made or, where a unit made none,
        worked on; without those that it removed.
    """
    [planned] = run.plan.steps
    task = planned.task.task
    with session.ledger.reading() as tx:
        entries = units.list_units(tx, run.id, 0, with_output=True, with_args=not task.type.is_compound)
        _, dataset = datasets.load_dataset(tx, run.dataset)
    if is_of_values(task):
        return [_value(entry) for entry in entries if entry.index >= FIRST_VALUE]
    items = {item.zarr_url: item for item in dataset.items}
    urls = [url for entry in entries if not _is_init(task, entry) for url in _urls(entry)]
    return [items[url] for url in dict.fromkeys(urls) if url in items]


def is_of_values(task: Task) -> bool:
    """Whether a task calls a plain function with values, not with items."""
    part = task.parallel
    return part is not None and part.function == CALL


def _value(entry: UnitEntry) -> Any:
    if entry.state is UnitState.DONE:
        return parse_unit_output(entry.output).value
    return UnitError(f"Unit {entry.index} failed.", detail=tails_text([entry]))


def _is_init(task: Task, entry: UnitEntry) -> bool:
    return task.type.is_compound and entry.part is Part.NON_PARALLEL


def _urls(entry: UnitEntry) -> list[str]:
    if entry.state is not UnitState.DONE:
        return []
    made = [update.zarr_url for update in parse_unit_output(entry.output).image_list_updates]
    if made:
        return made
    given = (entry.args or {}).get("zarr_urls", [])
    worked_on = [str(url) for url in given] if isinstance(given, list) else []
    return worked_on if entry.zarr_url is None else [entry.zarr_url]
