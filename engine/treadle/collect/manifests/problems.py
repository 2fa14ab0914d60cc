"""What is wrong with a task package, and where."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from treadle.errors import ManifestInvalid
from treadle.model.problems import listed


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong.

    Attributes:
        what: What is wrong, in one sentence.
        place: File, and the line if it is known as `file:line`; empty if there is no such place.
        detail: Another program's own text, or nothing.
    """

    what: str
    place: str = ""
    detail: str = ""

    def __str__(self) -> str:
        return f"{self.place}: {self.what}" if self.place else self.what


def place(file: str | None, line: int | None, folders: Iterable[Path]) -> str:
    """Spell a place; a file in one of the folders is named by its path in there."""
    if file is None:
        return ""
    path = Path(file)
    shown = next((path.relative_to(folder) for folder in folders if path.is_relative_to(folder)), path)
    return str(shown) if line is None else f"{shown}:{line}"


class ProblemsFound(ManifestInvalid):
    """Something cannot be a task package.

    Args:
        summary: What cannot be, of which package.
        problems: Everything that is wrong.
    """

    def __init__(self, summary: str, problems: Sequence[Problem]) -> None:
        details = [problem.detail.strip() for problem in problems if problem.detail]
        super().__init__(listed(summary, [str(problem) for problem in problems]), detail="\n\n".join(details))
        self.problems = tuple(problems)
