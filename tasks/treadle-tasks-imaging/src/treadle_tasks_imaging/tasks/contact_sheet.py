"""Contact Sheet."""

from __future__ import annotations

import logging
from typing import Annotated, Any

from pydantic import Field, validate_call

from treadle_tasks_imaging.declared import declared
from treadle_tasks_imaging.locations import local_folder, overlay_file
from treadle_tasks_imaging.pictures import draw_sheet, save_png

logger = logging.getLogger(__name__)


@validate_call
def contact_sheet(
    *,
    zarr_dir: str,
    zarr_urls: list[str],
    columns: Annotated[int, Field(ge=1, le=50)] = 3,
    tile_size: Annotated[int, Field(ge=32, le=2048)] = 420,
    title: str | None = None,
    file_name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*\.png$")] = "contact_sheet.png",
) -> dict[str, Any] | None:
    """Put the overlay pictures of all images on one sheet, a PNG in the dataset's folder.

    Overlay Picture must have run before.

    Args:
        zarr_dir: Folder of the dataset.
        zarr_urls: The images.
        columns: Pictures side by side.
        tile_size: Width and height in pixels that each picture is scaled into.
        title: Text above the pictures.
        file_name: Name of the sheet.

    Returns:
        The sheet as a picture to show, for engines that show pictures.
    """
    pictures = [overlay_file(local_folder(url)) for url in zarr_urls]
    missing = [url for url, path in zip(zarr_urls, pictures, strict=True) if not path.is_file()]
    if missing:
        raise FileNotFoundError(f"No overlay picture of {', '.join(missing)}: run Overlay Picture before")
    sheet = draw_sheet(pictures, columns=columns, tile=tile_size, title=title or "")
    target = local_folder(zarr_dir) / file_name
    caption = title or f"{len(pictures)} images"
    save_png(sheet, target, caption)
    logger.info("%s: %d pictures", target, len(pictures))
    return declared(target, caption)


if __name__ == "__main__":
    from fractal_task_tools.task_wrapper import run_fractal_task

    run_fractal_task(task_function=contact_sheet)
