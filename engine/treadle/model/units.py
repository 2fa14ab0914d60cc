"""Units: the calls that a step consists of (Fractal 1.2)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from pydantic import JsonValue

from treadle.model.dataset import Item
from treadle.model.outputs import InitItem
from treadle.model.task import Part, Task, TaskType
from treadle.model.workflow import Step

ENGINE_ARGUMENTS = frozenset({"zarr_dir", "zarr_url", "zarr_urls", "init_args"})


@dataclass(frozen=True, slots=True)
class Unit:
    """One call of one part of a step's task.

    Attributes:
        index: Place in the step; the init call of a compound step is 0.
        part: The part of the task that is called.
        zarr_url: The item it works on; None where it works on all of them.
        args: All arguments of the call, the engine's and the user's.
    """

    index: int
    part: Part
    zarr_url: str | None
    args: dict[str, JsonValue]


def first_units(task: Task, step: Step, items: Sequence[Item], zarr_dir: str) -> list[Unit]:
    """Return the units with which a step begins.

    Args:
        task: The step's task.
        step: The step.
        items: The items that its filters select; a converter is not told of any.
        zarr_dir: The dataset's folder.

    Returns:
        One unit per item for a parallel task; else the single or init call.
    """
    urls = list(dict.fromkeys(item.zarr_url for item in items))
    part = task.type.first_part
    args = step.args(part)
    if part is Part.PARALLEL:
        return [parallel_unit(step, url, index) for index, url in enumerate(urls)]
    engine: dict[str, JsonValue] = {"zarr_dir": zarr_dir}
    if not task.type.is_converter:
        engine["zarr_urls"] = list[JsonValue](urls)
    return [Unit(0, part, None, {**args, **engine})]


def parallel_unit(step: Step, url: str, index: int) -> Unit:
    """Return the unit of a parallel step that works on one item."""
    return Unit(index, Part.PARALLEL, url, {**step.args(Part.PARALLEL), "zarr_url": url})


def input_urls(task: Task, first: Sequence[Unit]) -> list[str]:
    """Return the URLs of the items that a step was given, from the units with which it began."""
    if task.type.is_converter:
        return []
    if task.type.first_part is Part.PARALLEL:
        return [unit.zarr_url for unit in first if unit.zarr_url is not None]
    return [url for unit in first for url in cast("list[str]", unit.args["zarr_urls"])]


def compute_units(step: Step, init_items: Sequence[InitItem], first_index: int) -> list[Unit]:
    """Return the units that the init call of a compound step asked for; exact repeats count once.

    Args:
        step: The step.
        init_items: What the init call returned; items may share a URL.
        first_index: Index of the first of these units.
    """
    args = step.args(Part.PARALLEL)
    distinct: dict[str, InitItem] = {}
    for item in init_items:
        distinct.setdefault(json.dumps([item.zarr_url, item.init_args], sort_keys=True), item)
    return [
        Unit(
            index,
            Part.PARALLEL,
            item.zarr_url,
            {**args, "zarr_url": item.zarr_url, "init_args": item.init_args},
        )
        for index, item in enumerate(distinct.values(), start=first_index)
    ]


def engine_arguments(kind: TaskType, part: Part) -> frozenset[str]:
    """Return the names of the arguments that the engine supplies to one part of a task."""
    if part is Part.PARALLEL:
        return frozenset({"zarr_url", "init_args"} if kind.is_compound else {"zarr_url"})
    return frozenset({"zarr_dir"} if kind.is_converter else {"zarr_dir", "zarr_urls"})
