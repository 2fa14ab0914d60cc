"""A project's pyproject.toml: what can be told without building anything."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import InvalidName, canonicalize_name
from packaging.version import InvalidVersion, Version

from treadle.collect.checks.json_lines import first_line
from treadle.collect.manifests.problems import Problem

FILE = "pyproject.toml"


def project_problems(folder: Path, python_version: str) -> list[Problem]:
    """Say everything that is wrong with a project's metadata.

    Args:
        folder: The project.
        python_version: Version of the interpreter that is to run its tasks.
    """
    try:
        text = (folder / FILE).read_text(encoding="utf-8")
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        line = re.search(r"line (\d+)", str(error))
        return [Problem(f"is not TOML: {error}", f"{FILE}:{line[1]}" if line else FILE)]
    except (OSError, UnicodeDecodeError) as error:
        return [Problem(f"cannot be read: {error}", FILE)]
    project = data.get("project")
    if not isinstance(project, dict):
        return [Problem("has no table [project]", FILE)]
    return [Problem(what, _place(text, key)) for key, what in _metadata_problems(project, python_version)]


def project_name(folder: Path) -> str | None:
    """Return the normalised name of a project whose file is readable; None if it has none."""
    name = tomllib.loads((folder / FILE).read_text(encoding="utf-8"))["project"].get("name")
    return None if name is None else canonicalize_name(str(name))


def _metadata_problems(project: Mapping[str, Any], python_version: str) -> Iterator[tuple[str, str]]:
    name, version = project.get("name"), project.get("version")
    try:
        if name is None:
            yield "name", "the project has no name"
        else:
            canonicalize_name(str(name), validate=True)
    except InvalidName:
        yield "name", f"{name!r} is no name of a distribution"
    if version is None and "version" not in (project.get("dynamic") or []):
        yield "version", "the project has no version, and none is dynamic"
    elif version is not None:
        try:
            Version(str(version))
        except InvalidVersion:
            yield "version", f"{version!r} is no version (PEP 440)"
    requires = project.get("requires-python")
    try:
        if requires is not None and python_version not in SpecifierSet(str(requires)):
            yield (
                "requires-python",
                f"{requires!r} does not admit Python {python_version}, the one to be used",
            )
    except InvalidSpecifier:
        yield "requires-python", f"{requires!r} is no version specifier (PEP 440)"


def _place(text: str, key: str) -> str:
    line = first_line(text, [r"\s*\[project\]", rf"\s*{re.escape(key)}\s*="])
    line = line or first_line(text, [r"\s*\[project\]"])
    return FILE if line is None else f"{FILE}:{line}"
