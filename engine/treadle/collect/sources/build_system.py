"""How a project wants to be built: the `build-system` table of its pyproject.toml (PEP 518, PEP 517)."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from treadle.errors import SourceInvalid

_SETUPTOOLS = "setuptools >= 40.8.0"
_LEGACY = "setuptools.build_meta:__legacy__"


@dataclass(frozen=True, slots=True)
class BuildSystem:
    """What builds a project.

    Attributes:
        requires: Requirements of the environment that it is built in.
        backend: Object that has the hooks, `module:object`.
        backend_path: Folders of the project that the backend is imported from; empty: it is installed.
    """

    requires: tuple[str, ...] = (_SETUPTOOLS,)
    backend: str = _LEGACY
    backend_path: tuple[str, ...] = ()

    @property
    def is_uv(self) -> bool:
        """Whether nothing but uv's own backend has a part in it, so that no code of the project is run."""
        names = [canonicalize_name(Requirement(requirement).name) for requirement in self.requires]
        return names == ["uv-build"] and self.backend == "uv_build" and not self.backend_path


def read_build_system(project: Path, shown: str) -> BuildSystem:
    """Read what builds a project, which errors call `shown`; one that does not say is built by setuptools.

    Raises:
        SourceInvalid: There is no project, or its pyproject.toml is not what it has to be.
    """
    file = project / "pyproject.toml"
    if not file.is_file():
        if (project / "setup.py").is_file():
            return BuildSystem()
        raise SourceInvalid(
            f"{shown} is not a Python project: it has no pyproject.toml.",
            remedy="Name the folder that holds the task package's pyproject.toml.",
        )
    try:
        table = tomllib.loads(file.read_text(encoding="utf-8")).get("build-system", {})
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SourceInvalid(
            f"The pyproject.toml of {shown} cannot be read: {error}.", remedy="Mend it."
        ) from error
    except OSError as error:
        raise SourceInvalid(f"The pyproject.toml of {shown} cannot be read: {error.strerror}.") from error
    try:
        return _build_system(table)
    except (TypeError, ValueError) as error:
        raise SourceInvalid(
            f"The table [build-system] of {shown} is not as it has to be: {error}.",
            remedy="It needs requires, a list of requirements, and build-backend, a text.",
        ) from error


def check_requirements(requires: Iterable[str]) -> None:
    """Refuse requirements of a build that lead elsewhere than to the index.

    Raises:
        ValueError: One is no requirement, or has an address of its own.
    """
    for requirement in requires:
        try:
            parsed = Requirement(requirement)
        except InvalidRequirement as error:
            raise ValueError(f"{requirement!r} is no requirement") from error
        if parsed.url is not None:
            raise ValueError(f"{parsed.name} has an address of its own")


def _build_system(table: object) -> BuildSystem:
    if not isinstance(table, dict):
        raise TypeError("it is no table")
    requires = _texts(table.get("requires", [_SETUPTOOLS]), "requires")
    backend = table.get("build-backend", _LEGACY)
    if not isinstance(backend, str):
        raise TypeError("build-backend is no text")
    check_requirements(requires)
    return BuildSystem(requires, backend, _texts(table.get("backend-path", []), "backend-path"))


def _texts(value: object, name: str) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise TypeError(f"{name} is no list of texts")
    return tuple(value)
