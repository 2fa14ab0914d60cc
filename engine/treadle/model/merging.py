"""Merging one step's outputs into its dataset (Fractal 1.5)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from treadle.errors import MergeFailed
from treadle.model.dataset import Item
from treadle.model.outputs import ItemUpdate, UnitOutput
from treadle.model.problems import listed
from treadle.model.task import Task, TaskType
from treadle.model.units import Unit
from treadle.model.urls import is_inside


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a unit ended: `output` counts only if it is done."""

    unit: Unit
    done: bool
    output: UnitOutput


@dataclass(frozen=True, slots=True)
class Merged:
    """A dataset after a step.

    Attributes:
        items: All items, in their order of arrival.
        changed: The items that are new or not as they were.
        removed: URLs of the items that are gone.
    """

    items: tuple[Item, ...]
    changed: tuple[Item, ...]
    removed: tuple[str, ...]


class _Report(NamedTuple):
    unit: int
    update: ItemUpdate


def merge(
    items: Sequence[Item],
    *,
    task: Task,
    zarr_dir: str,
    inputs: Sequence[str],
    outcomes: Sequence[Outcome],
) -> Merged:
    """Merge what the units of one step returned into its dataset, in linear time.

    Args:
        items: The dataset before the step.
        task: The step's task.
        zarr_dir: The dataset's folder.
        inputs: URLs of the items that the step was given.
        outcomes: The end of every unit of the step, in any order. New items follow one another in the order
            of the units' indexes; for a parallel task in the order in which their items are in the dataset.

    Raises:
        MergeFailed: Names every contradiction with its unit and URL; the dataset is to stay as it was.
    """
    before = {item.zarr_url: item for item in items}
    reports, removals = _gather(task, _ordered(task, items, outcomes))
    if not reports and not removals:
        processed = _processed(task, inputs, outcomes)
        if not task.output_types and before.keys() >= set(processed):
            return Merged(tuple(items), (), ())
        reports = [_Report(-1, ItemUpdate.model_construct(zarr_url=url)) for url in processed]
    after = dict(before)
    problems = []
    for report in reports:
        url = report.update.zarr_url
        if url not in after and not is_inside(url, zarr_dir):
            problems.append(f"unit {report.unit} reported {url}, which is not inside {zarr_dir}")
        after[url] = updated(report.update, after, task.output_types)
    for url, unit in removals.items():
        if after.pop(url, None) is None:
            problems.append(f"unit {unit} removed {url}, which is not in the dataset")
    if problems:
        raise _failure(task, problems)
    touched = [report.update.zarr_url for report in reports]
    return Merged(
        items=tuple(after.values()),
        changed=tuple(after[url] for url in touched if not identical(before.get(url), after[url])),
        removed=tuple(removals),
    )


def _ordered(task: Task, items: Sequence[Item], outcomes: Sequence[Outcome]) -> list[Outcome]:
    """Return the outcomes in the order that counts, whenever their units were planned."""
    by_index = sorted(outcomes, key=lambda outcome: outcome.unit.index)
    if task.type is not TaskType.PARALLEL:
        return by_index
    places: dict[str | None, int] = {item.zarr_url: place for place, item in enumerate(items)}
    return sorted(by_index, key=lambda outcome: places.get(outcome.unit.zarr_url, len(places)))


def _gather(task: Task, outcomes: Sequence[Outcome]) -> tuple[list[_Report], dict[str, int]]:
    """Return the distinct updates of the units that are done, and each removed URL with its unit."""
    reports: dict[str, _Report] = {}
    removals: dict[str, int] = {}
    problems = []
    for outcome in outcomes:
        unit = outcome.unit.index
        if not outcome.done:
            continue
        for update in outcome.output.image_list_updates:
            report = _Report(unit, update)
            earlier = reports.setdefault(update.zarr_url, report)
            if earlier is not report and not identical(earlier.update, update):
                problems.append(f"units {earlier.unit} and {unit} reported {update.zarr_url} differently")
        for url in outcome.output.image_list_removals:
            removals.setdefault(url, unit)
    problems += [
        f"unit {reports[url].unit} reported {url}, which unit {unit} removed"
        for url, unit in removals.items()
        if url in reports
    ]
    if problems:
        raise _failure(task, problems)
    return list(reports.values()), removals


def _processed(task: Task, inputs: Sequence[str], outcomes: Sequence[Outcome]) -> list[str]:
    """Return the inputs that count as updated where no unit reported anything."""
    if task.type.is_converter:
        return []
    urls = list(dict.fromkeys(inputs))
    failed = {outcome.unit.zarr_url for outcome in outcomes if not outcome.done}
    if task.type is not TaskType.PARALLEL and not failed:
        return urls
    good = {outcome.unit.zarr_url for outcome in outcomes if outcome.done} - failed
    return [url for url in urls if url in good]


_NOTHING = Item(zarr_url="/")


def updated(update: ItemUpdate, items: Mapping[str, Item], output_types: Mapping[str, bool]) -> Item:
    """Return the item that an update makes of those there are.

    Args:
        update: The update.
        items: The items so far, by URL.
        output_types: Types that the task gives all that it reports.
    """
    current = items.get(update.zarr_url)
    if current is not None and update.origin in {None, update.zarr_url}:
        base, origin = current, current.origin
    else:
        base, origin = items.get(update.origin or "", _NOTHING), update.origin
    overlaid = {**base.attributes, **update.attributes}
    return Item.model_construct(
        zarr_url=update.zarr_url,
        origin=origin,
        attributes={key: value for key, value in overlaid.items() if value is not None},
        types={**base.types, **update.types, **output_types},
    )


def identical(one: Item | ItemUpdate | None, other: Item | ItemUpdate) -> bool:
    """Compare by value and type, as true, 1 and 1.0 are three attributes."""
    return (
        one is not None
        and one == other
        and all(type(value) is type(other.attributes[key]) for key, value in one.attributes.items())
    )


def _failure(task: Task, problems: Sequence[str]) -> MergeFailed:
    return MergeFailed(
        listed(f"The outputs of task {task.name!r} cannot be merged into the dataset", problems),
        remedy="The dataset is as it was before the step; the task has to return other outputs.",
    )
