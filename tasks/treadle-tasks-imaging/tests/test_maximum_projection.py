from __future__ import annotations

import numpy as np
import pytest
from treadle_tasks_imaging.ngff import Image, read_image, write_image
from treadle_tasks_imaging.tasks.maximum_projection import maximum_projection


def test_each_pixel_is_the_brightest_of_its_column(tmp_path):
    stack = np.random.default_rng(1).integers(0, 999, (4, 64, 80), dtype=np.uint16)
    url = str(tmp_path / "s.zarr")
    write_image(tmp_path / "s.zarr", Image(stack, ("z", "y", "x"), (2.0, 0.5, 0.5), "micrometer", 2))
    target = str(tmp_path / "s_projected.zarr")
    assert maximum_projection(zarr_url=url) == {
        "image_list_updates": [{"zarr_url": target, "origin": url, "types": {"is_3D": False}}]
    }
    flat = read_image(tmp_path / "s_projected.zarr")
    np.testing.assert_array_equal(flat.data, stack.max(axis=0))
    assert (flat.axes, flat.scale, flat.unit) == (("y", "x"), (0.5, 0.5), "micrometer")


def test_a_flat_image_is_refused(imported):
    with pytest.raises(ValueError, match="not a stack"):
        maximum_projection(zarr_url=str(imported / "coins.zarr"))
