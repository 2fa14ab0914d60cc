"""Paths by content: a file by its bytes, a folder by the names and contents of all in it."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from blake3 import blake3

from treadle.cache.keys.encoding import Encoding, Refused

_MAPPED_BYTES = 1 << 20


def content_digest(path: os.PathLike[str] | str) -> bytes:
    """Return the digest of what a path leads to, 32 bytes; links are followed, times do not count.

    Raises:
        Refused: Nothing is there, it may not be read, or it is neither file nor folder.
    """
    try:
        return _digest(Path(path))
    except OSError as error:
        raise Refused(f"{error.filename or path} cannot be read: {error.strerror}") from None


def _digest(path: Path) -> bytes:
    mode = path.stat().st_mode
    encoding = Encoding()
    if stat.S_ISDIR(mode):
        encoding.parts.append(b"folder")
        for entry in sorted(os.scandir(path), key=lambda entry: entry.name):
            encoding.add(entry.name)
            encoding.parts.append(_digest(Path(entry.path)))
    elif stat.S_ISREG(mode):
        encoding.parts.append(b"file" + _file_digest(path))
    else:
        raise Refused(f"{path} is neither a file nor a folder")
    return encoding.finish()


def _file_digest(path: Path) -> bytes:
    hasher = blake3()
    if path.stat().st_size >= _MAPPED_BYTES:
        hasher.update_mmap(path)
    else:
        hasher.update(path.read_bytes())
    return hasher.digest()
