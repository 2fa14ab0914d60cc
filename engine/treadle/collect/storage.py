"""Where the operating system's refusals become Treadle's."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from treadle.errors import BuildFailed, StorageFull

REFUSALS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM})
"""Numbers that mean: no space is left, or the place may not be written."""


@contextmanager
def writing_below(folder: Path) -> Iterator[None]:
    """Translate what the system says while the body writes below a folder.

    Raises:
        StorageFull: No space is left, or the place may not be written; names the path.
        BuildFailed: Any other refusal of the system.
    """
    try:
        yield
    except OSError as error:
        path = Path(error.filename) if isinstance(error.filename, str) else folder
        words = error.strerror or str(error)
        if error.errno in REFUSALS:
            raise storage_full(path, words) from error
        raise BuildFailed(f"{path} could not be used: {words}.") from error


def storage_full(path: Path, words: str, *, detail: str = "") -> StorageFull:
    """Make the error for a place that is full or may not be written; `words` is the system's reason."""
    return StorageFull(
        f"{path} could not be written: {words}.",
        remedy="Free some space there, or choose another home folder (TREADLE_HOME).",
        detail=detail,
    )
