"""Shape and intensity of labelled regions, one row each."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from skimage.measure import regionprops

if TYPE_CHECKING:
    from collections.abc import Callable

    from skimage.measure._regionprops import RegionProperties


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the table.

    Attributes:
        name: Header of the column.
        unit: `1` for plain numbers, `grey value`, or a power of `length`, which stands for the image's unit.
        meaning: What the value says, in one sentence.
        measure: Value for one region.
    """

    name: str
    unit: str
    meaning: str
    measure: Callable[[RegionProperties], float]


def _perimeter(region: RegionProperties) -> float:
    """Not a number where pixels are not square: scikit-image measures no outline there."""
    try:
        return region.perimeter
    except NotImplementedError:
        return math.nan


COLUMNS = (
    Column("label", "1", "Number of the region in the label image.", lambda r: int(r.label)),
    Column("pixel_count", "1", "Pixels in the region.", lambda r: int(r.num_pixels)),
    Column("area", "length^2", "Area of the region.", lambda r: r.area),
    Column("centroid_y", "length", "Centre of the region along y.", lambda r: r.centroid[0]),
    Column("centroid_x", "length", "Centre of the region along x.", lambda r: r.centroid[1]),
    Column("bbox_y", "1", "First row of the bounding box, in pixels.", lambda r: int(r.bbox[0])),
    Column("bbox_x", "1", "First column of the bounding box, in pixels.", lambda r: int(r.bbox[1])),
    Column("bbox_height", "1", "Rows of the bounding box, in pixels.", lambda r: int(r.bbox[2] - r.bbox[0])),
    Column(
        "bbox_width", "1", "Columns of the bounding box, in pixels.", lambda r: int(r.bbox[3] - r.bbox[1])
    ),
    Column(
        "equivalent_diameter",
        "length",
        "Diameter of the circle of the same area.",
        lambda r: r.equivalent_diameter_area,
    ),
    Column(
        "perimeter",
        "length",
        "Length of the outline; empty where pixels are not square.",
        _perimeter,
    ),
    Column(
        "major_axis",
        "length",
        "Long axis of the ellipse of the same second moments.",
        lambda r: r.axis_major_length,
    ),
    Column(
        "minor_axis",
        "length",
        "Short axis of the ellipse of the same second moments.",
        lambda r: r.axis_minor_length,
    ),
    Column(
        "eccentricity",
        "1",
        "Of that ellipse: 0 for a circle, towards 1 for a line.",
        lambda r: r.eccentricity,
    ),
    Column("solidity", "1", "Area over the area of the convex hull.", lambda r: r.solidity),
    Column("mean_intensity", "grey value", "Mean of the image in the region.", lambda r: r.intensity_mean),
    Column("min_intensity", "grey value", "Smallest value in the region.", lambda r: r.intensity_min),
    Column("max_intensity", "grey value", "Largest value in the region.", lambda r: r.intensity_max),
    Column("std_intensity", "grey value", "Standard deviation in the region.", lambda r: r.intensity_std),
)


def measure_regions(
    labels: np.ndarray, plane: np.ndarray, scale: tuple[float, float]
) -> list[tuple[int | float | None, ...]]:
    """Measure every region.

    Args:
        labels: (y, x) integers, 0 for background.
        plane: (y, x) grey values.
        scale: Size of a pixel along y and x.

    Returns:
        One row per region in the order of the labels, its values as `COLUMNS`; None where a value has no
        meaning.

    Raises:
        ValueError: Labels and image differ in shape.
    """
    if labels.shape != plane.shape:
        raise ValueError(f"labels of shape {labels.shape} do not belong to an image of shape {plane.shape}")
    regions = regionprops(labels.astype(np.int64), intensity_image=plane, spacing=scale)
    return [tuple(_plain(column.measure(region)) for column in COLUMNS) for region in regions]


def column_units(unit: str | None) -> dict[str, str]:
    """Unit of each column, for an image calibrated in `unit`; lengths are in pixels if it is not."""
    return {column.name: column.unit.replace("length", unit or "pixel") for column in COLUMNS}


def _plain(value: float) -> int | float | None:
    """A Python number, with the same digits wherever it is computed; NaN as None."""
    if isinstance(value, int):
        return value
    return None if math.isnan(value) else float(f"{float(value):.9g}")
