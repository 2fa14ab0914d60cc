"""The file of an archive: a ZIP archive, whose entries are stored as they are."""

from __future__ import annotations

import json
import os
import struct
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from treadle.cache.keys.digest import Digest
from treadle.errors import CacheUnavailable, UsageError

HEAD = "treadle-cache.json"
FORMAT = 1
CALLS = "calls/"
VALUES = "values/"

_ENCRYPTED = 1
_ILLEGIBLE = (OSError, EOFError, KeyError, ValueError, NotImplementedError, zipfile.BadZipFile, struct.error)
"""What `zipfile` raises for files that are none, or broken."""


class ArchiveReader:
    """An archive that is there.

    Args:
        archive: The open file.
        path: Where it is.

    Attributes:
        values: Addresses of the values in it, each after its children.
        calls: Keys of the calls in it.

    Raises:
        UsageError: It is no archive of calls, or of a newer Treadle.
    """

    def __init__(self, archive: zipfile.ZipFile, path: Path) -> None:
        self._archive = archive
        self._path = path
        with _legible(path):
            written = _format_in(json.loads(self._read(HEAD)))
            names = archive.namelist()
            self.values = [Digest.parse(name[len(VALUES) :]) for name in names if name.startswith(VALUES)]
            self.calls = [Digest.parse(name[len(CALLS) :]) for name in names if name.startswith(CALLS)]
        if written != FORMAT:
            raise UsageError(f"The archive {path} has format {written}; this Treadle reads {FORMAT}.")

    def value(self, address: Digest) -> bytes:
        """Return a value's envelope, not yet verified; raises UsageError where it cannot be read."""
        with _legible(self._path):
            return self._read(VALUES + address)

    def call(self, key: Digest) -> bytes:
        """Return a record's envelope, not yet verified; raises UsageError where it cannot be read."""
        with _legible(self._path):
            return self._read(CALLS + key)

    def _read(self, name: str) -> bytes:
        info = self._archive.getinfo(name)
        if info.compress_type != zipfile.ZIP_STORED or info.flag_bits & _ENCRYPTED:
            raise ValueError(f"{name} is compressed or encrypted, which no archive of ours is")
        return self._archive.read(info)


@contextmanager
def reading(path: Path) -> Iterator[ArchiveReader]:
    """Open an archive.

    Raises:
        UsageError: There is none, or it cannot be read.
    """
    if not path.exists():
        raise UsageError(f"There is no file or folder {path}.")
    with _legible(path):
        archive = zipfile.ZipFile(path)
    with archive:
        yield ArchiveReader(archive, path)


@contextmanager
def writing(path: Path) -> Iterator[zipfile.ZipFile]:
    """Write beside a file and rename in the end, so that nobody finds half an archive.

    Raises:
        UsageError: Something is there that is no archive of calls.
        CacheUnavailable: It cannot be written.
    """
    try:
        if path.exists() and not _may_be_replaced(path):
            raise UsageError(f"{path} is there, and is no archive of calls.", remedy="Name another file.")
        beside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
        try:
            with zipfile.ZipFile(beside, "w") as archive:
                archive.writestr(zipfile.ZipInfo(HEAD), json.dumps({"format": FORMAT}))
                yield archive
            beside.replace(path)
        finally:
            beside.unlink(missing_ok=True)
    except OSError as error:
        raise CacheUnavailable(f"The archive {path} cannot be written: {error.strerror}.") from error


def _format_in(head: object) -> object:
    if not isinstance(head, dict):
        raise KeyError("format")
    return head["format"]


def _may_be_replaced(path: Path) -> bool:
    """Whether a file is an archive of calls, or empty."""
    if not path.is_file():
        return False
    if path.stat().st_size == 0:
        return True
    try:
        with zipfile.ZipFile(path) as archive:
            return HEAD in archive.namelist()
    except _ILLEGIBLE:
        return False


@contextmanager
def _legible(path: Path) -> Iterator[None]:
    try:
        yield
    except _ILLEGIBLE as error:
        raise UsageError(
            f"{path} is no archive of calls that can be read.",
            remedy="Archives are written by `treadle cache export`.",
            detail=str(error),
        ) from error
