"""Which items a unit leaves behind can be told before its step has ended.

Where it can, the next step may begin with them. What merging makes of the step in the end is the same, unless
another unit reports the same items, which merging mostly refuses; whoever begins early checks it then.
"""

from __future__ import annotations

from collections.abc import Sequence

from treadle.model.dataset import Item
from treadle.model.merging import updated
from treadle.model.outputs import UnitOutput
from treadle.model.plan import PlannedStep
from treadle.model.task import Task, TaskType


def feeds(steps: Sequence[PlannedStep], position: int) -> bool:
    """Whether items may go on from the step at `position` to the next one as soon as each is done.

    Both must be parallel, and the next must need this one alone.
    """
    if position + 1 >= len(steps):
        return False
    this, following = steps[position], steps[position + 1]
    parallel = {this.task.task.type, following.task.task.type} == {TaskType.PARALLEL}
    return parallel and following.step.needs == (this.step.name,)


def settled_items(item: Item, output: UnitOutput, task: Task) -> list[Item] | None:
    """Return the items that a unit leaves in the dataset, as they are after its step.

    Args:
        item: The item the unit worked on, as it was before the step.
        output: What the unit returned; it is done.
        task: The step's task, a parallel one.

    Returns:
        The unit's own item and those it reported, without those it removed; None where it depends on what
        other units report.
    """
    if not output.image_list_updates and not output.image_list_removals:
        changes_types = {**item.types, **task.output_types} != item.types
        return None if changes_types else [item]
    items = {item.zarr_url: item}
    for update in output.image_list_updates:
        base = update.origin or update.zarr_url
        if base != item.zarr_url:
            return None
        items[update.zarr_url] = updated(update, items, task.output_types)
    for url in output.image_list_removals:
        items.pop(url, None)
    return list(items.values())
