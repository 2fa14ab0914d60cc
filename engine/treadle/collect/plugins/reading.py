"""What a file or folder of a plugin folder is, and what it says of itself."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path

from treadle.collect.plugins.metadata import NoPlugin, PluginMetadata, read_metadata
from treadle.collect.plugins.walk import is_package
from treadle.errors import SourceInvalid, TreadleError
from treadle.ledger.tables import PluginKind
from treadle.model.constrained import Value

_BLOCK = re.compile(r"(?m)^# /// script\s*$\n(?P<lines>(^#(| .*)$\n?)+)^# ///\s*$")
"""Source: the packaging specification "Inline script metadata" (PEP 723)."""


class Problem(Value):
    """Why something cannot be used.

    Attributes:
        what: What is wrong, with its place.
        remedy: What to do, or nothing.
        detail: The line, traceback or resolver's words, or nothing.
    """

    what: str
    remedy: str = ""
    detail: str = ""

    @classmethod
    def of(cls, error: TreadleError) -> Problem:
        """The problem that an error tells of."""
        return cls(what=error.what, remedy=error.remedy, detail=error.detail)

    def __str__(self) -> str:
        text = f"{self.what} {self.remedy}".strip()
        return f"{text}\n{self.detail}" if self.detail else text


class Reading(Value):
    """What was read of a plugin, a script or a project.

    Attributes:
        kind: Which of them it is.
        metadata: What it says of itself.
        problem: Why it cannot be used, or None.
    """

    kind: PluginKind
    metadata: PluginMetadata = PluginMetadata()
    problem: Problem | None = None


def read(path: Path) -> Reading:
    """Read a file or folder; what is wrong with it is in the answer."""
    kind: PluginKind = "plugin"
    try:
        if path.is_dir() and not is_package(path):
            kind = "project"
            return Reading(kind=kind, metadata=_project(path))
        try:
            return Reading(kind=kind, metadata=read_metadata(path))
        except SourceInvalid as error:
            block = _block(path) if path.is_file() else None
            if block is None:
                raise
            kind = "script"
            if not isinstance(error, NoPlugin):
                raise
            return Reading(kind=kind, metadata=_script(path, block))
    except SourceInvalid as error:
        return Reading(kind=kind, problem=Problem.of(error))


def _block(file: Path) -> str | None:
    """The metadata that a script carries in comments, or None."""
    try:
        match = _BLOCK.search(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError):
        return None
    if match is None:
        return None
    return "".join(f"{line[2:]}\n" for line in match["lines"].splitlines())


def _script(file: Path, block: str) -> PluginMetadata:
    table = _toml(block, file.name)
    own = _table(_table(table.get("tool")).get("treadle"))
    return PluginMetadata(
        name=_text(own.get("name")) or file.stem,
        version=_text(own.get("version")) or "0",
        description=_text(own.get("description")) or "",
        requirements=_lines(table.get("dependencies")),
    )


def _project(folder: Path) -> PluginMetadata:
    file = folder / "pyproject.toml"
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SourceInvalid(f"{folder.name}/{file.name} cannot be read: {error}.") from error
    project = _table(_toml(text, f"{folder.name}/{file.name}").get("project"))
    return PluginMetadata(
        name=_text(project.get("name")),
        version=_text(project.get("version")),
        description=_text(project.get("description")) or "",
        tags=tuple(_lines(project.get("keywords")).splitlines()),
        requirements=_lines(project.get("dependencies")),
    )


def _toml(text: str, place: str) -> Mapping[str, object]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SourceInvalid(f"{place}: the metadata is not valid TOML: {error}.") from error


def _table(value: object) -> Mapping[str, object]:
    return value if isinstance(value, dict) else {}


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _lines(value: object) -> str:
    return "\n".join(map(str, value)) if isinstance(value, list) else ""
