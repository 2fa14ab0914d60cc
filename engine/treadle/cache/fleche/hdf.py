"""fleche's HDF5 files, written by bagofholding: one for all keys that begin alike, or one for each key."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from treadle.cache.fleche.files import OldFolder, as_digest
from treadle.cache.fleche.unpickling import Damaged, Permits
from treadle.cache.keys.digest import DIGEST_LENGTH, Digest
from treadle.errors import NotCached

_SUFFIX = ".h5"


class HdfFolder(OldFolder):
    """Files in which bagofholding has stored what it took apart.

    Args:
        root: The folder.
        versions: How alike the versions of libraries must be to those a value was stored with: `exact`,
            `semantic-minor`, `semantic-major` or `none`.
        permitted: What the values may use; anything if None.
    """

    def __init__(self, root: Path, versions: str = "none", permitted: Permits | None = None) -> None:
        super().__init__(root)
        self._versions = versions
        self._permitted = permitted

    def digests(self) -> Iterator[Digest]:
        """Yield the digests of what is there; files that cannot be opened are passed over."""
        for name in self.names():
            found = as_digest(name)
            if found is not None:
                yield found
            elif name.endswith(_SUFFIX):
                try:
                    yield from self._in_file(self.root / name)
                except NotCached:
                    continue

    def contains(self, digest: Digest) -> bool:
        """Whether there is a file for it, or for those that begin like it."""
        return self._file_of(digest) is not None

    def read(self, digest: Digest) -> tuple[object, float]:
        """Return what is filed under a digest, and when its file was last written."""
        from treadle.cache.fleche.hdf_bag import read

        path = self._file_of(digest)
        if path is None:
            raise NotCached(f"There is no {digest} in {self.root}.")
        with self.reading(path):
            saved = path.stat().st_mtime
        try:
            return read(path, digest, self._versions, self._permitted), saved
        except Damaged as error:
            raise self.damaged(path, error) from error

    def _in_file(self, path: Path) -> list[Digest]:
        from treadle.cache.fleche.hdf_bag import groups

        try:
            found = map(as_digest, groups(path))
        except Damaged as error:
            raise self.damaged(path, error) from error
        return [digest for digest in found if digest is not None]

    def _file_of(self, digest: Digest) -> Path | None:
        """The file that has a digest, whatever length of beginning it is named by."""
        names = (digest, *(f"{digest[:length]}{_SUFFIX}" for length in range(1, DIGEST_LENGTH + 1)))
        return next((self.root / name for name in names if (self.root / name).is_file()), None)
