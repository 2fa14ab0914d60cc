"""Maximum Projection."""

from __future__ import annotations

import logging
from typing import Annotated, Any

from pydantic import Field, validate_call

from treadle_tasks_imaging.locations import local_folder, sibling
from treadle_tasks_imaging.ngff import read_image, write_image

logger = logging.getLogger(__name__)


@validate_call
def maximum_projection(
    *, zarr_url: str, suffix: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]+$")] = "_projected"
) -> dict[str, list[dict[str, Any]]]:
    """Project a stack along z: each pixel of the new image is the brightest of its column.

    Args:
        zarr_url: The stack.
        suffix: What the new image's name ends in.
    """
    folder = local_folder(zarr_url)
    stack = read_image(folder)
    if not stack.is_3d:
        raise ValueError(f"{zarr_url}: not a stack, its axes are {', '.join(stack.axes)}")
    target = sibling(folder, suffix)
    write_image(target, stack.with_data(stack.data.max(axis=0)))
    logger.info("%s: %d planes projected", target, stack.data.shape[0])
    return {"image_list_updates": [{"zarr_url": str(target), "origin": zarr_url, "types": {"is_3D": False}}]}


if __name__ == "__main__":
    from fractal_task_tools.task_wrapper import run_fractal_task

    run_fractal_task(task_function=maximum_projection)
