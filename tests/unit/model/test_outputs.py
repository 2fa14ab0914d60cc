"""What units return."""

from __future__ import annotations

import json

import pytest
from hypothesis import given

from treadle.errors import OutputInvalid
from treadle.model.outputs import InitOutput, UnitOutput, parse_init_output, parse_unit_output
from treadle.testing import strategies


@given(strategies.unit_outputs())
def test_an_output_survives_its_way_through_json(output: UnitOutput) -> None:
    again = parse_unit_output(json.loads(json.dumps(output.model_dump(mode="json"))))
    assert repr(again) == repr(output)


def test_null_and_an_empty_object_are_success_without_updates() -> None:
    assert parse_unit_output(None) == parse_unit_output({}) == UnitOutput()
    assert parse_init_output(None) == parse_init_output({}) == InitOutput()


def test_values_are_read_and_urls_normalised() -> None:
    output = parse_unit_output(
        {
            "image_list_updates": [
                {
                    "zarr_url": " /d//a/ ",
                    "origin": "s3://b/k/",
                    "attributes": {" x ": None, "y": True},
                    "types": {"t": False},
                }
            ],
            "image_list_removals": ["/d/b/"],
        }
    )
    (update,) = output.image_list_updates
    assert (update.zarr_url, update.origin) == ("/d/a", "s3://b/k")
    assert update.attributes == {"x": None, "y": True}
    assert update.types == {"t": False}
    assert output.image_list_removals == ("/d/b",)


def test_init_items_may_repeat_a_url() -> None:
    output = parse_init_output(
        {"parallelization_list": [{"zarr_url": "/d/a", "init_args": {"c": [1]}}, {"zarr_url": "/d/a"}]}
    )
    assert [item.init_args for item in output.parallelization_list] == [{"c": [1]}, {}]


@pytest.mark.parametrize("value", [[], "x", 3, True])
def test_another_kind_of_value_is_refused(value: object) -> None:
    for parse in (parse_unit_output, parse_init_output):
        with pytest.raises(OutputInvalid, match="must return an object or null, found"):
            parse(value)


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ({"filters": {}}, "filters: is not a known key"),
        ({"image_list_updates": None}, "image_list_updates: must be a list, found null"),
        ({"image_list_removals": "/d/a"}, "image_list_removals: must be a list, found a string"),
        ({"image_list_removals": [3]}, "image_list_removals[0]: must be a string, found a number"),
        ({"image_list_removals": ["a"]}, "image_list_removals[0]: must start with"),
        ({"image_list_updates": [{}]}, "image_list_updates[0].zarr_url: is required"),
        (
            {"image_list_updates": [{"zarr_url": "/d/../a"}]},
            "image_list_updates[0].zarr_url: must not have a '..'",
        ),
        (
            {"image_list_updates": [{"zarr_url": "/d/a", "path": 1}]},
            "image_list_updates[0].path: is not a known key",
        ),
        (
            {"image_list_updates": [{"zarr_url": "/d/a", "attributes": {"x": {}}}]},
            "[0].attributes.x: must be a string, a",
        ),
        (
            {"image_list_updates": [{"zarr_url": "/d/a", "types": {"x": None}}]},
            "[0].types.x: must be true or false",
        ),
        (
            {"image_list_updates": [{"zarr_url": "/d/a", "types": {"x": 1}}]},
            "[0].types.x: must be true or false",
        ),
        ({"parallelization_list": []}, "parallelization_list: is not a known key"),
    ],
)
def test_a_bad_unit_output_is_refused_with_its_place(value: object, problem: str) -> None:
    with pytest.raises(OutputInvalid) as caught:
        parse_unit_output(value)
    assert problem in str(caught.value)


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ({"image_list_updates": []}, "image_list_updates: is not a known key"),
        ({"parallelization_list": None}, "parallelization_list: must be a list, found null"),
        ({"parallelization_list": [{"init_args": {}}]}, "parallelization_list[0].zarr_url: is required"),
        (
            {"parallelization_list": [{"zarr_url": "/d/a", "init_args": None}]},
            "[0].init_args: must be an object",
        ),
        (
            {"parallelization_list": [{"zarr_url": "/d/a", "init_args": {"": 1}}]},
            "[0].init_args: has an empty key",
        ),
        (
            {"parallelization_list": [{"zarr_url": "/d/a", "x": 1}]},
            "parallelization_list[0].x: is not a known key",
        ),
    ],
)
def test_a_bad_init_output_is_refused_with_its_place(value: object, problem: str) -> None:
    with pytest.raises(OutputInvalid) as caught:
        parse_init_output(value)
    assert problem in str(caught.value)


def test_all_problems_are_told_at_once() -> None:
    with pytest.raises(OutputInvalid) as caught:
        parse_unit_output({"image_list_updates": [{"zarr_url": "a"}, {"zarr_url": "/b", "x": 1}], "y": 1})
    assert str(caught.value).count("\n") == 3


def test_pictures_are_paths_with_or_without_a_title() -> None:
    output = parse_unit_output({"pictures": ["/d//a.png", {"path": "/d/b.png", "title": " B "}]})
    assert [(picture.path, picture.title) for picture in output.pictures] == [
        ("/d/a.png", None),
        ("/d/b.png", "B"),
    ]


@pytest.mark.parametrize(
    "pictures",
    [
        ["a.png"],
        ["s3://b/a.png"],
        ["/d/../a.png"],
        [{"title": "x"}],
        [{"path": "/a", "url": "/b"}],
        "/d/a.png",
        ["/a"] * 101,
    ],
)
def test_other_pictures_are_refused(pictures: object) -> None:
    with pytest.raises(OutputInvalid, match="pictures"):
        parse_unit_output({"pictures": pictures})
