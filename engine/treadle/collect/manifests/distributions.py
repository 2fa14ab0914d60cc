"""An installed distribution: what its own records say, read without importing it."""

from __future__ import annotations

import os
from importlib.metadata import Distribution
from pathlib import Path

from treadle.errors import BuildFailed

MANIFEST = "__FRACTAL_MANIFEST__.json"
"""File name of every manifest."""


def site_packages(environment: Path) -> Path:
    """The folder of an environment into which distributions are installed.

    Raises:
        BuildFailed: There is none, or there are several.
    """
    places = list(environment.glob("lib/python*/site-packages"))
    if len(places) != 1:
        raise BuildFailed(f"{environment} has {len(places)} folders of packages, not one.")
    return places[0]


def find_distribution(environment: Path, name: str) -> Distribution:
    """The one distribution of this name in an environment.

    Raises:
        BuildFailed: It is not there, or more than once.
    """
    found = list(Distribution.discover(name=name, path=[str(site_packages(environment))]))
    if len(found) != 1:
        raise BuildFailed(f"{name} is installed {len(found)} times in its environment, not once.")
    return found[0]


def manifests_of(distribution: Distribution, editable: Path | None = None) -> tuple[Path, ...]:
    """The manifests that a distribution ships, sorted.

    Args:
        distribution: An installed distribution.
        editable: Folder of the project whose own files it uses, if it does: its manifest is there.
    """
    installed = {
        Path(os.path.normpath(str(file.locate())))
        for file in distribution.files or []
        if file.name == MANIFEST
    }
    return tuple(sorted(installed or (set() if editable is None else manifests_below(editable))))


def manifests_below(project: Path) -> set[Path]:
    """The manifests in a project's own folders; what builds and tools left there does not count."""
    found = set()
    for place, folders, names in os.walk(project):
        here = Path(place)
        folders[:] = [name for name in folders if _is_source(here / name, top=here == project)]
        if MANIFEST in names:
            found.add(here / MANIFEST)
    return found


def _is_source(folder: Path, *, top: bool) -> bool:
    if folder.name.startswith(".") or folder.name in {"__pycache__", "node_modules"}:
        return False
    return not (top and folder.name in {"build", "dist", "tests"}) and not (folder / "pyvenv.cfg").is_file()
