"""Datasets and their JSON."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from pydantic import ValidationError

from treadle.errors import DatasetInvalid
from treadle.model.dataset import Dataset, Item, dataset_from_json, dataset_to_json
from treadle.testing import strategies


def a_document(*images: object, **fields: object) -> dict[str, object]:
    return {"name": "d", "zarr_dir": "/data", "images": list(images), **fields}


def refusal(document: object) -> str:
    with pytest.raises(DatasetInvalid) as caught:
        dataset_from_json(document)
    return str(caught.value)


@given(strategies.datasets())
def test_what_was_exported_is_imported_unchanged(dataset: Dataset) -> None:
    again = dataset_from_json(json.loads(json.dumps(dataset_to_json(dataset))))
    assert again == dataset
    assert repr(again) == repr(dataset), "true, 1 and 1.0 stay what they are"


@given(strategies.datasets())
def test_a_dataset_survives_its_way_through_json(dataset: Dataset) -> None:
    assert repr(Dataset.model_validate_json(dataset.model_dump_json())) == repr(dataset)


def test_an_export_has_fractals_form() -> None:
    item = Item(zarr_url="/data/a", attributes={"well": "A01"}, types={"3D": True})
    assert dataset_to_json(Dataset(name="d", zarr_dir="/data", items=(item,))) == {
        "name": "d",
        "zarr_dir": "/data",
        "images": [
            {"zarr_url": "/data/a", "origin": None, "attributes": {"well": "A01"}, "types": {"3D": True}}
        ],
    }


def test_an_import_ignores_the_keys_of_older_and_newer_exports() -> None:
    document = a_document(
        {"zarr_url": "/data/a", "has_warnings": False}, filters={"types": {}}, attribute_filters={}
    )
    assert [item.zarr_url for item in dataset_from_json(document).items] == ["/data/a"]


def test_a_dataset_may_begin_without_images() -> None:
    assert dataset_from_json({"name": "d", "zarr_dir": "s3://bucket/key/"}) == Dataset(
        name="d", zarr_dir="s3://bucket/key"
    )


@pytest.mark.parametrize(
    ("image", "problem"),
    [
        ({"zarr_url": "/data2/a"}, "zarr_url: '/data2/a' is not inside the dataset's folder '/data'"),
        ({"zarr_url": "/data"}, "zarr_url: '/data' is not inside the dataset's folder '/data'"),
        ({"zarr_url": "/data/../etc"}, "zarr_url: must not have a '..' component"),
        ({"zarr_url": "data/a"}, "zarr_url: must start with '/' or 's3://'"),
        ({"zarr_url": " "}, "zarr_url: must not be empty"),
        ({"zarr_url": None}, "zarr_url: must be a string, found null"),
        ({}, "zarr_url: is required"),
        ({"zarr_url": "/data/a", "origin": "a"}, "origin: must start with"),
        (
            {"zarr_url": "/data/a", "attributes": {"x": None}},
            "attributes.x: must be a string, a number, true or false",
        ),
        (
            {"zarr_url": "/data/a", "attributes": {"x": []}},
            "attributes.x: must be a string, a number, true or false",
        ),
        ({"zarr_url": "/data/a", "attributes": {"x": float("inf")}}, "attributes.x: must be a finite number"),
        ({"zarr_url": "/data/a", "attributes": {"x": 1, "x ": 2}}, "attributes: has the key 'x' twice"),
        ({"zarr_url": "/data/a", "types": {"3D": 1}}, "types.3D: must be true or false, found a number"),
        ({"zarr_url": "/data//first/"}, "zarr_url: '/data/first' is that of images[0] too"),
    ],
)
def test_a_bad_image_is_refused_with_its_place(image: dict[str, object], problem: str) -> None:
    assert f"images[1].{problem}" in refusal(a_document({"zarr_url": "/data/first"}, image))


@pytest.mark.parametrize(
    ("document", "problem"),
    [
        ([], "must be an object, found a list"),
        ({"zarr_dir": "/data"}, "name: is required"),
        ({"name": "d"}, "zarr_dir: is required"),
        ({"name": "a/b", "zarr_dir": "/data"}, "name: may hold letters, digits"),
        ({"name": "a\nb", "zarr_dir": "/data"}, "name: may hold letters, digits"),
        ({"name": " ", "zarr_dir": "/data"}, "name: must be a non-empty string"),
        ({"name": "d", "zarr_dir": "data"}, "zarr_dir: must start with"),
        ({"name": "d", "zarr_dir": "/data", "images": None}, "images: must be a list, found null"),
    ],
)
def test_a_bad_dataset_is_refused(document: object, problem: str) -> None:
    assert problem in refusal(document)


def test_all_problems_are_told_at_once() -> None:
    text = refusal(a_document({"zarr_url": "x"}, {"zarr_url": "/other"}, 3, name=""))
    for place in ["name: ", "images[0].zarr_url: ", "images[1].zarr_url: ", "images[2]: "]:
        assert place in text


def test_a_dataset_made_in_code_keeps_the_rules_of_folders() -> None:
    with pytest.raises(ValidationError, match="is not inside the dataset's folder"):
        Dataset(name="d", zarr_dir="/data", items=(Item(zarr_url="/data2/a"),))
    with pytest.raises(ValidationError, match="too"):
        Dataset(name="d", zarr_dir="/data", items=(Item(zarr_url="/data/a"), Item(zarr_url="/data/a/")))
