"""A cache of its own for each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from treadle.cache import Cache, Runtime, cache, meta
from treadle.cache.storages.memory import MemoryCalls, MemoryValues


@pytest.fixture
def fresh() -> Iterator[Cache]:
    """A cache in memory, in use within the test."""
    found = Cache(MemoryValues(), MemoryCalls())
    with cache(found), meta(Runtime()):
        yield found
