from __future__ import annotations

import csv
import math

import numpy as np
import pytest
import zarr
from treadle_tasks_imaging.measurements import COLUMNS, column_units
from treadle_tasks_imaging.measurements import measure_regions as measure
from treadle_tasks_imaging.tables import table_file
from treadle_tasks_imaging.tasks.measure_regions import measure_regions


def as_dicts(rows):
    return [dict(zip((column.name for column in COLUMNS), row, strict=True)) for row in rows]


@pytest.fixture
def rectangle_and_disc():
    """A 10 x 20 rectangle of value 50 and a disc of radius 15 of value 80, labels 1 and 2."""
    labels = np.zeros((100, 100), np.uint32)
    labels[10:20, 30:50] = 1
    y, x = np.mgrid[:100, :100]
    labels[(y - 60) ** 2 + (x - 50) ** 2 <= 225] = 2
    return labels, np.choose(labels, [0, 50, 80]).astype(np.uint8)


def test_a_rectangle_and_a_disc_have_their_textbook_values(rectangle_and_disc):
    rectangle, disc = as_dicts(measure(*rectangle_and_disc, (1.0, 1.0)))
    assert (rectangle["label"], rectangle["pixel_count"], rectangle["area"]) == (1, 200, 200.0)
    assert (rectangle["centroid_y"], rectangle["centroid_x"]) == (14.5, 39.5)
    box = [rectangle[f"bbox_{side}"] for side in ("y", "x", "height", "width")]
    assert box == [10, 30, 10, 20]
    assert rectangle["solidity"] == 1.0
    assert rectangle["mean_intensity"] == 50.0
    assert disc["area"] == pytest.approx(math.pi * 225, rel=0.01)
    assert disc["perimeter"] == pytest.approx(2 * math.pi * 15, rel=0.05)
    assert disc["equivalent_diameter"] == pytest.approx(30, rel=0.01)
    assert disc["eccentricity"] < 0.1 < rectangle["eccentricity"]
    assert (disc["min_intensity"], disc["max_intensity"], disc["std_intensity"]) == (80.0, 80.0, 0.0)


def test_lengths_are_in_the_unit_of_the_image(rectangle_and_disc):
    pixels, _ = as_dicts(measure(*rectangle_and_disc, (1.0, 1.0)))
    scaled, _ = as_dicts(measure(*rectangle_and_disc, (0.5, 0.5)))
    assert scaled["area"] == pixels["area"] / 4
    assert scaled["major_axis"] == pytest.approx(pixels["major_axis"] / 2)
    assert scaled["centroid_x"] == pixels["centroid_x"] / 2
    assert scaled["bbox_x"] == pixels["bbox_x"]
    assert column_units("micrometer")["area"] == "micrometer^2"
    assert column_units(None)["perimeter"] == "pixel"


def test_where_pixels_are_not_square_the_outline_is_left_empty(rectangle_and_disc):
    rectangle, _ = as_dicts(measure(*rectangle_and_disc, (1.0, 2.0)))
    assert rectangle["perimeter"] is None
    assert rectangle["area"] == 400.0


def test_the_table_holds_a_row_for_each_coin(segmented):
    measure_regions(zarr_url=str(segmented))
    with table_file(segmented, "regions").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["label"]) for row in rows] == list(range(1, 25))
    diameters = [float(row["equivalent_diameter"]) for row in rows]
    assert 60 < min(diameters) < max(diameters) < 130, "2 micrometres a pixel"
    assert all(float(row["solidity"]) > 0.85 for row in rows)
    assert all(float(row["mean_intensity"]) > 90 for row in rows)


def test_the_table_says_what_its_columns_are(segmented):
    measure_regions(zarr_url=str(segmented), table_name="other")
    group = zarr.open_group(segmented, mode="r")
    assert "other" in group["tables"].attrs["tables"]
    attributes = group["tables/other"].attrs
    assert attributes["type"] == "feature_table"
    assert attributes["region"] == {"path": "../labels/regions"}
    header = table_file(segmented, "other").read_text().splitlines()[0].split(",")
    assert list(attributes["columns"]) == header
    assert attributes["columns"]["area"] == {"unit": "micrometer^2", "meaning": "Area of the region."}


def test_measuring_twice_gives_the_same_bytes(segmented):
    measure_regions(zarr_url=str(segmented), table_name="twice")
    first = table_file(segmented, "twice").read_bytes()
    measure_regions(zarr_url=str(segmented), table_name="twice")
    assert table_file(segmented, "twice").read_bytes() == first


def test_labels_that_do_not_exist_are_named(segmented):
    with pytest.raises(FileNotFoundError, match=r"labels/nuclei: no OME-Zarr 0.5 label image"):
        measure_regions(zarr_url=str(segmented), label_name="nuclei")
