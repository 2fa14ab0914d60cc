"""Illumination Correction."""

from __future__ import annotations

import logging
from typing import Annotated, Any

from pydantic import Field, validate_call

from treadle_tasks_imaging.background import Operation, correct_background
from treadle_tasks_imaging.locations import local_folder, sibling
from treadle_tasks_imaging.ngff import read_image, write_image

logger = logging.getLogger(__name__)


@validate_call
def illumination_correction(
    *,
    zarr_url: str,
    sigma: Annotated[float, Field(ge=1)] = 40.0,
    operation: Operation = "subtract",
    overwrite_input: bool = False,
    suffix: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]+$")] = "_corrected",
) -> dict[str, list[dict[str, Any]]]:
    """Flatten an uneven background, estimated from the image itself.

    The background is a wide Gaussian fitted to what is left when objects, the pixels that deviate from it,
    are excluded. The corrected image keeps pixel type and mean level. It becomes a new image, or replaces
    the input.

    Args:
        zarr_url: The image.
        sigma: Width of the Gaussian in pixels (standard deviation): a few times the radius of the objects.
        operation: Subtract the background (light that was added), or divide by it (uneven illumination).
        overwrite_input: Replace the image instead of making a new one; its labels and tables go.
        suffix: What the new image's name ends in, unless the input is replaced.
    """
    folder = local_folder(zarr_url)
    image = read_image(folder)
    target = folder if overwrite_input else sibling(folder, suffix)
    write_image(target, image.with_data(correct_background(image.data, sigma, operation)))
    logger.info("%s: background corrected (sigma %g px, %s)", target, sigma, operation)
    return {"image_list_updates": [{"zarr_url": str(target), "origin": zarr_url}]}


if __name__ == "__main__":
    from fractal_task_tools.task_wrapper import run_fractal_task

    run_fractal_task(task_function=illumination_correction)
