"""Datasets: items, the folder they lie in, and their JSON (Fractal 1.7)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Self

from pydantic import (
    AfterValidator,
    ConfigDict,
    Field,
    JsonValue,
    TypeAdapter,
    ValidationError,
    model_validator,
)

from treadle.errors import DatasetInvalid
from treadle.model.constrained import Attributes, ItemUrl, Text, Types, Value
from treadle.model.problems import found, listed, problem, problems_of
from treadle.model.urls import is_inside


def _plain_name(name: str) -> str:
    if not re.fullmatch(r"[\w. -]+", name):
        raise ValueError(f"may hold letters, digits, '_', '.', '-' and spaces only, found {name!r}")
    return name


DatasetName = Annotated[Text, AfterValidator(_plain_name)]


class Item(Value):
    """One thing that tasks work on, as a rule an image.

    Attributes:
        zarr_url: Where it is; its name in the dataset.
        origin: The item it was made from.
        attributes: What it is, by name: plate, well, channel.
        types: What has been done to it: a type that it lacks counts as false.
    """

    model_config = ConfigDict(extra="ignore")

    zarr_url: ItemUrl
    origin: ItemUrl | None = None
    attributes: Attributes = Field(default_factory=dict)
    types: Types = Field(default_factory=dict)


class Dataset(Value):
    """Items with unique URLs, all strictly inside one folder."""

    name: DatasetName
    zarr_dir: ItemUrl
    items: tuple[Item, ...] = ()

    @model_validator(mode="after")
    def _holds_its_items(self) -> Self:
        problems = _item_problems(self.zarr_dir, dict(enumerate(self.items)))
        if problems:
            raise ValueError("; ".join(problems))
        return self


def dataset_from_json(data: object) -> Dataset:
    """Read a dataset's JSON; keys that are not a dataset's are ignored.

    Raises:
        DatasetInvalid: Names every problem with its place.
    """
    if not isinstance(data, dict):
        raise DatasetInvalid(f"A dataset must be an object, found {found(data)}.")
    problems: list[str] = []
    name = _field("name", _NAME, data, problems)
    zarr_dir = _field("zarr_dir", _FOLDER, data, problems)
    items = _read_items(data.get("images", []), problems)
    if zarr_dir is not None:
        problems += _item_problems(zarr_dir, items)
    if problems or name is None or zarr_dir is None:
        raise DatasetInvalid(listed("The dataset is not valid", problems))
    return Dataset(name=name, zarr_dir=zarr_dir, items=tuple(items.values()))


def dataset_to_json(dataset: Dataset) -> dict[str, JsonValue]:
    """Write a dataset as Fractal does."""
    return {
        "name": dataset.name,
        "zarr_dir": dataset.zarr_dir,
        "images": [item.model_dump(mode="json") for item in dataset.items],
    }


_NAME = TypeAdapter[str](DatasetName)
_FOLDER = TypeAdapter[str](ItemUrl)


def _field(key: str, kind: TypeAdapter[str], data: Mapping[str, object], problems: list[str]) -> str | None:
    if key not in data:
        problems.append(problem([key], "is required"))
        return None
    try:
        return kind.validate_python(data[key])
    except ValidationError as error:
        problems += problems_of(error, key)
        return None


def _read_items(images: object, problems: list[str]) -> dict[int, Item]:
    if not isinstance(images, list):
        problems.append(problem(["images"], f"must be a list, found {found(images)}"))
        return {}
    items = {}
    for index, image in enumerate(images):
        try:
            items[index] = Item.model_validate(image)
        except ValidationError as error:
            problems += problems_of(error, f"images[{index}]")
    return items


def _item_problems(zarr_dir: str, items: Mapping[int, Item]) -> list[str]:
    problems = []
    first: dict[str, int] = {}
    for index, item in items.items():
        at: list[str | int] = ["images", index, "zarr_url"]
        if not is_inside(item.zarr_url, zarr_dir):
            problems.append(problem(at, f"{item.zarr_url!r} is not inside the dataset's folder {zarr_dir!r}"))
        if first.setdefault(item.zarr_url, index) != index:
            problems.append(problem(at, f"{item.zarr_url!r} is that of images[{first[item.zarr_url]}] too"))
    return problems
