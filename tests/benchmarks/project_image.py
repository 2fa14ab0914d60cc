"""A public task package on a real image beside one subprocess a unit."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from tests.benchmarks.command_units import BESIDE, compare, ratio
from tests.benchmarks.readings import Reading
from tests.benchmarks.site import Site

PACKAGE = "fractal-tasks-core==2.1.0"

WRITE_COINS = """
import sys
import numpy as np
from ngio import create_ome_zarr_from_array
from skimage import data
coins = data.coins().astype("uint16")
create_ome_zarr_from_array(
    sys.argv[1], array=np.stack([coins // 2, coins])[None], pixelsize=0.5, z_spacing=1.0,
    axes_names=list("czyx"), channels_meta=["coins"], levels=2,
)
"""


def measure(site: Site, *, quick: bool) -> Iterator[Reading]:
    """The image is scikit-image's photograph of coins, in two planes; each unit has a copy of its own."""
    task = site.task(site.collect(PACKAGE), "Project Image")
    original = site.new_folder() / "coins.zarr"
    python = task.installed.python
    subprocess.run([python, "-c", WRITE_COINS, str(original)], check=True, capture_output=True)

    def copies(folder: Path, count: int) -> list[str]:
        return [
            str(shutil.copytree(original, folder / f"coins_{number:03d}.zarr")) for number in range(count)
        ]

    count, few = (4, 2) if quick else (100, 20)
    run, processes = compare(site, task, copies, (count, few), quick=quick)
    yield Reading(
        f"{count} `Project Image` units of {PACKAGE} on a small real image",
        BESIDE,
        ratio(run, processes),
        "times its rate",
        "at least",
        8,
        {"treadle": run.as_json(), "beside": processes.as_json()},
    )
