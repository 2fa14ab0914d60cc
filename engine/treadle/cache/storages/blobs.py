"""Where bytes lie by their digests: below values and records that are serialised and enveloped."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Protocol

from treadle.cache.keys.digest import Digest
from treadle.cache.storages.ports import Entry
from treadle.cache.values.compression import Bytes

SECONDS_BETWEEN_TOUCHES = 60
"""A time of use is not written more often than so, for every write takes time."""

SHOWN_KEYS = 16
"""Keys that a search by their beginning returns at most."""


class Blobs(Protocol):
    """A place for bytes. Every method raises CacheUnavailable where the place cannot be read or written."""

    @property
    def place(self) -> str:
        """Its folder or URL, for people."""
        ...

    def read(self, digest: Digest, *, use: bool) -> bytearray:
        """Return all bytes, nobody else's to change.

        Args:
            digest: What they lie under.
            use: Whether this is a use, so that they are not soon evicted.

        Raises:
            NotCached: There are none.
        """
        ...

    def head(self, digest: Digest, size: int) -> bytes:
        """Return the first bytes, at most so many; raises NotCached if there are none."""
        ...

    def write(self, digest: Digest, parts: Sequence[Bytes], *, saved: float | None = None) -> None:
        """Put bytes in place of any that are there; nobody ever reads some of them only.

        Args:
            digest: What they lie under.
            parts: The bytes, in pieces.
            saved: When they count as written, in seconds since 1970 UTC, where times are kept; now if None.
        """
        ...

    def renew(self, digest: Digest) -> bool:
        """Whether there are bytes; if so, they count as written just now."""
        ...

    def exists(self, digest: Digest) -> bool:
        """Whether there are bytes."""
        ...

    def remove(self, digest: Digest) -> int:
        """Remove bytes; return how many they were."""
        ...

    def touch(self, digests: Collection[Digest]) -> None:
        """Note that bytes were used just now."""
        ...

    def entries(self) -> Iterator[Entry]:
        """Yield all there is, in no order."""
        ...

    def starting_with(self, prefix: str) -> list[Digest]:
        """Return digests that begin so, at most 16, in order."""
        ...

    def put_aside(self, digest: Digest) -> str:
        """Move damaged bytes out of the way; return where they are now, for people."""
        ...

    def writers(self) -> str | None:
        """Say who else can put bytes there, as far as can be told; None if nobody."""
        ...
