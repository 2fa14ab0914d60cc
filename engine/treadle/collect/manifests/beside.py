"""What a wheel of ours needs beside what it asks for, so that its functions can be tasks."""

from __future__ import annotations

import configparser
import zipfile
from email.parser import HeaderParser
from pathlib import Path, PurePosixPath

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from treadle.collect.manifests.derived import GROUP, REQUIREMENT
from treadle.collect.manifests.distributions import MANIFEST


def requirements_beside(wheel: Path) -> tuple[str, ...]:
    """Return requirement lines for a wheel with task functions that has no manifest and asks for no pydantic.

    A wheel that cannot be read needs nothing: whoever installs it says what is wrong with it.
    """
    try:
        with zipfile.ZipFile(wheel) as archive:
            names = archive.namelist()
            if any(PurePosixPath(name).name == MANIFEST for name in names):
                return ()
            texts = {
                path.name: archive.read(str(path)).decode("utf-8")
                for path in map(PurePosixPath, names)
                if len(path.parts) == 2
                and path.parts[0].endswith(".dist-info")
                and path.name in {"entry_points.txt", "METADATA"}
            }
    except (zipfile.BadZipFile, UnicodeDecodeError, KeyError):
        return ()
    if not names_tasks(texts.get("entry_points.txt", "")) or _asks_for_pydantic(texts.get("METADATA", "")):
        return ()
    return (REQUIREMENT,)


def names_tasks(entry_points: str) -> bool:
    """Whether the text of an `entry_points.txt` names task functions."""
    parser = configparser.ConfigParser(delimiters=("=",), interpolation=None, strict=False)
    try:
        parser.read_string(entry_points)
    except configparser.Error:
        return False
    return parser.has_section(GROUP) and bool(parser.options(GROUP))


def _asks_for_pydantic(metadata: str) -> bool:
    for line in HeaderParser().parsestr(metadata).get_all("Requires-Dist") or []:
        try:
            requirement = Requirement(line)
        except InvalidRequirement:
            continue
        if canonicalize_name(requirement.name) == "pydantic" and requirement.marker is None:
            return True
    return False
