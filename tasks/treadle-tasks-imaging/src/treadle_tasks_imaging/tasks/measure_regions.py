"""Measure Regions."""

from __future__ import annotations

import logging
from typing import Annotated

from pydantic import Field, validate_call

from treadle_tasks_imaging.locations import local_folder
from treadle_tasks_imaging.measurements import COLUMNS, column_units
from treadle_tasks_imaging.measurements import measure_regions as measure
from treadle_tasks_imaging.ngff import read_image, read_labels
from treadle_tasks_imaging.tables import write_feature_table

logger = logging.getLogger(__name__)


@validate_call
def measure_regions(
    *,
    zarr_url: str,
    label_name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]+$")] = "regions",
    table_name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]+$")] = "regions",
) -> None:
    """Measure size, shape and intensity of labelled regions and write them as a table into the OME-Zarr.

    The table is `tables/<table_name>/table.csv` inside the image, one row per region; the units of its
    columns are in the attributes of its group and in the package's README.

    Args:
        zarr_url: The image, (y, x).
        label_name: Label image to measure.
        table_name: Name of the table; a table of that name is replaced.
    """
    folder = local_folder(zarr_url)
    image = read_image(folder)
    if image.is_3d:
        raise ValueError(f"{zarr_url}: a stack; project it first")
    rows = measure(read_labels(folder, label_name), image.data, image.scale)
    write_feature_table(
        folder,
        table_name,
        rows,
        labels=label_name,
        units=column_units(image.unit),
        meanings={column.name: column.meaning for column in COLUMNS},
    )
    logger.info("%s: %d regions measured", zarr_url, len(rows))


if __name__ == "__main__":
    from fractal_task_tools.task_wrapper import run_fractal_task

    run_fractal_task(task_function=measure_regions)
