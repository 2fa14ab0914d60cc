"""What a docstring says of a function and of its arguments (Google's style)."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator

_SECTION = re.compile(
    r"(Args|Arguments|Parameters|Keyword Args|Other Parameters|Returns?|Yields|Raises|Warns|Warnings?"
    r"|Examples?|Notes?|References|See Also|Todo|Attributes):\s*"
)
_ARGUMENTS = ("Args:", "Arguments:", "Parameters:", "Keyword Args:", "Other Parameters:")
_ENTRY = re.compile(r"\*{0,2}(\w+)\s*(?:\([^)]*\))?\s*:\s*(.*)")


def read_docstring(text: str | None) -> tuple[str, dict[str, str]]:
    """Return what stands before the first section, and the descriptions of arguments by name."""
    lines = inspect.cleandoc(text or "").splitlines()
    starts = [number for number, line in enumerate(lines) if _SECTION.fullmatch(line)]
    first = starts[0] if starts else len(lines)
    descriptions: dict[str, str] = {}
    ends = [*starts[1:], len(lines)]
    for number, start in enumerate(starts):
        if lines[start].strip() in _ARGUMENTS:
            descriptions.update(_entries(lines[start + 1 : ends[number]]))
    return "\n".join(lines[:first]).strip(), descriptions


def _entries(lines: list[str]) -> Iterator[tuple[str, str]]:
    indents = [_indent(line) for line in lines if line.strip()]
    name = ""
    words: list[str] = []
    for line in lines:
        entry = _ENTRY.fullmatch(line.strip()) if indents and _indent(line) == indents[0] else None
        if entry:
            if name:
                yield name, " ".join(words)
            name, words = entry[1], []
            line = entry[2]  # noqa: PLW2901 - the rest of it is the first line of the text
        if line.strip():
            words.append(line.strip())
    if name:
        yield name, " ".join(words)


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())
