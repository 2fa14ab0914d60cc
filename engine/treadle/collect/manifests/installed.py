"""What an installed distribution says about itself: its manifest, its root and its tasks."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import Distribution
from pathlib import Path

from packaging.utils import canonicalize_name

from treadle.errors import BuildFailed, ManifestInvalid, SourceInvalid
from treadle.model.manifest import parse_manifest
from treadle.model.task import Task

MANIFEST = "__FRACTAL_MANIFEST__.json"

_REMEDY = "The package's author has to mend it; another version may be well."


@dataclass(frozen=True, slots=True)
class TaskPackage:
    """A distribution with a manifest, in an environment.

    Attributes:
        root: The folder of the manifest, relative to the environment.
        tasks: Its tasks, in the manifest's order.
    """

    root: Path
    tasks: tuple[Task, ...]


def read_package(environment: Path, *, name: str, version: str, extras: Sequence[str]) -> TaskPackage:
    """Read a package's tasks from its installed files; nothing of it is run or imported.

    Args:
        environment: Folder of the environment.
        name: Normalised name of the distribution.
        version: Its version.
        extras: Normalised extras that were asked for.

    Raises:
        ManifestInvalid: None or several manifests, a bad one, or an executable that is not there.
        SourceInvalid: The distribution has no such extra.
    """
    distribution = _distribution(environment, name)
    _check_extras(distribution, name, version, extras)
    manifest_path = _manifest_path(distribution, environment, name)
    try:
        text = manifest_path.read_text(encoding="utf-8")
    except (UnicodeDecodeError, OSError) as error:
        raise ManifestInvalid(f"The manifest of {name} cannot be read: {error}.", remedy=_REMEDY) from error
    manifest = parse_manifest(text, name)
    _check_executables(manifest.executables(), manifest_path.parent, name)
    return TaskPackage(manifest_path.parent.relative_to(environment), manifest.tasks(name, version))


def _distribution(environment: Path, name: str) -> Distribution:
    places = [str(path) for path in environment.glob("lib/python*/site-packages")]
    found = list(Distribution.discover(name=name, path=places))
    if len(found) != 1:
        raise BuildFailed(f"{name} is installed {len(found)} times in its environment, not once.")
    return found[0]


def _check_extras(distribution: Distribution, name: str, version: str, extras: Sequence[str]) -> None:
    offered = sorted(map(canonicalize_name, distribution.metadata.get_all("Provides-Extra") or []))
    missing = [extra for extra in extras if extra not in offered]
    if missing:
        raise SourceInvalid(
            f"{name} {version} has no extra {', '.join(missing)}.",
            remedy=f"It has: {', '.join(offered)}." if offered else "It has none.",
        )


def _manifest_path(distribution: Distribution, environment: Path, name: str) -> Path:
    paths = sorted(
        {
            Path(os.path.normpath(str(file.locate())))
            for file in distribution.files or []
            if file.name == MANIFEST
        }
    )
    if not paths:
        raise ManifestInvalid(
            f"{name} is not a task package: none of its installed files is {MANIFEST}.",
            remedy="Check the name, or choose a version that ships a manifest.",
        )
    if len(paths) > 1:
        places = ", ".join(str(_shown(path, environment)) for path in paths)
        raise ManifestInvalid(f"{name} ships {len(paths)} manifests, not one: {places}.", remedy=_REMEDY)
    if not paths[0].is_relative_to(environment):
        raise ManifestInvalid(f"The manifest of {name} lies outside its environment.", remedy=_REMEDY)
    return paths[0]


def _shown(path: Path, environment: Path) -> Path:
    return path.relative_to(environment) if path.is_relative_to(environment) else path


def _check_executables(executables: Sequence[str], root: Path, name: str) -> None:
    missing = [executable for executable in executables if not (root / executable).is_file()]
    if missing:
        raise ManifestInvalid(
            f"The manifest of {name} names executables that are not among its files: {', '.join(missing)}.",
            remedy=_REMEDY,
        )
