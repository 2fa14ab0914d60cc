"""fleche's folders of pickles: a file for each value or record, named by its digest."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from treadle.cache.fleche.files import OldFolder, as_digest
from treadle.cache.fleche.unpickling import Damaged, Permits, pickle_in, unpickle
from treadle.cache.keys.digest import Digest


class PickleFolder(OldFolder):
    """Files pickled by pickle, cloudpickle or dill, compressed or not, signed or not.

    Args:
        root: The folder.
        keys: Keys of which one must have signed a file; none if that does not count.
        permitted: What the pickles may use; anything if None.
    """

    def __init__(self, root: Path, keys: Sequence[bytes] = (), permitted: Permits | None = None) -> None:
        super().__init__(root)
        self._keys = tuple(keys)
        self._permitted = permitted

    def digests(self) -> Iterator[Digest]:
        """Yield the digests of what is there."""
        found = map(as_digest, self.names())
        return (digest for digest in found if digest is not None)

    def contains(self, digest: Digest) -> bool:
        """Whether there is a file for it."""
        return (self.root / digest).is_file()

    def read(self, digest: Digest) -> tuple[object, float]:
        """Return what is filed under a digest, and when it was written."""
        path = self.root / digest
        with self.reading(path):
            content, saved = path.read_bytes(), path.stat().st_mtime
        try:
            return unpickle(pickle_in(content, self._keys), self._permitted), saved
        except Damaged as error:
            raise self.damaged(path, error) from error
