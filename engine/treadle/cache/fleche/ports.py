"""What is read of fleche's storages. Nothing is ever written to them, nor created where there is nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from treadle.cache.fleche.records import OldCall
from treadle.cache.keys.digest import Digest


class OldValues(Protocol):
    """Values by fleche's digests."""

    def load(self, digest: Digest) -> object:
        """Return a value with all that was split off it.

        A file that is damaged, or not signed as it has to be, is told of once and as if it were not there.

        Raises:
            NotCached: There is none.
            CacheUnavailable: It cannot be read now.
        """
        ...

    def contains(self, digest: Digest) -> bool:
        """Whether the value is there, as far as can be told without reading it."""
        ...

    def digests(self) -> Iterator[Digest]:
        """Yield the digests of what is there; raises CacheUnavailable."""
        ...


class OldCalls(Protocol):
    """Records by fleche's keys."""

    def load(self, key: Digest) -> OldCall:
        """Return a record; errors and damage as with values."""
        ...

    def find(self, *, name: str | None = None, module: str | None = None) -> Iterator[OldCall]:
        """Yield the records of a function, or of a module; of all if neither is given.

        Raises:
            CacheUnavailable: They cannot be read now.
        """
        ...

    def starting_with(self, prefix: str) -> list[Digest]:
        """Return keys that begin so, at most 16, in order; raises CacheUnavailable."""
        ...
