"""The one place where pydantic's findings become sentences that say what is wrong, and where."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence

from pydantic import ValidationError

_PLAIN_KEY = re.compile(r"[A-Za-z0-9_-]+")


def found(value: object) -> str:
    """Name the kind of a JSON value, as a person would."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, int | float):
        return "a number"
    if isinstance(value, str):
        return "a string" if value.strip() else "an empty string"
    if isinstance(value, list | tuple):
        return "a list"
    return "an object"


def place(path: Sequence[str | int], within: str = "") -> str:
    """Spell a path into a JSON value: `task_list[2].type`."""
    spelled = within
    for key in path:
        if isinstance(key, int):
            spelled += f"[{key}]"
        elif not _PLAIN_KEY.fullmatch(key):
            spelled += f"[{json.dumps(key)}]"
        else:
            spelled += f".{key}" if spelled else key
    return spelled


def problem(path: Sequence[str | int], text: str, within: str = "") -> str:
    """Join a place and what is wrong there."""
    where = place(path, within)
    return f"{where}: {text}" if where else text


def problems_of(error: ValidationError, within: str = "") -> list[str]:
    """Say everything that pydantic found, one sentence each.

    Args:
        error: What pydantic raised.
        within: Place of the validated value in what the user gave.
    """
    sentences = []
    for line in error.errors(include_url=False):
        path = [key for key in line["loc"] if key != "[key]"]
        sentences.append(
            problem(path, _sentence(line["type"], line.get("ctx", {}), line["input"], line["msg"]), within)
        )
    return sentences


def listed(summary: str, problems: Sequence[str]) -> str:
    """Put problems under the sentence that says what they are problems of."""
    return "\n  - ".join([f"{summary}:", *problems])


def _sentence(kind: str, context: Mapping[str, object], value: object, message: str) -> str:
    if kind in _EXPECTED:
        return f"must be {_EXPECTED[kind]}, found {found(value)}"
    if kind in _SENTENCES:
        return _SENTENCES[kind](context)
    if kind == "value_error":
        return str(context["error"])
    return message


def _one_of(context: Mapping[str, object]) -> str:
    return f"must be one of {str(context['expected']).replace(' or ', ', ')}"


_EXPECTED = {
    "string_type": "a string",
    "bool_type": "true or false",
    "int_type": "a whole number",
    "dict_type": "an object",
    "model_type": "an object",
    "model_attributes_type": "an object",
    "list_type": "a list",
    "tuple_type": "a list",
    "string_too_short": "a non-empty string",
}

_SENTENCES: dict[str, Callable[[Mapping[str, object]], str]] = {
    "missing": lambda _: "is required",
    "extra_forbidden": lambda _: "is not a known key",
    "enum": _one_of,
    "literal_error": _one_of,
    "greater_than_equal": lambda context: f"must be {context['ge']} or more",
}
