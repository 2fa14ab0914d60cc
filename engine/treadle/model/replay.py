"""A run's dataset computed from what its units returned, and how to get from one dataset to another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from treadle.errors import MergeFailed
from treadle.model.changes import Changes, changes_between, contradictions, put_over
from treadle.model.dataset import Item
from treadle.model.merging import Outcome, identical, merge
from treadle.model.problems import listed
from treadle.model.task import Task


@dataclass(frozen=True, slots=True)
class StepOutcomes:
    """What the merging of one step needs.

    Attributes:
        name: Name of the step.
        task: Its task.
        after: Places of all steps that it needs, and that those need in turn.
        inputs: The URLs that it was given.
        outcomes: The end of each of its units.
    """

    name: str
    task: Task
    after: frozenset[int]
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


def replay(snapshot: Sequence[Item], steps: Mapping[int, StepOutcomes], *, zarr_dir: str) -> tuple[Item, ...]:
    """Return the items after some steps, from those at the run's begin.

    The order in which the steps were merged does not matter: see `treadle.model.changes` for the rule.

    Args:
        snapshot: The items before the first of the steps.
        steps: The steps by their places in the plan.
        zarr_dir: The dataset's folder.

    Raises:
        MergeFailed: A step's outputs contradict one another or the items before it, or two steps that do not
            need one another contradict each other.
    """
    return _Replay(snapshot, steps, zarr_dir).items_after(frozenset(steps))


class _Replay:
    """Merges each step once, on what it saw."""

    def __init__(self, snapshot: Sequence[Item], steps: Mapping[int, StepOutcomes], zarr_dir: str) -> None:
        self._snapshot = snapshot
        self._steps = steps
        self._zarr_dir = zarr_dir
        self._changes: dict[int, Changes] = {}

    def items_after(self, positions: frozenset[int]) -> tuple[Item, ...]:
        items = {item.zarr_url: item for item in self._snapshot}
        before: set[int] = set()
        for position in sorted(positions):
            after = self._steps[position].after
            beside = before - after
            if position not in self._changes:
                seen = self.items_after(after & before) if beside else tuple(items.values())
                self._changes[position] = self._merge(position, seen)
            for other in sorted(beside):
                self._refuse_contradictions(other, position)
            put_over(items, self._changes[position])
            before.add(position)
        return tuple(items.values())

    def _merge(self, position: int, seen: Sequence[Item]) -> Changes:
        step = self._steps[position]
        merged = merge(
            seen, task=step.task, zarr_dir=self._zarr_dir, inputs=step.inputs, outcomes=step.outcomes
        )
        return changes_between(seen, merged.changed, merged.removed)

    def _refuse_contradictions(self, one: int, other: int) -> None:
        found = list(contradictions(self._changes[one], self._changes[other]))
        if found:
            names = f"{self._steps[one].name!r} and {self._steps[other].name!r}"
            raise MergeFailed(
                listed(f"The steps {names}, neither of which needs the other, contradict each other", found),
                remedy="Let one of them need the other, or let their tasks change different things.",
            )


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
