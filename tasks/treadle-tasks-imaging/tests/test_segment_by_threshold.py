from __future__ import annotations

import numpy as np
import pytest
import zarr
from ome_zarr_models import open_ome_zarr
from treadle_tasks_imaging.ngff import read_image, read_labels
from treadle_tasks_imaging.segmentation import segment_by_threshold as segment
from treadle_tasks_imaging.tasks.segment_by_threshold import segment_by_threshold


@pytest.fixture
def touching_discs():
    """Two bright discs of radius 20 that overlap a little, and a single bright pixel group of 9."""
    y, x = np.mgrid[:100, :120]
    plane = np.full((100, 120), 10, dtype=np.uint8)
    for centre in (40, 76):
        plane[(y - 50) ** 2 + (x - centre) ** 2 <= 400] = 200
    plane[5:8, 5:8] = 200
    return plane


def test_each_coin_is_one_region(segmented):
    """The photograph shows 24 coins, of 11 to 32 pixels radius."""
    labels = read_labels(segmented, "regions")
    assert labels.dtype == np.uint32
    assert labels.shape == read_image(segmented).data.shape
    areas = np.bincount(labels.ravel())[1:]
    assert len(areas) == 24
    assert areas.min() > 900
    assert areas.max() < 3500


def test_labels_are_valid_ome_zarr(segmented):
    group = zarr.open_group(segmented, mode="r")
    assert group["labels"].attrs["ome"] == {"version": "0.5", "labels": ["regions"]}
    model = open_ome_zarr(group["labels/regions"])
    assert type(model).__name__ == "ImageLabel"
    assert group["labels/regions"].attrs["segmentation"]["polarity"] == "bright"
    coarse = group["labels/regions/2"][...]
    assert set(np.unique(coarse)) == set(range(25))


def test_a_second_name_adds_labels_and_the_same_name_replaces_them(tmp_path, import_all):
    (url,) = import_all(tmp_path, images=[{"source": "skimage:coins"}])
    segment_by_threshold(zarr_url=url, label_name="a", min_area=500)
    segment_by_threshold(zarr_url=url, label_name="b")
    before = read_labels(tmp_path / "coins.zarr", "a").max()
    segment_by_threshold(zarr_url=url, label_name="a", min_area=100000)
    group = zarr.open_group(tmp_path / "coins.zarr", mode="r")
    assert group["labels"].attrs["ome"]["labels"] == ["a", "b"]
    assert before > 0
    assert read_labels(tmp_path / "coins.zarr", "a").max() == 0


def test_touching_discs_are_split_only_on_request(touching_discs):
    assert segment(touching_discs, min_area=10).regions == 1
    split = segment(touching_discs, min_area=10, split_depth=1)
    assert split.regions == 2
    left, right = split.labels[50, 40], split.labels[50, 76]
    assert left != right
    assert left > 0 < right


def test_small_regions_go_and_numbers_have_no_gaps(touching_discs):
    assert segment(touching_discs, min_area=5).regions == 2
    kept = segment(touching_discs, min_area=10)
    assert set(np.unique(kept.labels)) == {0, 1}


def test_polarity_is_found_from_the_border_or_given(touching_discs):
    dark = segment(255 - touching_discs)
    assert dark.polarity == "dark"
    bright = segment(touching_discs)
    assert ((dark.labels > 0) != (bright.labels > 0)).mean() < 0.01
    assert bright.polarity == "bright"
    ground = segment(touching_discs, polarity="dark", fill_holes=False).labels > 0
    assert ground[99, 0]
    assert not ground[50, 40]


def test_a_given_threshold_is_taken_without_smoothing():
    plane = np.tile(np.arange(100, dtype=np.uint8), (50, 1))
    found = segment(plane, threshold=59, smoothing=0, polarity="bright", min_area=1)
    assert found.threshold == 59
    assert found.labels.sum() == 50 * 40


def test_holes_are_filled_unless_told_otherwise(touching_discs):
    plane = touching_discs.copy()
    plane[45:55, 35:45] = 10
    assert segment(plane).labels[50, 40] > 0
    assert segment(plane, fill_holes=False).labels[50, 40] == 0


def test_an_image_of_one_value_has_no_regions():
    assert segment(np.zeros((64, 64), np.uint8)).regions == 0


def test_a_missing_image_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"gone.zarr: no OME-Zarr 0.5 image"):
        segment_by_threshold(zarr_url=str(tmp_path / "gone.zarr"))
