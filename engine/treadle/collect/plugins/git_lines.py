"""Lines that name git repositories of plugins (QHAna 3.2, 5.4): as pip writes addresses, or as ssh does."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from treadle.collect.credentials import without_credentials
from treadle.collect.sources.git_url import GitUrl, parse_git_url
from treadle.errors import SourceInvalid

_AS_SSH_DOES = re.compile(r"git\+(?P<host>[\w.-]+@[\w.-]+):(?P<path>[^/\s][^\s]*)")


@dataclass(frozen=True, slots=True)
class GitLine:
    """One line that names a repository, or a folder or file in one.

    Attributes:
        number: Which line it is, from 1 on.
        place: What it names.
    """

    number: int
    place: GitUrl

    def at(self, ref: str | None, path: str = "") -> str:
        """A place in its repository as it is shown and stored, at this reference, without credentials."""
        return str(replace(self.place, ref=ref, subdirectory="" if path == "." else path))

    def __str__(self) -> str:
        return str(self.place)


@dataclass(frozen=True, slots=True)
class LineProblem:
    """A line that names no repository: its number, its text without credentials, and why."""

    number: int
    text: str
    problem: str


def parse_git_lines(lines: Sequence[str]) -> tuple[list[GitLine], list[LineProblem]]:
    """Read lines; an empty one says nothing, and one that cannot be read hinders no other."""
    good, bad = [], []
    for number, line in enumerate(lines, start=1):
        text = line.strip()
        if not text:
            continue
        try:
            good.append(GitLine(number, parse_git_url(_as_address(text))))
        except SourceInvalid as error:
            bad.append(LineProblem(number, without_credentials(text), str(error)))
    return good, bad


def _as_address(text: str) -> str:
    """Write `git+user@host:path` as the address that git takes it for."""
    match = _AS_SSH_DOES.fullmatch(text)
    return text if match is None else f"git+ssh://{match['host']}/{match['path']}"
