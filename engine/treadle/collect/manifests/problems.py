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


class ProblemsFound(Exception):
    """What is wrong, one by one: the cause of a `ManifestInvalid` that tells all of it as text."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__(*map(str, problems))
        self.problems = tuple(problems)


def raise_all(summary: str, problems: Sequence[Problem]) -> None:
    """Raise one error that tells everything, if anything is wrong.

    Raises:
        ManifestInvalid: There are problems; its cause holds them one by one.
    """
    if problems:
        details = [problem.detail.strip() for problem in problems if problem.detail]
        what = listed(summary, [str(problem) for problem in problems])
        raise ManifestInvalid(what, detail="\n\n".join(details)) from ProblemsFound(problems)


def problems_of(error: Exception) -> tuple[Problem, ...]:
    """The problems that an error tells of, one by one; none where it tells of something else."""
    return error.__cause__.problems if isinstance(error.__cause__, ProblemsFound) else ()
