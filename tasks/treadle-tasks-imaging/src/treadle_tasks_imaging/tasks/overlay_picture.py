"""Overlay Picture."""

from __future__ import annotations

import logging
from typing import Annotated, Any

from pydantic import Field, validate_call

from treadle_tasks_imaging.declared import declared
from treadle_tasks_imaging.locations import image_name, local_folder, overlay_file
from treadle_tasks_imaging.ngff import read_image, read_labels
from treadle_tasks_imaging.pictures import draw_overlay, save_png

logger = logging.getLogger(__name__)


@validate_call
def overlay_picture(
    *,
    zarr_url: str,
    label_name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]+$")] = "regions",
    longer_side: Annotated[int, Field(ge=0, le=4096)] = 1000,
    thickness: Annotated[int, Field(ge=1, le=20)] = 2,
) -> dict[str, Any] | None:
    """Draw the outlines of labelled regions over the image, as a PNG that any viewer opens.

    The picture is `overlays/<image>.png` beside the OME-Zarr.

    Args:
        zarr_url: The image, (y, x).
        label_name: Label image to draw.
        longer_side: Small images are enlarged by a whole factor until their longer side has this many
            pixels.
        thickness: Width of the outlines in pixels of the picture.

    Returns:
        The picture, for engines that show pictures.
    """
    folder = local_folder(zarr_url)
    image = read_image(folder)
    if image.is_3d:
        raise ValueError(f"{zarr_url}: a stack; project it first")
    labels = read_labels(folder, label_name)
    picture = draw_overlay(image.data, labels, longer_side=longer_side, thickness=thickness)
    target = overlay_file(folder)
    count = int(labels.max(initial=0))
    caption = f"{image_name(folder)}: {count} region{'s' * (count != 1)}"
    save_png(picture, target, caption)
    logger.info("%s", target)
    return declared(target, caption)


if __name__ == "__main__":
    from fractal_task_tools.task_wrapper import run_fractal_task

    run_fractal_task(task_function=overlay_picture)
