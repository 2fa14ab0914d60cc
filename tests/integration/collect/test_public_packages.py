"""Task packages of other people, as the public index has them."""

from __future__ import annotations

from pathlib import Path

import pytest

from treadle.collect.environments.removal import remove_tree

pytestmark = pytest.mark.integration

PUBLIC = {
    "fractal-tasks-core==2.1.0": {
        "Project Image (HCS Plate)": "compound",
        "Illumination Correction": "parallel",
        "Threshold Segmentation": "parallel",
    },
    "fractal-uzh-converters==0.7.1": {
        "Convert Evident ScanR Plate to OME-Zarr": "converter_compound",
        "Convert Yokogawa CellVoyager Plate to OME-Zarr": "converter_compound",
        "Convert Revvity Operetta Plate to OME-Zarr": "converter_compound",
        "Convert Custom TIFF Images to OME-Zarr": "converter_compound",
    },
    "fractal-lif-converters==0.7.0": {
        "Convert Lif Plate to OME-Zarr": "converter_compound",
        "Convert Lif Image to OME-Zarr": "converter_compound",
    },
}


@pytest.mark.parametrize("requirement", PUBLIC)
def test_public_package_is_collected_with_its_tasks(here, requirement: str) -> None:
    collected = here.collect(requirement)
    try:
        tasks = {task.name: task for task in collected.tasks}
        assert PUBLIC[requirement].items() <= {name: task.type.value for name, task in tasks.items()}.items()
        assert requirement == f"{collected.package.name}=={collected.package.version}"
        root = Path(collected.package.root)
        for task in tasks.values():
            for part in task.type.parts:
                assert (root / task.part(part).executable).is_file()
                assert task.part(part).args_schema["properties"]
    finally:
        remove_tree(Path(collected.environment.path))
