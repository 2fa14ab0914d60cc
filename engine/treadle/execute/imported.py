"""Whether the modules that this process has imported are still what is in their files.

A process imports a module once. Where it lives longer than a file stays as it is, what it runs is not what
whoever looks at the file takes it for.
"""

from __future__ import annotations

import os
import sys
import sysconfig
from pathlib import Path
from typing import TypeAlias

Stamp: TypeAlias = tuple[int, int] | None
"""Size and time of the last change of a file; None where there is none."""

_INSTALLED = tuple(f"{sysconfig.get_path(kind)}/" for kind in ("purelib", "platlib", "stdlib", "platstdlib"))
_imported: dict[str, Stamp] = {}
_known: set[str] = set()


def note_imports() -> None:
    """Remember what the files are like of which modules were imported since the last call.

    Those of installed packages are taken to stay.
    """
    if len(sys.modules) == len(_known):
        return
    for name in sys.modules.keys() - _known:
        _known.add(name)
        file = getattr(sys.modules.get(name), "__file__", None)
        if file is not None and not file.startswith(_INSTALLED):
            _imported.setdefault(os.path.realpath(file), stamp_of(file))


def imports_stand(folder: str) -> bool:
    """Whether all files below a folder that modules were imported from are as they were then."""
    below = f"{folder.rstrip('/')}/"
    return all(stamp == stamp_of(file) for file, stamp in _imported.copy().items() if file.startswith(below))


def stamp_of(file: str | Path) -> Stamp:
    """Return what tells a file from what it was before."""
    try:
        status = os.stat(file)  # noqa: PTH116 - called for every unit
    except OSError:
        return None
    return status.st_size, status.st_mtime_ns
