"""Bytes in whatever fsspec reaches: object stores, other machines' disks, memory.

Object stores note when an object was written, not when it was read: there, a time of use is that of writing.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, cast

from treadle.cache.keys.digest import Digest
from treadle.cache.storages.blobs import SHOWN_KEYS
from treadle.cache.storages.folder import OWN_FOLDER, Folder
from treadle.cache.storages.ports import Entry
from treadle.cache.values.compression import Bytes
from treadle.errors import CacheUnavailable, NotCached, SettingsInvalid

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

_WHOLE_OR_NOTHING = frozenset({"abfs", "abfss", "adl", "az", "gcs", "gs", "memory", "oss", "r2", "s3", "s3a"})
"""File systems in which an object appears once it is complete; elsewhere it is renamed then."""

_WRITTEN = ("mtime", "LastModified", "last_modified", "updated", "created")
"""What file systems call the time of writing."""


class Bucket:
    """Bytes at `<url>/.treadle/<part>/ab/cdef…`.

    Args:
        url: Where, as fsspec takes it, e.g. `s3://bucket/folder`.
        part: Name of the folder.
        options: What else fsspec needs to open it.

    Raises:
        SettingsInvalid: fsspec does not know such URLs, or the package for them is not installed.
    """

    def __init__(self, url: str, part: str, options: Mapping[str, object] | None = None) -> None:
        from fsspec.core import url_to_fs

        self._url = url
        try:
            opened, path = url_to_fs(url, use_listings_cache=False, **(options or {}))
        except (ValueError, ImportError, TypeError) as error:
            raise SettingsInvalid(f"fsspec cannot open {url}: {error}.") from error
        self._files = cast("AbstractFileSystem", opened)
        self._root = str(path).rstrip("/")
        self._part = part
        self._folder = f"{self._root}/{OWN_FOLDER}/{part}"
        protocol = self._files.protocol
        self._protocols = {protocol} if isinstance(protocol, str) else set(protocol)

    @property
    def place(self) -> str:
        """Its URL."""
        return self._url

    def path(self, digest: Digest) -> str:
        """Return the path of a digest in the file system."""
        return f"{self._folder}/{digest[:2]}/{digest[2:]}"

    def read(self, digest: Digest, *, use: bool) -> bytearray:
        """Return an object's bytes; see `Blobs`."""
        del use
        with self._translated("read", digest):
            return bytearray(self._files.cat_file(self.path(digest)))

    def head(self, digest: Digest, size: int) -> bytes:
        """Return an object's first bytes; see `Blobs`."""
        with self._translated("read", digest):
            return bytes(self._files.cat_file(self.path(digest), start=0, end=size))

    def write(self, digest: Digest, parts: Sequence[Bytes], *, saved: float | None = None) -> None:
        """Write an object; it counts as written now, whatever is asked for. See `Blobs`."""
        del saved
        path, data = self.path(digest), b"".join(parts)
        with self._translated("written"):
            if self._protocols & _WHOLE_OR_NOTHING:
                self._files.pipe_file(path, data)
            else:
                self._write_and_rename(path, data)

    def renew(self, digest: Digest) -> bool:
        """Whether there is an object; one cannot be made younger."""
        return self.exists(digest)

    def exists(self, digest: Digest) -> bool:
        """Whether there is an object."""
        with self._translated("read", digest):
            return bool(self._files.exists(self.path(digest)))

    def remove(self, digest: Digest) -> int:
        """Remove an object; see `Blobs`."""
        path = self.path(digest)
        with contextlib.suppress(NotCached), self._translated("written", digest):
            size = int(self._files.size(path) or 0)
            self._files.rm_file(path)
            return size
        return 0

    def touch(self, digests: Collection[Digest]) -> None:
        """Do nothing: object stores note no uses."""

    def entries(self) -> Iterator[Entry]:
        """Yield what is there by one listing; see `Blobs`."""
        for path, information in self._listed("").items():
            digest = _digest(path)
            if digest is not None:
                saved = _written(information)
                yield Entry(digest, int(cast("int", information["size"])), saved, saved)

    def starting_with(self, prefix: str) -> list[Digest]:
        """Return digests that begin so; see `Blobs`."""
        wanted = prefix.lower()
        if not all(character in "0123456789abcdef" for character in wanted):
            return []
        listed = self._listed(f"/{wanted[:2]}" if len(wanted) > 1 else "")
        digests = (_digest(path) for path in listed)
        return sorted(digest for digest in digests if digest and digest.startswith(wanted))[:SHOWN_KEYS]

    def put_aside(self, digest: Digest) -> str:
        """Move a damaged object to the folder `quarantine`; see `Blobs`."""
        target = f"{self._root}/{OWN_FOLDER}/quarantine/{self._part}-{digest}-{os.urandom(4).hex()}"
        try:
            with self._translated("written", digest):
                self._files.makedirs(target.rpartition("/")[0], exist_ok=True)
                self._files.mv(self.path(digest), target)
        except NotCached:
            return "nowhere, for somebody else did so"
        return target

    def writers(self) -> str | None:
        """Say who else can write there: who can reach it, unless it is this process's or this machine's."""
        if "memory" in self._protocols:
            return None
        if "file" in self._protocols:
            return Folder(self._root, self._part).writers()
        return "whoever may write to it"

    def _write_and_rename(self, path: str, data: bytes) -> None:
        folder = path.rpartition("/")[0]
        temporary = f"{folder}/.{os.urandom(8).hex()}.tmp"
        self._files.makedirs(folder, exist_ok=True)
        try:
            self._files.pipe_file(temporary, data)
            self._files.mv(temporary, path)
        except BaseException:
            with contextlib.suppress(Exception):
                self._files.rm_file(temporary)
            raise

    def _listed(self, within: str) -> Mapping[str, Mapping[str, object]]:
        try:
            with self._translated("read", "the folder"):
                found = self._files.find(f"{self._folder}{within}", detail=True)
                return cast("Mapping[str, Mapping[str, object]]", found)
        except NotCached:
            return {}

    @contextmanager
    def _translated(self, done: str, sought: str = "") -> Iterator[None]:
        try:
            yield
        except Exception as error:  # every kind of store has errors of its own
            if sought and isinstance(error, FileNotFoundError | NotADirectoryError):
                raise NotCached(f"There is no {sought} in {self._url}.") from error
            what = f"The cache in {self._url} cannot be {done}."
            raise CacheUnavailable(what, detail=repr(error)) from error


def _digest(path: str) -> Digest | None:
    first, _, rest = path.rpartition("/")
    try:
        return Digest.parse(first[-2:] + rest)
    except ValueError:
        return None


def _written(information: Mapping[str, object]) -> float:
    found = next((information[name] for name in _WRITTEN if name in information), 0.0)
    if isinstance(found, str):
        found = datetime.fromisoformat(found)
    return found.timestamp() if isinstance(found, datetime) else float(cast("float", found))
