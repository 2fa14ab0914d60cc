"""A folder of files, each named by a digest, in sub-folders by its first two characters.

A file is written beside its place and renamed, so a reader sees all of it or nothing. Nothing is flushed to
disk: a file that a power cut left short fails its check, and costs one computation instead of a flush each.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Collection, Iterator, Sequence

from treadle.cache.keys.digest import Digest
from treadle.cache.storages.blobs import SECONDS_BETWEEN_TOUCHES, SHOWN_KEYS
from treadle.cache.storages.ports import Entry
from treadle.cache.values.compression import Bytes
from treadle.cache.values.unpickling import writable_by_others
from treadle.errors import CacheUnavailable, NotCached

OWN_FOLDER = ".treadle"
"""Folder within a storage's root that Treadle writes to; all else there is somebody else's."""

SECONDS_TO_WRITE = 86_400
"""What is still half written after so long was left by a process that died."""

_PARTS_AT_ONCE = 512  # POSIX lets systems refuse more than 16; those of today take 1024
_TEMPORARY = ".tmp"
_READ = os.O_RDONLY | os.O_CLOEXEC
_LOOK = _READ | getattr(os, "O_NOATIME", 0)  # to look at a file is no use of it
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC


class Folder:
    """Bytes in files: `<root>/.treadle/<part>/ab/cdef…`.

    Args:
        root: Folder of the storage; it is made when something is written.
        part: Name of the sub-folder.
        suffix: End of every file's name.
    """

    def __init__(self, root: str | os.PathLike[str], part: str, *, suffix: str = "") -> None:
        self.root = os.path.abspath(os.path.expanduser(os.fspath(root)))
        self._part = part
        self._folder = os.path.join(self.root, OWN_FOLDER, part)
        self._suffix = suffix

    @property
    def place(self) -> str:
        """Its root."""
        return self.root

    def path(self, digest: Digest) -> str:
        """Return the file of a digest."""
        return f"{self._folder}/{digest[:2]}/{digest[2:]}{self._suffix}"

    def read(self, digest: Digest, *, use: bool) -> bytearray:
        """Return a file's bytes; see `Blobs`."""
        descriptor = self._open(digest, _READ if use else _LOOK)
        try:
            status = os.fstat(descriptor)
            data = _read(descriptor, status.st_size)
            if use and time.time() - status.st_atime > SECONDS_BETWEEN_TOUCHES:
                with contextlib.suppress(OSError):  # a folder that is only read
                    os.utime(descriptor, ns=(time.time_ns(), status.st_mtime_ns))
        except OSError as error:
            raise self._unavailable("read", error) from error
        finally:
            os.close(descriptor)
        return data

    def head(self, digest: Digest, size: int) -> bytes:
        """Return a file's first bytes; see `Blobs`."""
        descriptor = self._open(digest, _LOOK)
        try:
            return os.read(descriptor, size)
        except OSError as error:
            raise self._unavailable("read", error) from error
        finally:
            os.close(descriptor)

    def write(self, digest: Digest, parts: Sequence[Bytes], *, saved: float | None = None) -> None:
        """Write a file beside its place, then move it there; see `Blobs`."""
        path = self.path(digest)
        temporary = f"{self._folder}/{digest[:2]}/.{os.urandom(8).hex()}{_TEMPORARY}"
        try:
            try:
                descriptor = self._create(temporary)
                try:
                    _write(descriptor, parts)
                    if saved is not None:
                        os.utime(descriptor, (time.time(), saved))
                finally:
                    os.close(descriptor)
                os.rename(temporary, path)
            except BaseException:
                with contextlib.suppress(OSError):
                    os.unlink(temporary)
                raise
        except OSError as error:
            raise self._unavailable("written", error) from error

    def renew(self, digest: Digest) -> bool:
        """Set a file's times to now, if there is one; see `Blobs`."""
        path = self.path(digest)
        try:
            status = os.stat(path)
            if not status.st_size:  # what a power cut leaves of a file that was not flushed
                return False
            if time.time() - status.st_mtime > SECONDS_BETWEEN_TOUCHES:
                with contextlib.suppress(
                    PermissionError
                ):  # another user's file: whoever cleans up has to wait
                    os.utime(path)
        except (FileNotFoundError, NotADirectoryError):
            return False
        except OSError as error:
            raise self._unavailable("read", error) from error
        return True

    def exists(self, digest: Digest) -> bool:
        """Whether there is a file."""
        return os.path.exists(self.path(digest))

    def size(self, digest: Digest) -> int:
        """Return how many bytes a file has, 0 if there is none."""
        try:
            return os.stat(self.path(digest)).st_size
        except (FileNotFoundError, NotADirectoryError):
            return 0
        except OSError as error:
            raise self._unavailable("read", error) from error

    def remove(self, digest: Digest) -> int:
        """Remove a file; see `Blobs`."""
        path = self.path(digest)
        try:
            size = os.stat(path).st_size
            os.unlink(path)
        except FileNotFoundError:
            return 0
        except OSError as error:
            raise self._unavailable("written", error) from error
        return size

    def touch(self, digests: Collection[Digest]) -> None:
        """Set the times of use of files, unless they were set in the last minute."""
        for digest in digests:
            path = self.path(digest)
            with contextlib.suppress(OSError):  # it is gone, or in a folder that is only read
                status = os.stat(path)
                if time.time() - status.st_atime > SECONDS_BETWEEN_TOUCHES:
                    os.utime(path, ns=(time.time_ns(), status.st_mtime_ns))

    def entries(self) -> Iterator[Entry]:
        """Yield what is there by the files' names and times; see `Blobs`."""
        for first in self._listed(self._folder):
            for name in self._listed(f"{self._folder}/{first}"):
                digest = self._digest(first, name)
                if digest is not None:
                    with contextlib.suppress(FileNotFoundError):  # removed meanwhile
                        status = os.stat(self.path(digest))
                        yield Entry(
                            digest, status.st_size, status.st_mtime, max(status.st_atime, status.st_mtime)
                        )

    def starting_with(self, prefix: str) -> list[Digest]:
        """Return digests that begin so; see `Blobs`."""
        wanted = prefix.lower()
        found: list[Digest] = []
        for first in sorted(self._listed(self._folder)):
            if first.startswith(wanted[:2]):
                names = (self._digest(first, name) for name in self._listed(f"{self._folder}/{first}"))
                found += sorted(digest for digest in names if digest and digest.startswith(wanted))
            if len(found) >= SHOWN_KEYS:
                break
        return found[:SHOWN_KEYS]

    def put_aside(self, digest: Digest) -> str:
        """Move a damaged file to the folder `quarantine`; see `Blobs`."""
        quarantine = f"{self.root}/{OWN_FOLDER}/quarantine"
        target = f"{quarantine}/{self._part}-{digest}-{time.time_ns()}"
        try:
            os.makedirs(quarantine, exist_ok=True)
            os.rename(self.path(digest), target)
        except FileNotFoundError:
            return "nowhere, for somebody else did so"
        except OSError as error:
            raise self._unavailable("written", error) from error
        return target

    def sweep(self, *, older_than: float = SECONDS_TO_WRITE) -> int:
        """Remove what processes that died left half written; return how many bytes that freed.

        Args:
            older_than: Seconds since it was last written to.
        """
        freed = 0
        for first in self._listed(self._folder):
            for name in self._listed(f"{self._folder}/{first}"):
                path = f"{self._folder}/{first}/{name}"
                with contextlib.suppress(OSError):  # finished meanwhile, or another user's
                    if name.endswith(_TEMPORARY) and time.time() - os.stat(path).st_mtime > older_than:
                        size = os.stat(path).st_size
                        os.unlink(path)
                        freed += size
        return freed

    def writers(self) -> str | None:
        """Say who else can write into the root or the folders below it."""
        places = (self.root, os.path.dirname(self._folder), self._folder)
        return next((writer for place in places if (writer := writable_by_others(place))), None)

    def _open(self, digest: Digest, flags: int) -> int:
        try:
            return os.open(self.path(digest), flags)
        except PermissionError as error:
            if flags != _READ:  # another user's file, whose time of use cannot be left alone
                return self._open(digest, _READ)
            raise self._unavailable("read", error) from error
        except (FileNotFoundError, NotADirectoryError):
            raise NotCached(f"There is nothing of {digest} in {self.root}.") from None
        except OSError as error:
            raise self._unavailable("read", error) from error

    def _create(self, path: str) -> int:
        try:
            return os.open(path, _NEW, 0o666)
        except FileNotFoundError:
            os.makedirs(os.path.dirname(path), exist_ok=True)
            return os.open(path, _NEW, 0o666)

    def _listed(self, folder: str) -> list[str]:
        try:
            return os.listdir(folder)
        except (FileNotFoundError, NotADirectoryError):
            return []
        except OSError as error:
            raise self._unavailable("read", error) from error

    def _digest(self, first: str, name: str) -> Digest | None:
        if not name.endswith(self._suffix):
            return None
        try:
            return Digest.parse(first + name.removesuffix(self._suffix))
        except ValueError:
            return None

    def _unavailable(self, done: str, error: OSError) -> CacheUnavailable:
        return CacheUnavailable(
            f"The cache in {self.root} cannot be {done}: {error.strerror or error}.",
            remedy="Look for free space, quota and rights there.",
            detail=str(error),
        )


def _read(descriptor: int, size: int) -> bytearray:
    data = bytearray(size)
    count = os.readv(descriptor, [data])
    while count < size and (more := os.readv(descriptor, [memoryview(data)[count:]])):
        count += more  # one call reads 2 GiB at most
    del data[count:]
    return data


def _write(descriptor: int, parts: Sequence[Bytes]) -> None:
    for start in range(0, len(parts), _PARTS_AT_ONCE):
        some = parts[start : start + _PARTS_AT_ONCE]
        written = os.writev(descriptor, some)
        if written < sum(map(len, some)):
            rest = memoryview(b"".join(some))[written:]
            while rest:
                rest = rest[os.write(descriptor, rest) :]
