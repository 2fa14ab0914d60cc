"""Types that several models share: trimmed texts, JSON objects with trimmed keys, scalars and item URLs."""

from __future__ import annotations

import math
from typing import Annotated, TypeAlias

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    JsonValue,
    StrictBool,
    StringConstraints,
)

from treadle.model.urls import normalise_url

Scalar: TypeAlias = bool | int | float | str


class Value(BaseModel):
    """Base of the models: frozen, of finite numbers, without unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


def trim_keys(value: object) -> object:
    """Trim the keys of an object; an empty key, or two that become equal, is an error (Fractal 1.1)."""
    if not isinstance(value, dict):
        return value
    _check_keys(value, "")
    trimmed: dict[str, object] = {}
    for key, element in value.items():
        name = key.strip()
        if not name:
            raise ValueError("has an empty key")
        if name in trimmed:
            raise ValueError(f"has the key {name!r} twice, once spaces around it are trimmed")
        trimmed[name] = element
    return trimmed


def check_json(value: object) -> object:
    """Refuse what JSON cannot hold, naming the place inside the value."""
    _check_json(value, "")
    return value


def _check_json(value: object, place: str) -> None:
    if isinstance(value, dict):
        _check_keys(value, place)
        for key, element in value.items():
            _check_json(element, f"{place}.{key}")
    elif isinstance(value, list | tuple):
        for index, element in enumerate(value):
            _check_json(element, f"{place}[{index}]")
    elif isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(f"holds {value}{_at(place)}, which is no JSON number")
    elif value is not None and not isinstance(value, str | int):
        raise ValueError(f"holds a {type(value).__name__}{_at(place)}, which is no JSON value")


def _check_keys(value: dict[object, object], place: str) -> None:
    others = [key for key in value if not isinstance(key, str)]
    if others:
        raise ValueError(f"has the key {others[0]!r}{_at(place)}, which is not a string")


def _at(place: str) -> str:
    return f" at {place.lstrip('.')}" if place else ""


def _scalar(value: object) -> object:
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError("must be a finite number")
    if isinstance(value, bool | int | float | str):
        return value
    raise ValueError("must be a string, a number, true or false")


def _nullable_scalar(value: object) -> object:
    return None if value is None else _scalar(value)


Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
ItemUrl = Annotated[str, AfterValidator(normalise_url)]
ScalarField = Annotated[Scalar, BeforeValidator(_scalar)]
NullableScalarField = Annotated[Scalar | None, BeforeValidator(_nullable_scalar)]
JsonObject = Annotated[dict[str, JsonValue], BeforeValidator(trim_keys), BeforeValidator(check_json)]
Schema = Annotated[dict[str, JsonValue], BeforeValidator(check_json)]
Types = Annotated[dict[str, StrictBool], BeforeValidator(trim_keys)]
Attributes = Annotated[dict[str, ScalarField], BeforeValidator(trim_keys)]
NullableAttributes = Annotated[dict[str, NullableScalarField], BeforeValidator(trim_keys)]
