"""What an installed distribution says about itself: its manifest, its root and its tasks."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import Distribution
from pathlib import Path

from packaging.utils import canonicalize_name

from treadle.collect.manifests.derived import GROUP
from treadle.collect.manifests.distributions import MANIFEST, find_distribution, manifests_of
from treadle.collect.manifests.launchers import DERIVED
from treadle.errors import ManifestInvalid, SourceInvalid
from treadle.model.manifest import parse_manifest
from treadle.model.task import Task

_REMEDY = "The package's author has to mend it; another version may be well."


@dataclass(frozen=True, slots=True)
class TaskPackage:
    """A distribution with a manifest, in an environment.

    Attributes:
        root: The folder of the manifest, relative to the environment; absolute if it lies outside, as that of
            an editable package does.
        tasks: Its tasks, in the manifest's order.
        derived: Whether Treadle wrote the manifest, from the package's functions.
    """

    root: Path
    tasks: tuple[Task, ...]
    derived: bool = False


def read_package(
    environment: Path,
    *,
    name: str,
    version: str,
    extras: Sequence[str],
    derived: Path | None = None,
    editable: Path | None = None,
    may_have_none: bool = False,
) -> TaskPackage:
    """Read a package's tasks from its installed files; nothing of it is run or imported.

    Args:
        environment: Folder of the environment.
        name: Normalised name of the distribution.
        version: Its version.
        extras: Normalised extras that were asked for.
        derived: Folder of the manifest that was derived if the package ships none; None: that has not been.
        editable: Folder of the project whose own files the package uses; None: it has its own.
        may_have_none: Whether a package without tasks is fine; its root is the environment then.

    Raises:
        ManifestInvalid: None or several manifests, a bad one, or an executable that is not there.
        SourceInvalid: The distribution has no such extra.
    """
    distribution = find_distribution(environment, name)
    _check_extras(distribution, name, version, extras)
    shipped = manifests_of(distribution, editable)
    paths = shipped or _derived(derived, name)
    if not paths and may_have_none:
        return TaskPackage(Path(), ())
    manifest_path = _only(paths, [each for each in (environment, editable, derived) if each], name)
    root = manifest_path.parent
    tasks = read_manifest(manifest_path, root=root, name=name, version=version)
    if root.is_relative_to(environment):
        root = root.relative_to(environment)
    return TaskPackage(root, tasks, derived=not shipped)


def read_manifest(path: Path, *, root: Path, name: str, version: str) -> tuple[Task, ...]:
    """Read the tasks of a manifest whose executables are relative to a folder.

    Raises:
        ManifestInvalid: It cannot be read, breaks the rules, or names an executable that is not there.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (UnicodeDecodeError, OSError) as error:
        raise ManifestInvalid(f"The manifest of {name} cannot be read: {error}.", remedy=_REMEDY) from error
    manifest = parse_manifest(text, name)
    _check_executables(manifest.executables(), root, name)
    return manifest.tasks(name, version)


def _derived(folder: Path | None, name: str) -> tuple[Path, ...]:
    """The derived manifest of a folder, if it is this package's."""
    if folder is None or not (folder / MANIFEST).is_file():
        return ()
    path = folder / MANIFEST
    made_from = json.loads(path.read_text(encoding="utf-8"))[DERIVED]["distribution"]
    return (path,) if made_from == name else ()


def _check_extras(distribution: Distribution, name: str, version: str, extras: Sequence[str]) -> None:
    offered = sorted(map(canonicalize_name, distribution.metadata.get_all("Provides-Extra") or []))
    missing = [extra for extra in extras if extra not in offered]
    if missing:
        raise SourceInvalid(
            f"{name} {version} has no extra {', '.join(missing)}.",
            remedy=f"It has: {', '.join(offered)}." if offered else "It has none.",
        )


def _only(paths: Sequence[Path], folders: Sequence[Path], name: str) -> Path:
    if not paths:
        raise ManifestInvalid(
            f"{name} is not a task package: none of its installed files is {MANIFEST}, "
            f"and it has no entry points {GROUP}.",
            remedy="Check the name, or choose a version that ships a manifest.",
        )
    if len(paths) > 1:
        places = ", ".join(str(_shown(path, folders)) for path in paths)
        raise ManifestInvalid(f"{name} ships {len(paths)} manifests, not one: {places}.", remedy=_REMEDY)
    if not any(paths[0].is_relative_to(folder) for folder in folders):
        raise ManifestInvalid(f"The manifest of {name} lies outside its environment.", remedy=_REMEDY)
    return paths[0]


def _shown(path: Path, folders: Sequence[Path]) -> Path:
    return next((path.relative_to(folder) for folder in folders if path.is_relative_to(folder)), path)


def _check_executables(executables: Sequence[str], root: Path, name: str) -> None:
    missing = [executable for executable in executables if not (root / executable).is_file()]
    if missing:
        raise ManifestInvalid(
            f"The manifest of {name} names executables that are not among its files: {', '.join(missing)}.",
            remedy=_REMEDY,
        )
