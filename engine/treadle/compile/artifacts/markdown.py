"""Text of others within markdown: nothing in it is taken for markdown, HTML or a link."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>|#!~&$])")


def plain(value: object) -> str:
    """Return text that shows as it is, on one line."""
    return _SPECIAL.sub(r"\\\1", " ".join(str(value).split()))


def code(value: object) -> str:
    """Return a word or command as code within a line."""
    text = " ".join(str(value).split())
    ticks = "`" * (_longest_run(text) + 1)
    space = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{ticks}{space}{text}{space}{ticks}"


def block(text: str) -> str:
    """Return lines as a block of code."""
    fence = "`" * max(3, _longest_run(text) + 1)
    return f"{fence}\n{text}\n{fence}"


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table; cells are markdown."""
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def link(text: str, path: str) -> str:
    """Return a link to a page of ours."""
    return f"[{plain(text)}]({path})"


def picture(title: str, path: str) -> str:
    """Return a picture of ours, shown in the line."""
    return f"![{plain(title)}]({path})"


def clipped(text: str, length: int) -> str:
    """Return text of that length at most."""
    return text if len(text) <= length else text[: length - 1] + "…"


def _longest_run(text: str) -> int:
    return max((len(run) for run in re.findall(r"`+", text)), default=0)
