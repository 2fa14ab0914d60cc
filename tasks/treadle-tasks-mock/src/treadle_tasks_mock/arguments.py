"""What a task takes: names, JSON Schemas, defaults, and how given arguments are completed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

NUMBER = {"type": "number", "minimum": 0}
COUNT = {"type": "integer", "minimum": 0}
TEXT = {"anyOf": [{"type": "string"}, {"type": "null"}]}
FLAG = {"type": "boolean"}
TEXTS = {"type": "array", "items": {"type": "string"}}
TYPES = {"type": "object", "additionalProperties": {"type": "boolean"}}
ATTRIBUTES = {"type": "object", "additionalProperties": {"type": ["string", "number", "boolean", "null"]}}

SUPPLIED = {
    "zarr_dir": ({"type": "string"}, "Folder of the dataset; the engine gives it."),
    "zarr_urls": (TEXTS, "The items; the engine gives them."),
    "zarr_url": ({"type": "string"}, "The item; the engine gives it."),
    "init_args": ({"type": "object"}, "What the first part wrote for this unit; the engine gives it."),
}
"""Arguments that the engine supplies: schema and description."""


@dataclass(frozen=True)
class Argument:
    """An argument that a user may give.

    Attributes:
        name: Its name.
        schema: JSON Schema of its value.
        default: Value if it is not given.
        description: What it does, in a sentence.
    """

    name: str
    schema: Mapping[str, Any]
    default: Any
    description: str


def args_schema(title: str, supplied: Iterable[str], arguments: Iterable[Argument]) -> dict[str, Any]:
    """JSON Schema of all arguments of one executable, the engine's included."""
    properties = {}
    for name in supplied:
        schema, description = SUPPLIED[name]
        properties[name] = {**schema, "title": _title(name), "description": description}
    for argument in arguments:
        properties[argument.name] = {
            **argument.schema,
            "title": _title(argument.name),
            "description": argument.description,
            "default": argument.default,
        }
    return {
        "title": title,
        "type": "object",
        "properties": properties,
        "required": list(supplied),
        "additionalProperties": False,
    }


def complete(
    given: Mapping[str, Any], supplied: Iterable[str], arguments: Iterable[Argument]
) -> SimpleNamespace:
    """Fill in defaults.

    Raises:
        TypeError: An argument is missing or unknown, as Python says it of a function.
    """
    defaults = {argument.name: argument.default for argument in arguments}
    missing = sorted(set(supplied) - set(given))
    unknown = sorted(set(given) - set(supplied) - set(defaults))
    if missing:
        raise TypeError(f"missing arguments: {', '.join(missing)}")
    if unknown:
        raise TypeError(f"unexpected arguments: {', '.join(unknown)}")
    return SimpleNamespace(**{**defaults, **given})


def _title(name: str) -> str:
    return name.replace("_", " ").capitalize()
