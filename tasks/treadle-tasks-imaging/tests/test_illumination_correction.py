from __future__ import annotations

import numpy as np
import pytest
from skimage import data
from treadle_tasks_imaging.background import correct_background, estimate_background
from treadle_tasks_imaging.ngff import Image, read_image, write_image
from treadle_tasks_imaging.tasks.illumination_correction import illumination_correction
from treadle_tasks_imaging.tasks.segment_by_threshold import segment_by_threshold


@pytest.fixture
def spots_on_a_slope():
    """Image, background and spots: the ground rises from 50 to 150 along x, spots are 80 brighter."""
    background = np.tile(np.linspace(50, 150, 400, dtype=np.float32), (300, 1))
    spots = np.zeros((300, 400), dtype=bool)
    for y in range(30, 300, 60):
        for x in range(30, 400, 60):
            spots[y : y + 14, x : x + 14] = True
    return (background + 80 * spots).astype(np.uint16), background, spots


def test_the_estimate_follows_the_background_and_not_the_objects(spots_on_a_slope):
    image, background, _ = spots_on_a_slope
    inner = (slice(60, -60), slice(60, -60))
    assert np.abs(estimate_background(image, 20) - background)[inner].max() < 8


def test_subtraction_flattens_the_background_and_keeps_objects_and_dtype(spots_on_a_slope):
    image, _, spots = spots_on_a_slope
    flat = correct_background(image, 30, "subtract")
    assert flat.dtype == np.uint16
    assert flat[~spots].std() < 0.25 * image[~spots].std()
    assert flat[spots].mean() - flat[~spots].mean() == pytest.approx(80, rel=0.1)


def test_division_undoes_a_shading_that_multiplies(spots_on_a_slope):
    _, shading, spots = spots_on_a_slope
    image = (shading * np.where(spots, 3.0, 1.0)).astype(np.float32)
    flat = correct_background(image, 30, "divide")
    assert flat[~spots].std() / flat[~spots].mean() < 0.35 * (shading.std() / shading.mean())
    assert flat[spots].mean() / flat[~spots].mean() == pytest.approx(3, rel=0.1)


def test_coins_lie_on_a_flatter_ground_than_before(imported):
    """The photograph's ground is brighter at the top left; between the coins it must become even."""
    url = str(imported / "coins.zarr")
    update = illumination_correction(zarr_url=url, sigma=60)
    target = str(imported / "coins_corrected.zarr")
    assert update == {"image_list_updates": [{"zarr_url": target, "origin": url}]}
    ground = data.coins() < 95
    before = read_image(imported / "coins.zarr").data
    after = read_image(imported / "coins_corrected.zarr").data
    assert after.dtype == np.uint8

    def unevenness(image):
        left, right = image[:, :190][ground[:, :190]], image[:, 190:][ground[:, 190:]]
        top, bottom = image[:150][ground[:150]], image[150:][ground[150:]]
        return abs(left.mean() - right.mean()) + abs(top.mean() - bottom.mean())

    assert unevenness(after) < 0.35 * unevenness(before)
    np.testing.assert_array_equal(before, data.coins())


def test_in_place_the_image_changes_and_its_old_labels_go(tmp_path, import_all):
    (url,) = import_all(tmp_path, images=[{"source": "skimage:coins"}])
    segment_by_threshold(zarr_url=url)
    update = illumination_correction(zarr_url=url, sigma=60, overwrite_input=True)
    assert update["image_list_updates"][0]["zarr_url"] == url
    assert (read_image(tmp_path / "coins.zarr").data != data.coins()).mean() > 0.5
    assert not (tmp_path / "coins.zarr" / "labels").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["coins.zarr"]


def test_a_stack_is_corrected_by_the_background_of_its_mean_plane(tmp_path, spots_on_a_slope):
    plane, _, spots = spots_on_a_slope
    stack = np.stack([plane, plane + 10])
    write_image(tmp_path / "s.zarr", Image(stack, ("z", "y", "x"), (3.0, 1.0, 1.0), None, 2))
    illumination_correction(zarr_url=str(tmp_path / "s.zarr"), sigma=30)
    flat = read_image(tmp_path / "s_corrected.zarr")
    assert (flat.axes, flat.scale, flat.levels) == (("z", "y", "x"), (3.0, 1.0, 1.0), 2)
    assert flat.data[0][~spots].std() < 0.25 * plane[~spots].std()
    assert (flat.data[1].astype(int) - flat.data[0]).mean() == pytest.approx(10, abs=0.1)
