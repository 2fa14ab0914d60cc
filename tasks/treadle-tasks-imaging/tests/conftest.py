from __future__ import annotations

from pathlib import Path

import pytest
from treadle_tasks_imaging.tasks.illumination_correction import illumination_correction
from treadle_tasks_imaging.tasks.import_images import import_images
from treadle_tasks_imaging.tasks.import_images_init import import_images_init
from treadle_tasks_imaging.tasks.segment_by_threshold import segment_by_threshold


@pytest.fixture(scope="session")
def import_all():
    """Import images as an engine does, into a folder; returns their URLs."""

    def run(zarr_dir: Path, **arguments) -> list[str]:
        parallel = {key: arguments.pop(key) for key in ("pixel_size", "plane_distance") if key in arguments}
        units = import_images_init(zarr_dir=str(zarr_dir), **arguments)["parallelization_list"]
        updates = [import_images(**unit, **parallel)["image_list_updates"][0] for unit in units]
        assert [update["zarr_url"] for update in updates] == [unit["zarr_url"] for unit in units]
        return [update["zarr_url"] for update in updates]

    return run


@pytest.fixture(scope="session")
def imported(tmp_path_factory, import_all):
    """A dataset folder with coins and the nuclear stain of a tissue section, as imported."""
    folder = tmp_path_factory.mktemp("imported")
    sources = [
        {"source": "skimage:coins"},
        {"source": "skimage:ihc", "plane": "hematoxylin", "name": "nuclei"},
    ]
    import_all(folder, images=sources)
    return folder


@pytest.fixture(scope="session")
def segmented(tmp_path_factory, import_all):
    """Coins with their background corrected, at 2 micrometres a pixel, and segmented: path of the image."""
    folder = tmp_path_factory.mktemp("segmented")
    (url,) = import_all(folder, images=[{"source": "skimage:coins"}], pixel_size=2.0)
    update = illumination_correction(zarr_url=url, sigma=60)["image_list_updates"][0]
    segment_by_threshold(zarr_url=update["zarr_url"], split_depth=1, min_area=50)
    return Path(update["zarr_url"])
