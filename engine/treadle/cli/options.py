"""Options that several commands share, and how their text is read."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from treadle.errors import UsageError

if TYPE_CHECKING:
    from treadle.model.filters import AttributeFilters

RunNumber = Annotated[int, typer.Argument(metavar="RUN", help="Number of the run.")]
FirstStep = Annotated[
    str | None, typer.Option("--from", metavar="STEP", help="Leave out the steps before this one.")
]
LastStep = Annotated[
    str | None, typer.Option("--to", metavar="STEP", help="Leave out the steps after this one.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]

Scalar = str | int | float | bool


def attribute_filters(words: Sequence[str]) -> AttributeFilters:
    """Read `key=value` words; the values of one key that occurs more than once are alternatives.

    A value that reads as a JSON number, true, false or a string in quotes is that; any other is text.

    Raises:
        UsageError: A word has no key or no value.
        WorkflowInvalid: The values of one key are of different types.
    """
    from treadle.model.filters import attribute_filters_from_json

    filters: dict[str, list[Scalar]] = {}
    for word in words:
        key, value = _pair(word, "--where", "plate=A1")
        filters.setdefault(key, []).append(_scalar(value))
    return attribute_filters_from_json(filters)


def type_filters(words: Sequence[str]) -> dict[str, bool]:
    """Read `name=true` and `name=false` words.

    Raises:
        UsageError: A word is of another form, or a name occurs twice.
    """
    filters: dict[str, bool] = {}
    for word in words:
        name, value = _pair(word, "--type", "is_3D=false")
        if value not in {"true", "false"} or name in filters:
            problem = f"gives {name!r} twice" if name in filters else "is neither true nor false"
            raise UsageError(
                f"--type {word} {problem}.", remedy="Give each type once, as in --type is_3D=false."
            )
        filters[name] = value == "true"
    return filters


def _pair(word: str, option: str, example: str) -> tuple[str, str]:
    key, equals, value = word.partition("=")
    if not (key.strip() and equals and value.strip()):
        raise UsageError(
            f"{option} {word!r} is not of the form name=value.", remedy=f"Write {option} {example}."
        )
    return key.strip(), value.strip()


def _scalar(text: str) -> Scalar:
    try:
        value = json.loads(text, parse_constant=lambda _: text)
    except ValueError:
        return text
    return value if isinstance(value, str | int | float) else text
