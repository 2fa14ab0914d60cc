"""Import Images, second part: write one OME-Zarr image."""

from __future__ import annotations

import logging
from typing import Annotated, Any

from pydantic import Field, validate_call

from treadle_tasks_imaging.locations import local_folder
from treadle_tasks_imaging.ngff import Image, write_image
from treadle_tasks_imaging.pixels import read_source
from treadle_tasks_imaging.sources import ImageSource

logger = logging.getLogger(__name__)


@validate_call
def import_images(
    *,
    zarr_url: str,
    init_args: ImageSource,
    pixel_size: Annotated[float, Field(gt=0)] | None = None,
    plane_distance: Annotated[float, Field(gt=0)] | None = None,
    levels: Annotated[int, Field(ge=1, le=10)] = 4,
) -> dict[str, list[dict[str, Any]]]:
    """Write one source as an OME-Zarr image with a pyramid of resolutions.

    The new image has the attributes `image` (its name), `source` and `plane`, and the type `is_3D`.

    Args:
        zarr_url: The new image.
        init_args: The source, as the first part listed it.
        pixel_size: Width and height of a pixel in micrometres; without it, lengths are in pixels.
        plane_distance: Distance between the planes of a stack in micrometres; by default the pixel size.
        levels: Resolutions to write, each half of the one before; fewer for small images.
    """
    data = read_source(init_args)
    side = pixel_size or 1.0
    image = Image(
        data=data,
        axes=("z", "y", "x")[-data.ndim :],
        scale=(plane_distance or side, side, side)[-data.ndim :],
        unit=None if pixel_size is None else "micrometer",
        levels=levels,
    )
    write_image(local_folder(zarr_url), image)
    logger.info("%s: %s %s -> %s", init_args.source, data.shape, data.dtype, zarr_url)
    attributes = {"image": init_args.image_name, "source": init_args.source, "plane": init_args.plane}
    return {
        "image_list_updates": [
            {"zarr_url": zarr_url, "attributes": attributes, "types": {"is_3D": image.is_3d}},
        ]
    }


if __name__ == "__main__":
    from fractal_task_tools.task_wrapper import run_fractal_task

    run_fractal_task(task_function=import_images)
