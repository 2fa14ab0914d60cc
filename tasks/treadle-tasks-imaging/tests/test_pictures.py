from __future__ import annotations

import numpy as np
import pytest
from PIL import Image
from treadle_tasks_imaging.pictures import draw_overlay
from treadle_tasks_imaging.tasks.contact_sheet import contact_sheet
from treadle_tasks_imaging.tasks.overlay_picture import overlay_picture


def coloured(picture):
    return np.ptp(picture.astype(int), axis=2) > 0


def test_outlines_run_just_outside_a_region_and_nowhere_else():
    labels = np.zeros((40, 40), np.uint32)
    labels[10:20, 10:20] = 1
    outline = coloured(draw_overlay(np.arange(1600).reshape(40, 40), labels, longer_side=0, thickness=1))
    expected = np.zeros((40, 40), bool)
    expected[9:21, 9:21] = True
    expected[10:20, 10:20] = False
    np.testing.assert_array_equal(outline, expected)


def test_touching_regions_are_told_apart():
    labels = np.zeros((40, 40), np.uint32)
    labels[10:30, 10:20], labels[10:30, 20:30] = 1, 2
    outline = coloured(draw_overlay(np.arange(1600).reshape(40, 40), labels, longer_side=0, thickness=1))
    assert outline[11:29, 19].all()


def test_small_images_are_enlarged_by_a_whole_factor():
    plane = np.arange(1200).reshape(30, 40)
    assert draw_overlay(plane, np.zeros_like(plane), longer_side=100, thickness=1).shape == (90, 120, 3)


def test_the_overlay_shows_the_coins_and_says_how_many(segmented):
    overlay_picture(zarr_url=str(segmented))
    with Image.open(segmented.parent / "overlays" / "coins_corrected.png") as picture:
        assert picture.size == (1152, 909)
        assert picture.info["Title"] == "coins_corrected: 24 regions"
        share = coloured(np.asarray(picture)).mean()
    assert 0.01 < share < 0.05


def test_the_sheet_holds_every_overlay_in_order(segmented, tmp_path):
    overlay_picture(zarr_url=str(segmented))
    urls = [str(segmented)] * 4
    contact_sheet(zarr_dir=str(tmp_path), zarr_urls=urls, columns=3, tile_size=100, title="Coins")
    with Image.open(tmp_path / "contact_sheet.png") as sheet:
        pixels = np.asarray(sheet)
    assert pixels.shape == (70 + 2 * 142, 14 + 3 * 114, 3)
    dark = (pixels < 100).all(axis=2)
    assert dark[100:150, 20:100].mean() > 0.3, "the first tile shows an image"
    assert dark[240:300, 20:100].mean() > 0.3, "so does the fourth, in the second row"
    assert not dark[230:320, 140:340].any(), "the fifth place is empty"


def test_the_sheet_names_images_without_an_overlay(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"x.zarr: run Overlay Picture"):
        contact_sheet(zarr_dir=str(tmp_path), zarr_urls=[str(tmp_path / "x.zarr")])


def test_pictures_are_declared_only_to_engines_that_take_them(segmented, tmp_path, monkeypatch):
    assert overlay_picture(zarr_url=str(segmented)) is None
    assert contact_sheet(zarr_dir=str(tmp_path), zarr_urls=[str(segmented)], title="Coins") is None

    monkeypatch.setenv("TASK_OUTPUT_KEYS", "pictures,others")
    overlay = overlay_picture(zarr_url=str(segmented))
    sheet = contact_sheet(zarr_dir=str(tmp_path), zarr_urls=[str(segmented)], title="Coins")

    path = segmented.parent / "overlays" / "coins_corrected.png"
    assert overlay == {"pictures": [{"path": str(path), "title": "coins_corrected: 24 regions"}]}
    assert sheet == {"pictures": [{"path": str(tmp_path / "contact_sheet.png"), "title": "Coins"}]}
