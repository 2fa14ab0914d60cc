"""What storages tell of the folder that they are in."""

from __future__ import annotations

from treadle.cache.keys.digest import Digest
from treadle.cache.storages.folder import SECONDS_TO_WRITE, Folder


class InFolder:
    """A storage with a file for each value or record."""

    _folder: Folder

    @property
    def root(self) -> str:
        """Its folder, as an absolute path."""
        return self._folder.root

    def path(self, digest: Digest) -> str:
        """Return the file of a value or record."""
        return self._folder.path(digest)

    def size(self, digest: Digest) -> int:
        """Return the bytes that a value or record takes, 0 if it is not there."""
        return self._folder.size(digest)

    def sweep(self, *, older_than: float = SECONDS_TO_WRITE) -> int:
        """Remove files that were left half written; return how many bytes that freed."""
        return self._folder.sweep(older_than=older_than)
