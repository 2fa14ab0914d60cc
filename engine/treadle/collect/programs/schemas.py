"""The JSON Schema of a function's arguments, as pydantic makes it."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable
from typing import Any

import pydantic
import pydantic_core
from pydantic.fields import FieldInfo

from .signatures import annotation_of, default_of


def args_schema(function: Callable[..., object], descriptions: dict[str, str]) -> dict[str, Any]:
    """Return the schema of all arguments, those of the engine too.

    Args:
        function: A function without problems.
        descriptions: What the docstring says of arguments; a description of pydantic's goes first.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        adapter: pydantic.TypeAdapter[Any] = pydantic.TypeAdapter(function)  # type: ignore[arg-type]  # its call
        schema = adapter.json_schema()
    properties = schema.setdefault("properties", {})
    for name, parameter in inspect.signature(function).parameters.items():
        described = properties.get(name)
        if described is None:
            continue
        description = _field_description(function, name) or descriptions.get(name)
        if description:
            described.setdefault("description", description)
        if isinstance(parameter.default, FieldInfo) and parameter.default.default_factory is not None:
            described.setdefault("default", pydantic_core.to_jsonable_python(default_of(parameter)))
    schema["title"] = "".join(word.capitalize() for word in function.__name__.split("_"))
    return schema


def _field_description(function: Callable[..., object], name: str) -> str | None:
    """Return what a `Field` says of an argument: earlier versions of pydantic keep it to themselves."""
    default = inspect.signature(function).parameters[name].default
    fields = [*getattr(annotation_of(function, name), "__metadata__", ()), default]
    return next((field.description for field in fields if isinstance(field, FieldInfo)), None)
