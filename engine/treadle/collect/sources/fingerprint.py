"""What a project folder contains, in one digest."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

from treadle.collect.environments.identity import tagged_digest
from treadle.collect.environments.interpreter import Interpreter
from treadle.errors import SourceInvalid

_FORMAT = "1"
_APART = frozenset({".git", ".hg", ".svn", ".tox", ".nox", "__pycache__", "node_modules"})
_CACHES = ("_cache", ".egg-info", ".pyc")
_PRODUCTS = frozenset({"build", "dist"})


def fingerprint(folder: Path, *, interpreter: Interpreter, home: Path) -> str:
    """Digest of the files from which a wheel is built, and of the Python that builds it.

    What builds and tools leave in a project does not count: version control, virtual environments, caches,
    bytecode, and the folders `build` and `dist` at its top.

    Args:
        folder: The project.
        interpreter: Python that builds the wheel.
        home: Treadle's own home, which does not count where it lies in the project.

    Raises:
        SourceInvalid: A file of the project cannot be read.
    """
    try:
        files = [
            [path.relative_to(folder).as_posix(), _digest(path), os.access(path, os.X_OK)]
            for path in sorted(_files(folder, home))
        ]
    except OSError as error:
        raise SourceInvalid(f"{error.filename} cannot be read: {error.strerror}.") from error
    return tagged_digest("Folder", _FORMAT, files, interpreter.build, interpreter.platform)


def file_digest(path: Path) -> str:
    """BLAKE2b of a file's content, in 32 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()


def _digest(path: Path) -> str:
    return f"-> {path.readlink()}" if path.is_symlink() and not path.is_file() else file_digest(path)


def _files(folder: Path, home: Path) -> Iterator[Path]:
    for place, folders, names in os.walk(folder, onerror=_raise):
        here = Path(place)
        top = here == folder
        folders[:] = [name for name in folders if _counts(here / name, top=top) and here / name != home]
        linked = [name for name in folders if (here / name).is_symlink()]
        for name in (*names, *linked):
            path = here / name
            if _counts(path, top=False) and (path.is_file() or path.is_symlink()):
                yield path


def _counts(path: Path, *, top: bool) -> bool:
    if path.name in _APART or path.name.endswith(_CACHES):
        return False
    return not (top and path.name in _PRODUCTS) and not (path / "pyvenv.cfg").is_file()


def _raise(error: OSError) -> None:
    raise error
