"""A run's dataset computed from what its units returned, and how to get from one dataset to another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from treadle.model.dataset import Item
from treadle.model.merging import Outcome, identical, merge
from treadle.model.task import Task


@dataclass(frozen=True, slots=True)
class StepOutcomes:
    """What the merging of one step needs: its task, the URLs it was given, the end of each of its units."""

    task: Task
    inputs: Sequence[str]
    outcomes: Sequence[Outcome]


@dataclass(frozen=True, slots=True)
class Difference:
    """What turns one list of items into another: take the removed out, then put the changed in their place.

    Attributes:
        changed: Items in their new form; those not there, or just removed, follow at the end in this order.
        removed: URLs of items to take out first; some return at another place.
    """

    changed: tuple[Item, ...]
    removed: tuple[str, ...]


def replay(snapshot: Sequence[Item], steps: Sequence[StepOutcomes], *, zarr_dir: str) -> tuple[Item, ...]:
    """Return the items after some steps, from those at the run's begin.

    Args:
        snapshot: The items before the first of the steps.
        steps: The steps in the order in which they were merged.
        zarr_dir: The dataset's folder.

    Raises:
        MergeFailed: A step's outputs contradict one another or the items before it.
    """
    items = tuple(snapshot)
    for step in steps:
        items = merge(
            items, task=step.task, zarr_dir=zarr_dir, inputs=step.inputs, outcomes=step.outcomes
        ).items
    return items


def difference(present: Sequence[Item], wanted: Sequence[Item]) -> Difference:
    """Compare two lists of items, each with different URLs; the order counts.

    Items that are equal and not out of order are left alone, so that the difference can also be applied to a
    dataset that others have changed elsewhere.
    """
    urls = {item.zarr_url for item in wanted}
    by_url = {item.zarr_url: item for item in present}
    staying = [item.zarr_url for item in present if item.zarr_url in urls]
    same_order = 0
    for url, item in zip(staying, wanted, strict=False):
        if url != item.zarr_url:
            break
        same_order += 1
    kept = set(staying[:same_order])
    return Difference(
        changed=tuple(
            item for item in wanted if item.zarr_url not in kept or not identical(by_url[item.zarr_url], item)
        ),
        removed=tuple(item.zarr_url for item in present if item.zarr_url not in kept),
    )
