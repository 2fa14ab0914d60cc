"""What is found wrong with stored bytes; a storage makes a miss of it."""

from __future__ import annotations

from treadle.errors import CacheError


class Damaged(CacheError):
    """Bytes are not what was written: cut short, altered, swapped, or not signed as they have to be."""


class WrittenByNewer(CacheError):
    """A newer Treadle wrote it, in a form unknown here; it is sound and has to be left alone."""
