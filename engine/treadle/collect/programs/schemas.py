"""The JSON Schema of a function's arguments, as pydantic makes it."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable
from typing import Any

import pydantic
import pydantic_core
from pydantic.fields import FieldInfo

from .signatures import default_of


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
        if name in descriptions:
            described.setdefault("description", descriptions[name])
        if isinstance(parameter.default, FieldInfo) and parameter.default.default_factory is not None:
            described.setdefault("default", pydantic_core.to_jsonable_python(default_of(parameter)))
    schema["title"] = "".join(word.capitalize() for word in function.__name__.split("_"))
    return schema
