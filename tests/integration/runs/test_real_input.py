"""A public task package that nobody here wrote, on a real image, with its own manifest and schemas."""

from __future__ import annotations

import json
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from treadle.testing.command import Command

pytestmark = pytest.mark.integration

PACKAGE = "fractal-tasks-core"
VERSION = "2.1.0"

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

# What the package's tasks should have found, computed again from the photograph with scikit-image alone.
READ_RESULTS = """
import json, sys
import numpy as np
from ngio import open_ome_zarr_container
from skimage import data, filters, measure
coins = data.coins()
container = open_ome_zarr_container(sys.argv[1], mode="r")
labels = np.squeeze(container.get_label("coins_label").get_as_numpy())
projection = np.squeeze(container.get_image().get_as_numpy())
table = container.get_table("region_props_features").dataframe.reset_index().sort_values("label")
regions = measure.regionprops(labels, intensity_image=coins)
expected = measure.label(coins > filters.threshold_otsu(coins))
print(json.dumps({
    "projection_is_maximum": bool((projection == coins).all()),
    "segmentation_is_otsu": bool(((labels > 0) == (expected > 0)).all()),
    "regions": len(regions),
    "expected_regions": int(expected.max()),
    "largest_area_um2": float(table["area"].max()),
    "rows_have_labels": list(map(int, table["label"])) == [region.label for region in regions],
    "rows_have_areas": bool(np.allclose(table["area"], [region.num_pixels * 0.25 for region in regions])),
    "rows_have_intensities":
        bool(np.allclose(table["intensity_mean-coins"], [region.intensity_mean for region in regions])),
}))
"""


def step(name: str, **args: object) -> dict[str, object]:
    part = "args_non_parallel" if name == "Import OME-Zarr" else "args_parallel"
    return {"task": {"pkg_name": PACKAGE, "version": VERSION, "name": name}, part: args}


WORKFLOW = {
    "name": "Coins",
    "task_list": [
        step("Import OME-Zarr", zarr_name="coins.zarr"),
        step("Project Image"),
        step(
            "Threshold Segmentation",
            channel={"mode": "label", "identifier": "coins"},
            output_label_name="coins_label",
        ),
        step("Measure Features", input_label_name="coins_label"),
    ],
}


@pytest.mark.parametrize("cluster", ["local", "slurm"])
def test_public_package_runs_from_index_to_checked_results(
    treadle: Command, tmp_path: Path, cluster: str, request: pytest.FixtureRequest
) -> None:
    if cluster == "slurm":
        treadle = replace(treadle, variables=request.getfixturevalue("on_slurm"))
    # Given the package from the index and a real photograph as OME-Zarr in a dataset's folder
    collected = treadle("collect", f"{PACKAGE}=={VERSION}").data
    assert collected["package"]["version"] == VERSION
    python = str(Path(collected["environment"]["path"]) / "bin" / "python")
    data = tmp_path / "data"
    data.mkdir()
    subprocess.run([python, "-c", WRITE_COINS, str(data / "coins.zarr")], check=True, capture_output=True)
    treadle("dataset", "create", f"coins-{cluster}", "--dir", str(data))
    workflow = tmp_path / "coins.json"
    workflow.write_text(json.dumps(WORKFLOW | {"name": f"Coins {cluster}"}))
    treadle("workflow", "import", str(workflow))

    # When the four tasks run
    run = treadle(
        "run", f"Coins {cluster}", "--dataset", f"coins-{cluster}", "--cluster", cluster, "--memory", "1500"
    ).data

    # Then every step is done, and label image and table hold what the photograph holds
    assert [(s["name"], s["state"], s["done"]) for s in run["steps"]] == [
        (task["task"]["name"], "done", 1) for task in WORKFLOW["task_list"]
    ]
    items = {item["zarr_url"]: item for item in treadle("dataset", "show", f"coins-{cluster}").data["items"]}
    projected = items[str(data / "coins_mip.zarr")]
    assert projected["origin"] == str(data / "coins.zarr")
    assert projected["types"] == {"is_3D": False}
    found = json.loads(
        subprocess.run(
            [python, "-W", "ignore", "-c", READ_RESULTS, projected["zarr_url"]],
            check=True,
            capture_output=True,
            text=True,
        ).stdout
    )
    assert found["expected_regions"] > 20
    assert found["largest_area_um2"] > 2000
    assert found == found | {
        "projection_is_maximum": True,
        "segmentation_is_otsu": True,
        "regions": found["expected_regions"],
        "rows_have_labels": True,
        "rows_have_areas": True,
        "rows_have_intensities": True,
    }
