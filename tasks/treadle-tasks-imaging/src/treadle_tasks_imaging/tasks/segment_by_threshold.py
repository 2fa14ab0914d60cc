"""Segment by Threshold."""

from __future__ import annotations

import logging
from typing import Annotated

from pydantic import Field, validate_call

from treadle_tasks_imaging.locations import local_folder
from treadle_tasks_imaging.ngff import read_image, write_labels
from treadle_tasks_imaging.segmentation import Polarity
from treadle_tasks_imaging.segmentation import segment_by_threshold as segment

logger = logging.getLogger(__name__)


@validate_call
def segment_by_threshold(
    *,
    zarr_url: str,
    label_name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]+$")] = "regions",
    threshold: float | None = None,
    polarity: Polarity = "auto",
    smoothing: Annotated[float, Field(ge=0)] = 1.0,
    split_depth: Annotated[float, Field(ge=0)] = 0.0,
    min_area: Annotated[int, Field(ge=1)] = 20,
    fill_holes: bool = True,
) -> None:
    """Label the objects of an image by a threshold and write them as a label image into the OME-Zarr.

    Args:
        zarr_url: The image, (y, x).
        label_name: Name of the label image; labels of that name are replaced.
        threshold: Grey value between background and objects; without one, Otsu's method finds it for each
            image.
        polarity: Objects are bright, dark, or, automatically, the side that holds less of the image's border.
        smoothing: Width in pixels (standard deviation) of a Gaussian applied before; 0 for none.
        split_depth: Split touching objects where a neck is this many pixels of radius narrower than both
            sides; 0 does not split.
        min_area: Smallest region to keep, in pixels.
        fill_holes: Count background that an object encloses as part of it.
    """
    folder = local_folder(zarr_url)
    image = read_image(folder)
    if image.is_3d:
        raise ValueError(f"{zarr_url}: a stack; project it first")
    found = segment(
        image.data,
        threshold=threshold,
        smoothing=smoothing,
        polarity=polarity,
        split_depth=split_depth,
        min_area=min_area,
        fill_holes=fill_holes,
    )
    how = {"threshold": found.threshold, "polarity": found.polarity, "regions": found.regions}
    write_labels(folder, label_name, image.with_data(found.labels), how)
    logger.info("%s: %d regions, %s, threshold %g", zarr_url, found.regions, found.polarity, found.threshold)


if __name__ == "__main__":
    from fractal_task_tools.task_wrapper import run_fractal_task

    run_fractal_task(task_function=segment_by_threshold)
