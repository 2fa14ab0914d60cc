"""Requirement texts of plugins: the form of a requirements file, without its options."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from treadle.collect.credentials import without_credentials
from treadle.errors import SourceInvalid

_COMMENT = re.compile(r"(^|\s+)#.*$")
_RUNNER = "qhana-plugin-runner"


@dataclass(frozen=True, slots=True)
class RequirementLine:
    """One requirement, and the number of the line that it begins on."""

    number: int
    requirement: Requirement

    @property
    def name(self) -> str:
        """Normalised name of the distribution."""
        return canonicalize_name(self.requirement.name)

    def __str__(self) -> str:
        return f"line {self.number}, {without_credentials(str(self.requirement))}"


def parse_requirements(text: str) -> list[RequirementLine]:
    """Read a requirement text: comments, continued lines, extras and markers as pip reads them.

    The plugin runner itself is left out: Treadle has what plugins import from it.

    Raises:
        SourceInvalid: A line is no requirement, or an option of pip; names every such line.
    """
    good, bad = [], []
    for number, line in _logical_lines(text):
        try:
            found = RequirementLine(number, _requirement(line))
        except ValueError as error:
            bad.append(f"Line {number}, {without_credentials(line)}: {error}")
        else:
            good.append(found)
    if bad:
        raise SourceInvalid(
            " ".join(bad), remedy="Write each line as name[extra]>=version; marker, or name @ URL."
        )
    return [line for line in good if line.name != _RUNNER]


def _logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """Lines with what they are continued by, without comments, and with the number of their first line."""
    parts: list[str] = []
    first = 1
    for number, line in enumerate(text.splitlines(), start=1):
        if not parts:
            first = number
        continued = line.endswith("\\") and not line.lstrip().startswith("#")
        parts.append(line[:-1] if continued else line)
        if not continued:
            yield from _without_comment(first, "".join(parts))
            parts = []
    yield from _without_comment(first, "".join(parts))


def _without_comment(number: int, line: str) -> Iterator[tuple[int, str]]:
    plain = _COMMENT.sub("", line).strip()
    if plain:
        yield number, plain


def _requirement(line: str) -> Requirement:
    if line.startswith("-") or re.search(r"\s--?[A-Za-z]", line):
        raise ValueError("options of pip are not for a plugin to say.")
    if "${" in line:
        raise ValueError("variables are not replaced.")
    try:
        requirement = Requirement(line)
    except InvalidRequirement as error:
        raise ValueError("that is no requirement.") from error
    url = urlsplit(requirement.url or "")
    if url.password or (url.username and not url.scheme.endswith("ssh")):
        raise ValueError("credentials would be written down everywhere.")
    return requirement
