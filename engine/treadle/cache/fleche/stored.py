"""Values and records in fleche's folders, whatever their files are made of."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from treadle.cache.fleche.files import as_digest
from treadle.cache.fleche.records import OldCall, PickledCall, SplitDict, SplitFields, SplitIterable
from treadle.cache.keys.digest import Digest
from treadle.errors import NotCached

_LISTED = 16


class Filed(Protocol):
    """A folder of fleche's."""

    def digests(self) -> Iterator[Digest]:
        """Yield the digests of what is there; raises CacheUnavailable."""
        ...

    def contains(self, digest: Digest) -> bool:
        """Whether there is a file for it."""
        ...

    def read(self, digest: Digest) -> tuple[object, float]:
        """Return what is filed under a digest, and when; raises NotCached or CacheUnavailable."""
        ...


class FiledValues:
    """Values in a folder.

    Args:
        folder: The folder.
    """

    def __init__(self, folder: Filed) -> None:
        self._folder = folder

    def load(self, digest: Digest) -> object:
        """Return a value with all that was split off it."""
        value, _ = _read(self._folder, digest)
        return value.whole(self.load) if isinstance(value, SplitIterable | SplitDict | SplitFields) else value

    def contains(self, digest: Digest) -> bool:
        """Whether there is a file for it."""
        return as_digest(digest) is not None and self._folder.contains(digest)

    def digests(self) -> Iterator[Digest]:
        """Yield the digests of what is there."""
        return self._folder.digests()


class FiledCalls:
    """Records in a folder; each file is read to find them by anything but their keys.

    Args:
        folder: The folder.
    """

    def __init__(self, folder: Filed) -> None:
        self._folder = folder

    def load(self, key: Digest) -> OldCall:
        """Return a record."""
        found, saved = _read(self._folder, key)
        if not isinstance(found, PickledCall):
            raise NotCached(f"What is filed under {key} is a {type(found).__name__}, no record.")
        try:
            return found.as_call(key, saved)
        except ValueError as error:
            raise NotCached(f"What is filed under {key} cannot be used: {error}.") from error

    def find(self, *, name: str | None = None, module: str | None = None) -> Iterator[OldCall]:
        """Yield the records of a function, or of a module."""
        for key in self._folder.digests():
            try:
                call = self.load(key)
            except NotCached:
                continue
            if name in (None, call.name) and module in (None, call.module):
                yield call

    def starting_with(self, prefix: str) -> list[Digest]:
        """Return keys that begin so."""
        return sorted(key for key in self._folder.digests() if key.startswith(prefix))[:_LISTED]


def _read(folder: Filed, digest: Digest) -> tuple[object, float]:
    """Read by a digest that may come from a file, and so must not lead out of the folder."""
    known = as_digest(digest)
    if known is None:
        raise NotCached(f"{digest!r} is no digest of fleche's.")
    return folder.read(known)
