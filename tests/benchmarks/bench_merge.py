"""How long merging takes, by the number of updates; linear is ten times as long for ten times as many.

Run as a script; prints one JSON object per size to standard output.
"""

from __future__ import annotations

import json
import platform
import statistics
import sys
import time

from treadle.model.dataset import Item
from treadle.model.merging import Outcome, merge
from treadle.model.outputs import ItemUpdate, UnitOutput
from treadle.model.task import Part, Task, TaskPart, TaskType
from treadle.model.units import Unit

FOLDER = "/data/zarr"
SIZES = (1_000, 10_000, 100_000)
REPEATS = 3
TASK = Task(
    package="bench",
    version="1",
    name="Project",
    type=TaskType.PARALLEL,
    parallel=TaskPart(executable="project.py"),
    output_types={"3D": False},
)


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


def seconds_to_merge(size: int) -> float:
    """Return the median wall time of merging as many updates into as many items."""
    items = a_dataset(size)
    outcomes = outcomes_of(items)
    inputs = [item.zarr_url for item in items]
    times = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        merged = merge(items, task=TASK, zarr_dir=FOLDER, inputs=inputs, outcomes=outcomes)
        times.append(time.perf_counter() - start)
        if len(merged.items) != 2 * size:
            raise SystemExit(f"merging {size} updates gave {len(merged.items)} items")
    return statistics.median(times)


def main() -> None:
    """Print the figures."""
    smallest = 0.0
    for size in SIZES:
        seconds = seconds_to_merge(size)
        smallest = smallest or seconds
        figures = {
            "updates": size,
            "seconds": round(seconds, 4),
            "ratio_to_linear": round(seconds / smallest / (size / SIZES[0]), 2),
            "python": platform.python_version(),
            "machine": platform.machine(),
        }
        sys.stdout.write(json.dumps(figures) + "\n")


if __name__ == "__main__":
    main()
