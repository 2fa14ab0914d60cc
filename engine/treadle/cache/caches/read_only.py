"""A cache that is only read, such as a colleague's."""

from __future__ import annotations

from treadle.cache.caches.over import Over, Refusing


class ReadOnly(Refusing, Over):
    """Serves what the cache below has, and changes nothing there."""
