"""Where units are kept that other runs may reuse: the cache of the home folder, beside cached calls."""

from __future__ import annotations

import threading
from pathlib import Path

from treadle.cache.caches.base import BaseCache
from treadle.model.plan import Plan
from treadle.model.reuse import Reuse
from treadle.settings import Settings

_open: dict[Path, BaseCache] = {}
_lock = threading.Lock()


def unit_cache(settings: Settings) -> BaseCache:
    """Return the cache of a home folder; nothing is made there before it is used."""
    from treadle.cache.caches.cache import Cache
    from treadle.cache.storages.files import FileValues
    from treadle.cache.storages.sql.calls import SqlCalls

    folder = settings.call_cache_folder
    with _lock:
        if folder not in _open:
            _open[folder] = Cache(FileValues(folder / "values"), SqlCalls(folder / "calls.db"))
        return _open[folder]


def unit_cache_of(plan: Plan, settings: Settings) -> BaseCache | None:
    """Return the cache that a run needs; None if none of its steps reuses anything."""
    wanted = any(planned.reuse is not Reuse.NEVER for planned in plan.steps)
    return unit_cache(settings) if wanted else None
