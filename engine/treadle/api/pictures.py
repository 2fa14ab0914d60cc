"""Reads pictures that tasks wrote, for a browser to show."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from treadle.errors import UnknownName

LARGEST_BYTES = 20_000_000
BEGINNINGS = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
)
ENDINGS = {".svg": "image/svg+xml"}


def read_picture(path: Path, folder: Path) -> tuple[bytes, str]:
    """Read a picture that lies in a folder.

    Args:
        path: The file; it may be a link, as long as what it leads to is in the folder.
        folder: The dataset's folder.

    Returns:
        Its bytes and its media type, one of PNG, JPEG, GIF, WebP and SVG.

    Raises:
        UnknownName: It is not there, not in the folder, no such picture, or larger than 20 MB.
    """
    try:
        real = path.resolve(strict=True)
        if not real.is_relative_to(folder.resolve(strict=True)):
            raise UnknownName(f"{path} is not in the dataset's folder {folder}.")
        content = _read(real)
    except OSError as error:
        raise UnknownName(f"The picture {path} cannot be read: {error.strerror}.") from error
    kind = _kind(content, path)
    if kind is None:
        raise UnknownName(f"{path} is no picture in PNG, JPEG, GIF, WebP or SVG.")
    return content, kind


def _read(path: Path) -> bytes:
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with open(descriptor, "rb") as file:  # noqa: PTH123 - an open descriptor
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise UnknownName(f"{path} is not a file.")
        content = file.read(LARGEST_BYTES + 1)
    if len(content) > LARGEST_BYTES:
        raise UnknownName(f"{path} is larger than {LARGEST_BYTES // 1_000_000} MB.")
    return content


def _kind(content: bytes, path: Path) -> str | None:
    for beginning, kind in BEGINNINGS:
        if content.startswith(beginning):
            return kind
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "image/webp"
    return ENDINGS.get(path.suffix.lower()) if b"<svg" in content[:4096] else None
