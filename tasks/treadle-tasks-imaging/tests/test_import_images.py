from __future__ import annotations

import numpy as np
import pytest
import tifffile
import zarr
from ome_zarr_models import open_ome_zarr
from ome_zarr_models.v05 import Image as ImageModel
from PIL import Image
from skimage import data
from treadle_tasks_imaging.ngff import read_image
from treadle_tasks_imaging.tasks.import_images import import_images
from treadle_tasks_imaging.tasks.import_images_init import import_images_init


def test_pixels_of_a_shipped_image_arrive_unchanged(imported):
    image = read_image(imported / "coins.zarr")
    assert image.data.dtype == np.uint8
    np.testing.assert_array_equal(image.data, data.coins())


def test_the_image_is_valid_ome_zarr_with_a_halving_pyramid(imported):
    group = zarr.open_group(imported / "coins.zarr", mode="r")
    assert isinstance(open_ome_zarr(group), ImageModel)
    assert [group[str(level)].shape for level in range(4)] == [(303, 384), (152, 192), (76, 96), (38, 48)]
    coarse = group["3"][...].astype(float)
    assert coarse.mean() == pytest.approx(data.coins().mean(), rel=0.02)


def test_the_unit_reports_what_the_image_is(tmp_path):
    unit = import_images_init(zarr_dir=str(tmp_path), images=[{"source": "skimage:cell"}])
    assert import_images(**unit["parallelization_list"][0]) == {
        "image_list_updates": [
            {
                "zarr_url": f"{tmp_path}/cell.zarr",
                "attributes": {"image": "cell", "source": "skimage:cell", "plane": "luminance"},
                "types": {"is_3D": False},
            }
        ]
    }


def test_the_nuclear_stain_is_dense_where_nuclei_are_blue(imported):
    """Hematoxylin stains nuclei blue-violet; the DAB of the same section is brown."""
    density = read_image(imported / "nuclei.zarr").data
    colours = data.immunohistochemistry().astype(float)
    assert density.dtype == np.float32
    blueness = colours[..., 2] - colours[..., 0]
    dense = density > np.percentile(density, 95)
    assert blueness[dense].mean() > blueness[~dense].mean() + 25


def test_files_of_a_folder_come_in_order_of_their_names(tmp_path, import_all):
    folder = tmp_path / "pictures"
    folder.mkdir()
    grey = np.arange(64 * 48, dtype=np.uint8).reshape(48, 64)
    for name in ("b.png", "a.tif", "notes.txt"):
        (folder / name).write_text("") if name.endswith("txt") else Image.fromarray(grey).save(folder / name)
    urls = import_all(tmp_path / "zarr", folder=str(folder))
    assert [url.rsplit("/", 1)[1] for url in urls] == ["a.zarr", "b.zarr"]
    for name in ("a", "b"):
        np.testing.assert_array_equal(read_image(tmp_path / "zarr" / f"{name}.zarr").data, grey)


def test_a_stack_keeps_its_planes_and_its_calibration(tmp_path, import_all):
    stack = np.random.default_rng(0).integers(0, 60000, (5, 40, 70), dtype=np.uint16)
    tifffile.imwrite(tmp_path / "stack.tif", stack, metadata={"axes": "ZYX"})
    sources = [{"source": str(tmp_path / "stack.tif")}]
    (url,) = import_all(tmp_path, images=sources, pixel_size=0.25, plane_distance=1.5)
    image = read_image(tmp_path / "stack.zarr")
    np.testing.assert_array_equal(image.data, stack)
    assert (image.axes, image.scale, image.unit) == (("z", "y", "x"), (1.5, 0.25, 0.25), "micrometer")
    assert image.is_3d
    assert url.endswith("stack.zarr")


def test_importing_again_replaces_the_image_and_leaves_nothing_else(tmp_path, import_all):
    import_all(tmp_path, images=[{"source": "skimage:coins", "name": "one"}])
    import_all(tmp_path, images=[{"source": "skimage:cell", "name": "one"}])
    assert read_image(tmp_path / "one.zarr").data.shape == (660, 550)
    assert [path.name for path in tmp_path.iterdir()] == ["one.zarr"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({}, "Nothing to import"),
        ({"images": [{"source": "skimage:nowhere"}]}, "scikit-image ships .*coins"),
        ({"images": [{"source": "/nowhere/a.png"}]}, "/nowhere/a.png: no such file"),
        ({"folder": "/nowhere"}, "/nowhere: not a folder"),
        ({"images": [{"source": "skimage:coins"}, {"source": "skimage:coins"}]}, "image called coins"),
    ],
)
def test_what_cannot_be_imported_is_said_before_any_unit_runs(tmp_path, arguments, words):
    with pytest.raises((ValueError, OSError), match=words):
        import_images_init(zarr_dir=str(tmp_path), **arguments)


def test_a_picture_of_many_channels_is_refused_by_its_axes(tmp_path, import_all):
    pixels = np.zeros((2, 3, 40, 40), np.uint8)
    tifffile.imwrite(tmp_path / "many.tif", pixels, photometric="minisblack", metadata={"axes": "CZYX"})
    with pytest.raises(ValueError, match="axes CZYX"):
        import_all(tmp_path, images=[{"source": str(tmp_path / "many.tif")}])
