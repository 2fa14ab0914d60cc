"""A plate of images, from raw to features: once as they are, once without their uneven background.

Both branches run side by side. The last step needs both and writes how they differ.

Before: treadle collect tasks/treadle-tasks-imaging
"""

import csv
import json
from collections import defaultdict
from pathlib import Path

from prefect import flow

from treadle import Dataset, Result, Workflow, load_task

WELLS = [
    {"source": "skimage:coins", "name": "A01"},
    {"source": "skimage:cell", "name": "A02"},
    {"source": "skimage:ihc", "plane": "hematoxylin", "name": "B01"},
    {"source": "skimage:microaneurysms", "name": "B02"},
]


def compare(zarr_urls: list[str], zarr_dir: str, table: str = "regions") -> None:
    """Write the features of each image and branch, beside one another: `features.json`."""
    found: dict[str, dict[str, dict[str, float]]] = defaultdict(dict)
    for image in map(Path, sorted(zarr_urls)):
        with (image / "tables" / table / "table.csv").open() as file:
            areas = [float(row["area"]) for row in csv.DictReader(file)]
        well, _, corrected = image.stem.partition("_")
        mean = sum(areas) / len(areas) if areas else 0.0
        found[well][corrected or "raw"] = {"regions": len(areas), "mean_area": round(mean, 2)}
    Path(zarr_dir, "features.json").write_text(json.dumps(found, indent=1))


def workflow(wells: list[dict[str, str]]) -> Workflow:
    """Return the graph: import, then two branches, then their comparison."""
    task = {name: load_task("treadle-tasks-imaging", name) for name in NAMES}
    plate = Workflow("plate", description="Features of a plate, with and without background correction.")
    raw = plate.add(task["Import Images"](images=wells), name="import")

    segment = task["Segment by Threshold"](split_depth=1.0, min_area=50)
    plate.add(segment, name="segment raw", needs=raw)
    measured_raw = plate.add(task["Measure Regions"](), name="measure raw")

    plate.add(task["Illumination Correction"](sigma=60.0), name="correct", needs=raw)
    plate.add(segment, name="segment corrected", retries=1)
    measured = plate.add(task["Measure Regions"](), name="measure corrected")
    drawn = plate.add(task["Overlay Picture"](longer_side=400), name="outline")

    plate.add(task["Contact Sheet"](title="Plate"), name="sheet", needs=drawn)
    plate.add(compare, name="compare", needs=[measured_raw, measured])
    return plate


NAMES = (
    "Import Images",
    "Illumination Correction",
    "Segment by Threshold",
    "Measure Regions",
    "Overlay Picture",
    "Contact Sheet",
)


@flow(name="plate")
def plate(
    name: str = "plate",
    folder: str = "~/treadle-examples",
    images: str = "",
    wells: list[dict[str, str]] = WELLS,
) -> Result:
    """Measure a plate.

    Args:
        name: Name of the dataset, which is made in the folder.
        folder: Where the dataset goes.
        images: Folder of image files; without one the wells below are used.
        wells: Images that ship with scikit-image.
    """
    if images:
        files = sorted(path for path in Path(images).iterdir() if path.is_file())
        wells = [{"source": str(path), "name": path.stem} for path in files]
    dataset = Dataset.create(name, Path(folder) / name, exist_ok=True)
    return workflow(wells).to_flow()(dataset=dataset.name)


if __name__ == "__main__":
    plate()
