"""Where a value stands in the text of a JSON document."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence

_DECODER = json.JSONDecoder()
_SPACE = re.compile(r"[ \t\r\n]*")
_KEY = re.compile(r'\.?([A-Za-z0-9_-]+)|\[(\d+)\]|\[("(?:[^"\\]|\\.)*")\]')


def line_of(text: str, place: str) -> int:
    """Return the line of a place such as `task_list[2].type`, or of as much of it as is there.

    Args:
        text: A valid JSON document.
        place: A path as `treadle.model.problems.place` spells it.
    """
    position = _skip(text, 0)
    for key in _path(place):
        found = next((at for name, at in _members(text, position) if name == key), None)
        if found is None:
            break
        position = found
    return text.count("\n", 0, position) + 1


def _path(place: str) -> Iterator[str | int]:
    position = 0
    while match := _KEY.match(place, position):
        plain, index, quoted = match.groups()
        yield int(index) if index else json.loads(quoted) if quoted else plain
        position = match.end()


def _members(text: str, position: int) -> Iterator[tuple[str | int, int]]:
    """Yield keys, or indexes, of the object or list at a position, and where their values begin."""
    if text[position] not in "{[":
        return
    closing = "}" if text[position] == "{" else "]"
    position, index = _skip(text, position + 1), 0
    while text[position] != closing:
        key: str | int = index
        if closing == "}":
            key, position = _DECODER.raw_decode(text, position)
            position = _skip(text, _skip(text, position) + 1)
        yield key, position
        _, position = _DECODER.raw_decode(text, position)
        position = _skip(text, position)
        if text[position] == ",":
            position = _skip(text, position + 1)
        index += 1


def _skip(text: str, position: int) -> int:
    match = _SPACE.match(text, position)
    return match.end() if match else position


def first_line(text: str, patterns: Sequence[str]) -> int | None:
    """Return the first line that matches, each pattern sought behind the line of the one before it."""
    number = 0
    for pattern in patterns:
        lines = text.splitlines()
        number = next((at for at in range(number, len(lines)) if re.match(pattern, lines[at])), -1) + 1
        if number == 0:
            return None
    return number
