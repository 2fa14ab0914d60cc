"""What went wrong with leases: told of once, counted always, and never a reason for a call to fail."""

from __future__ import annotations

import logging
import threading
import weakref

from treadle.cache.storages.ports import Leases
from treadle.errors import CacheError

_logger = logging.getLogger("treadle.cache")
_told: weakref.WeakSet[Leases] = weakref.WeakSet()
_lock = threading.Lock()
_count = 0


def note(leases: Leases, error: CacheError) -> None:
    """Count that leases failed; warn the first time that these do."""
    global _count  # noqa: PLW0603  (a figure of the process)
    with _lock:
        _count += 1
        is_new = leases not in _told
        _told.add(leases)
    if is_new:
        text = " ".join(part for part in (str(error), error.detail) if part)
        _logger.warning("Equal calls may run more than once at a time: %s", text)


def count() -> int:
    """Return how often leases failed in this process."""
    return _count
