"""Folders that nobody may write, and how they are removed nevertheless."""

from __future__ import annotations

import os
import shutil
import stat
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_READ = stat.S_IRUSR | stat.S_IRGRP | stat.S_IROTH
_ENTER = stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH


def seal(folder: Path) -> int:
    """Take from everybody the right to write below a folder; what is linked there from elsewhere, too.

    Who may run a file of it afterwards is who may read it, if its owner could run it.

    Returns:
        The sum of the sizes of its files, in bytes.
    """
    size = 0
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                size += seal(Path(entry.path))
                continue
            found = entry.stat(follow_symlinks=False)
            size += found.st_size
            sealed = _READ | (_ENTER if found.st_mode & stat.S_IXUSR else 0)
            if stat.S_ISREG(found.st_mode) and stat.S_IMODE(found.st_mode) != sealed:
                with suppress(PermissionError):  # a link to what another account owns
                    Path(entry.path).chmod(sealed)
    folder.chmod(_READ | _ENTER)
    return size


def add_sealed(folder: Path, name: str, text: str) -> None:
    """Write a file into a sealed folder that nobody else uses yet."""
    folder.chmod(stat.S_IRWXU)
    file = folder / name
    file.write_text(text, encoding="utf-8")
    file.chmod(_READ)
    folder.chmod(_READ | _ENTER)


def remove_tree(folder: Path) -> None:
    """Remove a folder, whoever may write in it; what somebody is still writing there may stay."""
    for place, _, _ in os.walk(folder):
        with suppress(OSError):
            Path(place).chmod(stat.S_IRWXU)
    shutil.rmtree(folder, ignore_errors=True)


@dataclass(frozen=True, slots=True)
class Size:
    """What a folder's files take, in bytes.

    Attributes:
        total: All of them.
        own: Those that nothing but this folder, or this folder and the pool of bytecode, holds: what its
            removal would free. Files that uv's cache or another environment holds by hard link do not count.
    """

    total: int
    own: int

    @property
    def shared(self) -> int:
        """What its removal would not free."""
        return self.total - self.own


def measure(folder: Path) -> Size:
    """Look at all files of a folder, and by how many names each can be found."""
    total = own = 0
    for place, _, names in os.walk(folder):
        for name in names:
            found = os.lstat(os.path.join(place, name))  # noqa: PTH118 - there are tens of thousands
            holders = 2 if name.endswith(".pyc") else 1
            total += found.st_size
            own += found.st_size if found.st_nlink <= holders else 0
    return Size(total, own)
