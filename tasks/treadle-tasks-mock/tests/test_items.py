from __future__ import annotations

import json
from pathlib import Path


def test_create_items_makes_folders_and_reports_them(run, tmp_path):
    done = run(
        "create_items",
        zarr_dir=str(tmp_path),
        count=2,
        prefix="a",
        attributes={"well": "B03"},
        types={"x": True},
    )
    urls = [f"{tmp_path}/a_0000", f"{tmp_path}/a_0001"]
    assert done.output == {
        "image_list_updates": [
            {"zarr_url": url, "attributes": {"index": index, "well": "B03"}, "types": {"x": True}}
            for index, url in enumerate(urls)
        ]
    }
    assert json.loads((Path(urls[1]) / "data.json").read_text()) == {"index": 1}


def test_create_items_apart_makes_one_in_each_unit(run, tmp_path):
    units = run("create_items_apart_init", zarr_dir=str(tmp_path), count=2).output["parallelization_list"]
    assert units == [
        {"zarr_url": f"{tmp_path}/item_000{index}", "init_args": {"index": index}} for index in range(2)
    ]
    assert list(tmp_path.glob("item_*")) == []
    done = run("create_items_apart", **units[1])
    assert done.output["image_list_updates"] == [
        {"zarr_url": units[1]["zarr_url"], "attributes": {"index": 1}, "types": {}}
    ]
    assert [path.name for path in tmp_path.glob("item_*")] == ["item_0001"]


def test_derive_item_reports_the_origin(run, item):
    done = run("derive_item", zarr_url=item, suffix="_x")
    assert done.output["image_list_updates"] == [
        {"zarr_url": item + "_x", "origin": item, "attributes": {}, "types": {}}
    ]
    assert json.loads((Path(item + "_x") / "data.json").read_text()) == {"origin": "item_0000"}


def test_act_on_parts_repeats_each_item(run):
    given = {"zarr_dir": "/d", "zarr_urls": ["/d/a", "/d/b"]}
    units = run("act_on_parts_init", **given, parts=2).output["parallelization_list"]
    assert units == [
        {"zarr_url": f"/d/{name}", "init_args": {"part": part}} for name in "ab" for part in (0, 1)
    ]
    assert run("act_on_parts_init", **given, parts=0).output == {"parallelization_list": []}


def test_remove_items_takes_the_chosen_ones(run, item):
    urls = [item, "/d/other"]
    done = run("remove_items", zarr_dir="/d", zarr_urls=urls, remove=["_0000"], delete_folders=True)
    assert done.output == {"image_list_removals": [item]}
    assert not Path(item).exists()


def test_what_act_tasks_return_is_chosen(run, item):
    assert run("act_on_item", zarr_url=item).out is None
    assert run("act_on_item", zarr_url=item, output="null").out == "null"
    assert run("act_on_item", zarr_url=item, output="empty").out == "{}"
    done = run(
        "act_on_all_items",
        zarr_dir="/d",
        zarr_urls=["/d/a", "/d/b"],
        output="updates",
        attributes={"a": None},
    )
    assert done.output["image_list_updates"] == [
        {"zarr_url": f"/d/{name}", "attributes": {"a": None}, "types": {}} for name in "ab"
    ]
