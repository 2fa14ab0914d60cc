"""Which files and folders of a plugin folder may be plugins (QHAna 3.2), scripts or projects."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from treadle.collect.environments.identity import tagged_digest
from treadle.collect.sources.fingerprint import file_digest
from treadle.errors import SourceInvalid

_FORMAT = "1"
"""Changes whenever the same files would be read differently."""

_APART = frozenset({"__pycache__", "node_modules"})
_PRODUCTS = frozenset({"build", "dist"})
_MOST_FILES = 20_000
_MOST_BYTES = 2_000_000_000


def candidates(place: Path) -> list[Path]:
    """What is to be looked into: the place itself, or its entries by name.

    A file is taken as it is; a folder with `__init__.py` is one package. Of any other folder, each file
    `name.py` and each folder with `__init__.py` or `pyproject.toml` count; what begins with a dot does not.

    Raises:
        SourceInvalid: The place cannot be read.
    """
    if place.is_file() or is_package(place):
        return [place]
    try:
        entries = sorted(place.iterdir(), key=lambda entry: entry.name)
    except OSError as error:
        raise SourceInvalid(f"{place} cannot be read: {error.strerror}.") from error
    return [entry for entry in entries if not entry.name.startswith(".") and _counts(entry)]


def is_package(folder: Path) -> bool:
    """Whether a folder can be imported."""
    return (folder / "__init__.py").is_file()


def is_project(folder: Path) -> bool:
    """Whether a folder is a Python project."""
    return (folder / "pyproject.toml").is_file()


def plugin_files(plugin: Path, *, boundary: Path) -> Iterator[tuple[str, Path]]:
    """The files of a plugin by their names below its parent, in the order of these names.

    Bytecode, virtual environments, what builds leave in a project, and what begins with a dot do not count.

    Args:
        plugin: The package's folder, or the one file.
        boundary: Folder that no link may lead out of.

    Raises:
        SourceInvalid: A file cannot be read or a link followed, or there are too many or too large ones.
    """
    inside = boundary.resolve()
    size = 0
    for count, path in enumerate(_files(plugin), start=1):
        name = path.relative_to(plugin.parent).as_posix()
        if path.is_symlink() and (path.is_dir() or not path.resolve().is_relative_to(inside)):
            raise SourceInvalid(
                f"{name} is a link to a folder, or out of the folder of plugins.",
                remedy="Put the files themselves there.",
            )
        try:
            size += path.stat().st_size
        except OSError as error:
            raise SourceInvalid(f"{name} cannot be read: {error.strerror}.") from error
        if count > _MOST_FILES or size > _MOST_BYTES:
            limits = f"{_MOST_FILES} files and {_MOST_BYTES // 10**9} GB"
            raise SourceInvalid(f"{plugin.name} is too large: {limits} are the limit.")
        yield name, path


def content_digest(plugin: Path, *, boundary: Path) -> str:
    """Digest of a plugin's name and files.

    Raises:
        SourceInvalid: As for `plugin_files`.
    """
    try:
        files = [[name, file_digest(path)] for name, path in plugin_files(plugin, boundary=boundary)]
    except OSError as error:
        raise SourceInvalid(f"{error.filename} cannot be read: {error.strerror}.") from error
    return tagged_digest("Plugin", _FORMAT, plugin.name, files)


def _counts(entry: Path) -> bool:
    if entry.is_dir():
        return is_package(entry) or is_project(entry)
    return entry.suffixes == [".py"]


def _files(plugin: Path) -> Iterator[Path]:
    if plugin.is_file():
        yield plugin
        return
    found: list[Path] = []
    for place, folders, names in os.walk(plugin, onerror=_refuse):
        folder = Path(place)
        folders[:] = [name for name in folders if _holds_files(folder / name)]
        linked = [name for name in folders if (folder / name).is_symlink()]
        found += [
            folder / name
            for name in (*names, *linked)
            if not name.startswith(".") and not name.endswith(".pyc")
        ]
    yield from sorted(found)


def _holds_files(folder: Path) -> bool:
    """Whether a folder has more than what tools and builds left there."""
    product = folder.name.endswith(".egg-info") or (folder.name in _PRODUCTS and is_project(folder.parent))
    apart = product or folder.name in _APART or folder.name.startswith(".")
    return not apart and not (folder / "pyvenv.cfg").is_file()


def _refuse(error: OSError) -> None:
    raise SourceInvalid(f"{error.filename} cannot be read: {error.strerror}.") from error


def has_tests(plugin: Path) -> bool:
    """Whether a plugin brings tests: a folder `tests`, or modules `test_…` at its top."""
    return plugin.is_dir() and ((plugin / "tests").is_dir() or any(plugin.glob("test_*.py")))
