"""Requirement texts of plugins: the form of a requirements file, without its options."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from urllib.parse import urlsplit

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename

from treadle.collect.credentials import without_credentials
from treadle.errors import SourceInvalid

_COMMENT = re.compile(r"(^|\s+)#.*$")
_BARE_URL = re.compile(
    r"(?P<url>(git\+[a-z]+://\S+)|(https?://\S+\.whl(#\S*)?))(?P<marker>(\s+;.*)?)", re.IGNORECASE
)
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
        requirement = Requirement(_named(line))
    except (InvalidRequirement, InvalidWheelFilename) as error:
        raise ValueError("that is no requirement.") from error
    url = urlsplit(requirement.url or "")
    if url.password or (url.username and not url.scheme.endswith("ssh")):
        raise ValueError("credentials would be written down everywhere.")
    return requirement


def _named(line: str) -> str:
    """A line with the name that pip would find out for a bare URL.

    It is the one after `egg=`, or that of the wheel, or that of the repository; a package that is called
    otherwise is found out when it is there.
    """
    match = _BARE_URL.fullmatch(line)
    if match is None:
        return line
    path = PurePosixPath(urlsplit(match["url"]).path)
    egg = re.search(r"[#&]egg=([^&]+)", match["url"])
    if path.suffix == ".whl":
        name = str(parse_wheel_filename(path.name)[0])
    else:
        name = egg[1] if egg else path.name.partition("@")[0].removesuffix(".git")
    return f"{name} @ {match['url']}{match['marker']}"
