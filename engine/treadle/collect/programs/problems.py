"""What is wrong with a function as a task, and where it stands."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

Problem = dict[str, Any]
"""`what`, `file` and `line` (both may be null), and `detail`: another program's own text, or nothing."""


def problem(what: str, file: str | None = None, line: int | None = None, detail: str = "") -> Problem:
    """Put together one problem."""
    return {"what": what, "file": file, "line": line, "detail": detail}


def place_of(function: Callable[..., object] | None) -> tuple[str | None, int | None]:
    """Return file and line of a function's definition, below what decorates it."""
    code = getattr(inspect.unwrap(function), "__code__", None) if function else None
    return (None, None) if code is None else (code.co_filename, _line(code))


def _line(code: Any) -> int:
    """Return the line of the word `def`: that of the code may be its first decorator's."""
    try:
        lines, first = inspect.getsourcelines(code)
    except (OSError, TypeError):
        return int(code.co_firstlineno)
    for offset, text in enumerate(lines):
        if text.lstrip().startswith("def "):
            return first + offset
    return int(code.co_firstlineno)
