"""What units return, and its validation (Fractal 1.4); `pictures` are our own addition."""

from __future__ import annotations

from typing import Annotated, TypeVar

from pydantic import AfterValidator, BeforeValidator, Field, JsonValue, ValidationError

from treadle.errors import OutputInvalid
from treadle.model.constrained import ItemUrl, JsonObject, NullableAttributes, Text, Types, Value
from treadle.model.problems import found, listed, problems_of

OUTPUT_KEYS_VARIABLE = "TASK_OUTPUT_KEYS"
"""Environment variable that tells a task which keys its engine takes beyond those of the contract."""
OUTPUT_KEYS = "pictures"
"""Its value: names that are separated by commas. An engine that takes none does not set it."""
MOST_PICTURES = 100
"""How many pictures one unit may declare."""


class ItemUpdate(Value):
    """A new item, or what changes in one; an attribute that is null is removed."""

    zarr_url: ItemUrl
    origin: ItemUrl | None = None
    attributes: NullableAttributes = Field(default_factory=dict)
    types: Types = Field(default_factory=dict)


def _local(url: str) -> str:
    if not url.startswith("/"):
        raise ValueError(f"must be an absolute path, found {url!r}")
    return url


def _picture(value: object) -> object:
    return {"path": value} if isinstance(value, str) else value


class Picture(Value):
    """A picture that a unit wrote, for people to see; a path alone is one without a title."""

    path: Annotated[ItemUrl, AfterValidator(_local)]
    title: Text | None = None


class UnitOutput(Value):
    """What a unit says about the dataset: nothing, as a rule, if it works in place.

    Attributes:
        image_list_updates: Items that are new or changed.
        image_list_removals: Items that are gone.
        value: What a plain function returned, for whoever called it; the dataset has nothing of it.
        pictures: What it shows people, which says nothing about the dataset either.
    """

    image_list_updates: tuple[ItemUpdate, ...] = ()
    image_list_removals: tuple[ItemUrl, ...] = ()
    value: JsonValue = None
    pictures: Annotated[
        tuple[Annotated[Picture, BeforeValidator(_picture)], ...], Field(max_length=MOST_PICTURES)
    ] = ()


class InitItem(Value):
    """One unit that the init call of a compound task asks for."""

    zarr_url: ItemUrl
    init_args: JsonObject = Field(default_factory=dict)


class InitOutput(Value):
    """The units that the init call of a compound task asks for."""

    parallelization_list: tuple[InitItem, ...] = ()


def parse_unit_output(value: object) -> UnitOutput:
    """Read what a unit returned; None is success without updates.

    Raises:
        OutputInvalid: Names every problem with its place.
    """
    return _NOTHING_SAID if value is None else _parse(UnitOutput, value)


def parse_init_output(value: object) -> InitOutput:
    """Read what the init call of a compound task returned; None asks for no units.

    Raises:
        OutputInvalid: Names every problem with its place.
    """
    return _parse(InitOutput, value)


_NOTHING_SAID = UnitOutput()
_Output = TypeVar("_Output", UnitOutput, InitOutput)


def _parse(kind: type[_Output], value: object) -> _Output:
    if value is None:
        return kind()
    if not isinstance(value, dict):
        raise OutputInvalid(f"A unit must return an object or null, found {found(value)}.")
    try:
        return kind.model_validate(value)
    except ValidationError as error:
        raise OutputInvalid(listed("What the unit returned is not valid", problems_of(error))) from error
