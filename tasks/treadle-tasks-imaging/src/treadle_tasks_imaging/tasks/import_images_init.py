"""Import Images, first part: list the sources."""

from __future__ import annotations

import logging
from collections import Counter
from typing import Any

from pydantic import Field, validate_call

from treadle_tasks_imaging.sources import ImageSource, Plane, folder_sources, source_file

logger = logging.getLogger(__name__)


@validate_call
def import_images_init(
    *,
    zarr_dir: str,
    folder: str | None = None,
    pattern: str = "*",
    plane: Plane = "luminance",
    images: list[ImageSource] = Field(default_factory=list),  # noqa: B008 pydantic's way to say it
) -> dict[str, list[dict[str, Any]]]:
    """List image files and images that scikit-image ships; each becomes one OME-Zarr image.

    Give a folder, a list of images, or both. Nothing is downloaded.

    Args:
        zarr_dir: Folder of the dataset, where the new images go.
        folder: Absolute path of a folder of image files (PNG, JPEG, TIFF, BMP, GIF).
        pattern: Which files of the folder to take, for example `*_DAPI.tif`.
        plane: What to take from colour files of the folder; grey files are taken as they are.
        images: Single images: files, or names such as `skimage:coins`.
    """
    found = [] if folder is None else folder_sources(folder, pattern, plane)
    sources = [*found, *images]
    if not sources:
        where = "give a folder or images" if folder is None else f"{folder}: no image file matches {pattern}"
        raise ValueError(f"Nothing to import: {where}")
    for source in sources:
        source_file(source.source)
    repeated = [name for name, times in Counter(source.image_name for source in sources).items() if times > 1]
    if repeated:
        raise ValueError(f"Several sources would make an image called {', '.join(repeated)}: give them names")
    logger.info("%d images to import", len(sources))
    return {
        "parallelization_list": [
            {
                "zarr_url": f"{zarr_dir.rstrip('/')}/{source.image_name}.zarr",
                "init_args": source.model_dump(),
            }
            for source in sources
        ]
    }


if __name__ == "__main__":
    from fractal_task_tools.task_wrapper import run_fractal_task

    run_fractal_task(task_function=import_images_init)
