"""What a person may name as the source of a task package."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from treadle.collect.credentials import without_credentials
from treadle.collect.sources.git_url import GitUrl, parse_git_url
from treadle.errors import SourceInvalid

_FORMS = (
    "Give name[extra]==version, git+URL@ref, or the path of a folder (./folder), of a wheel (./file.whl), "
    "of a source archive (./file.tar.gz, ./file.zip) or of a script (./file.py)."
)
_URL = re.compile(r"://|@\s*file:", re.IGNORECASE)
_GIT = re.compile(
    r"((?P<name>[A-Z0-9][A-Z0-9._-]*)\s*(\[(?P<extras>[^\]]*)\])?\s*@\s*)?(?P<url>git\+.*)", re.I | re.S
)
_ARCHIVES = (".tar.gz", ".tgz", ".zip")


@dataclass(frozen=True, slots=True)
class IndexSource:
    """A distribution from the package index.

    Attributes:
        name: Normalised name.
        extras: Normalised extras, sorted.
        specifier: Version specifier as PEP 440 writes it; empty: any version.
        version: The one version that the specifier admits, or None.
    """

    name: str
    extras: tuple[str, ...]
    specifier: str
    version: str | None

    @property
    def requirement(self) -> str:
        """The requirement as PEP 508 writes it."""
        extras = f"[{','.join(self.extras)}]" if self.extras else ""
        return f"{self.name}{extras}{self.specifier}"


@dataclass(frozen=True, slots=True)
class FolderSource:
    """A local Python project; the path is as it was given."""

    path: Path


@dataclass(frozen=True, slots=True)
class WheelSource:
    """A wheel file; the path is as it was given."""

    path: Path


@dataclass(frozen=True, slots=True)
class ArchiveSource:
    """A source archive (sdist); the path is as it was given."""

    path: Path


@dataclass(frozen=True, slots=True)
class ScriptSource:
    """A single script with inline metadata (PEP 723); the path is as it was given."""

    path: Path


@dataclass(frozen=True, slots=True)
class GitSource:
    """A Python project in a git repository.

    Attributes:
        place: Where it is.
        name: Normalised name that the project must have, or None.
        extras: Normalised extras, sorted.
    """

    place: GitUrl
    name: str | None = None
    extras: tuple[str, ...] = ()

    def __str__(self) -> str:
        """The requirement as PEP 508 writes it, or the address alone; without credentials."""
        if self.name is None:
            return str(self.place)
        extras = f"[{','.join(self.extras)}]" if self.extras else ""
        return f"{self.name}{extras} @ {self.place}"


@dataclass(frozen=True, slots=True)
class PluginSource:
    """A plugin that was found at one of the plugin sources; no text names it.

    Attributes:
        wheel: Absolute path of the wheel of its files.
        location: Where it was found.
        provenance: Where exactly it came from, if it is in git.
    """

    wheel: Path
    location: str
    provenance: Mapping[str, str]


PathSource = FolderSource | WheelSource | ArchiveSource | ScriptSource
"""What lies on this machine."""

Source = IndexSource | PathSource | GitSource | PluginSource


def parse_source(text: str) -> Source:
    """Tell which kind of source a text names; nothing is looked up.

    What begins with `git+`, or has it after a name and an `@`, is a git repository. What ends in `.whl`,
    `.tar.gz`, `.tgz`, `.zip` or `.py` is the path of a file; a text with a slash, or one that starts with a
    dot or a tilde, is the path of a folder; everything else is a requirement (PEP 508).

    Raises:
        SourceInvalid: It is none of these, or asks for something that a source cannot have.
    """
    stripped = text.strip()
    if not stripped:
        raise SourceInvalid("The source is empty.", remedy=_FORMS)
    git = _GIT.fullmatch(stripped)
    if git:
        return _git_source(git)
    if _URL.search(stripped):
        raise SourceInvalid(f"{without_credentials(stripped)} names a URL.", remedy=_FORMS)
    lowered = stripped.lower()
    if lowered.endswith(".whl"):
        return WheelSource(Path(stripped))
    if lowered.endswith(_ARCHIVES):
        return ArchiveSource(Path(stripped))
    if lowered.endswith(".py"):
        return ScriptSource(Path(stripped))
    if stripped[0] in ".~" or "/" in stripped:
        return FolderSource(Path(stripped))
    return _index_source(stripped)


def _git_source(found: re.Match[str]) -> GitSource:
    place = parse_git_url(found["url"])
    name = canonicalize_name(found["name"]) if found["name"] else None
    extras = {
        canonicalize_name(extra.strip()) for extra in (found["extras"] or "").split(",") if extra.strip()
    }
    return GitSource(place, name, tuple(sorted(extras)))


def _index_source(text: str) -> IndexSource:
    try:
        requirement = Requirement(text)
    except InvalidRequirement as error:
        raise SourceInvalid(
            f"{text} is not a package requirement.", remedy=_FORMS, detail=str(error)
        ) from error
    if requirement.url is not None:
        raise SourceInvalid(f"{text} names a URL.", remedy=_FORMS)
    if requirement.marker is not None:
        raise SourceInvalid(
            f"{text} has an environment marker.", remedy="Leave out everything from the semicolon."
        )
    specifiers = list(requirement.specifier)
    exact = (
        len(specifiers) == 1 and specifiers[0].operator == "==" and not specifiers[0].version.endswith("*")
    )
    return IndexSource(
        name=canonicalize_name(requirement.name),
        extras=tuple(sorted(canonicalize_name(extra) for extra in requirement.extras)),
        specifier=str(requirement.specifier),
        version=specifiers[0].version if exact else None,
    )
