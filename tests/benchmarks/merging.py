"""Merging by the number of outputs."""

from __future__ import annotations

import time
from collections.abc import Iterator

from tests.benchmarks.readings import Reading, in_turn
from tests.benchmarks.site import Site

from treadle.model.dataset import Item
from treadle.model.merging import Outcome, merge
from treadle.model.outputs import ItemUpdate, UnitOutput
from treadle.model.task import Part, Task, TaskPart, TaskType
from treadle.model.units import Unit

FOLDER = "/data/zarr"
TASK = Task(
    package="bench",
    version="1",
    name="Project",
    type=TaskType.PARALLEL,
    parallel=TaskPart(executable="project.py"),
    output_types={"3D": False},
)


def measure(_: Site, *, quick: bool) -> Iterator[Reading]:
    """Each unit reports a new item made from its own; the ledger is not part of it."""
    many = 1_000 if quick else 100_000
    few = many // 10
    large, small = in_turn(
        1 if quick else 5, (many, lambda: seconds_to_merge(many)), (few, lambda: seconds_to_merge(few))
    )
    yield Reading(
        f"merging the outputs of {many:,} units into as many items",
        f"{few:,} units",
        large.seconds_per_unit / small.seconds_per_unit,
        "times the time a unit",
        "at most",
        None,
        {"treadle": large.as_json(), "beside": small.as_json()},
    )


def seconds_to_merge(size: int) -> float:
    """Return the wall time of merging as many updates into as many items."""
    items = a_dataset(size)
    outcomes = outcomes_of(items)
    inputs = [item.zarr_url for item in items]
    begin = time.perf_counter()
    merged = merge(items, task=TASK, zarr_dir=FOLDER, inputs=inputs, outcomes=outcomes)
    seconds = time.perf_counter() - begin
    assert len(merged.items) == 2 * size
    return seconds


def a_dataset(size: int) -> list[Item]:
    """Make items with attributes and types as a plate has them."""
    return [
        Item(
            zarr_url=f"{FOLDER}/plate.zarr/{index}",
            attributes={"plate": "p", "well": f"w{index // 9}", "field": index % 9},
            types={"3D": True},
        )
        for index in range(size)
    ]


def outcomes_of(items: list[Item]) -> list[Outcome]:
    """Make one unit per item; each reports a new item made from its own."""
    return [
        Outcome(
            Unit(index, Part.PARALLEL, item.zarr_url, {"zarr_url": item.zarr_url}),
            done=True,
            output=UnitOutput(
                image_list_updates=(
                    ItemUpdate(
                        zarr_url=f"{item.zarr_url}_mip",
                        origin=item.zarr_url,
                        attributes={"method": "mip"},
                        types={"projected": True},
                    ),
                )
            ),
        )
        for index, item in enumerate(items)
    ]
