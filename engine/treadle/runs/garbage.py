"""Python's garbage collector while a run is driven."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

ALLOCATIONS = 50_000


@contextmanager
def rarer_collections() -> Iterator[None]:
    """Let the collector of cycles look at new objects less often than every few hundred.

    A run of many units makes objects by the hundred thousand, which live long and are in no cycles: looking
    at them again and again takes a good part of the driver's time.
    """
    before = gc.get_threshold()
    gc.set_threshold(ALLOCATIONS, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)
