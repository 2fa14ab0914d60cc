"""Items on their way from one parallel step to the next, which begins before the first has ended."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from enum import Enum, auto

from treadle.model.dataset import Item


class FeedState(Enum):
    """Whether more may come: yes; no, the step is done; no, the step has ended otherwise."""

    OPEN = auto()
    COMPLETE = auto()
    BROKEN = auto()


class Feed:
    """Connects two steps, each in a thread of its own.

    Args:
        on_begin: Called once, when the next step has something to do or to know.
    """

    def __init__(self, on_begin: Callable[[], None]) -> None:
        self._lock = threading.Lock()
        self._on_begin = on_begin
        self._wake: Callable[[], None] | None = None
        self._items: list[Item] = []
        self._state = FeedState.OPEN
        self._has_begun = False

    @property
    def has_begun(self) -> bool:
        """Whether anything was put in, or the feed closed."""
        return self._has_begun

    @property
    def is_open(self) -> bool:
        """Whether the first step has not ended."""
        return self._state is FeedState.OPEN

    def put(self, items: Sequence[Item]) -> None:
        """Pass on items that are as they will be when the first step has ended."""
        with self._lock:
            self._items.extend(items)
        if items:
            self._announce()

    def close(self, *, complete: bool) -> None:
        """Say that the first step has ended, and whether it is done: its items are then in the dataset."""
        with self._lock:
            if self._state is FeedState.OPEN:
                self._state = FeedState.COMPLETE if complete else FeedState.BROKEN
        self._announce()

    def listen(self, wake: Callable[[], None]) -> None:
        """Have `wake` called whenever `take` would return something new, beginning now."""
        self._wake = wake
        wake()

    def take(self) -> tuple[list[Item], FeedState]:
        """Return the items since the last time, and whether these were all."""
        with self._lock:
            items, self._items = self._items, []
            return items, self._state

    def _announce(self) -> None:
        with self._lock:
            first, self._has_begun = not self._has_begun, True
            wake = self._wake
        if first:
            self._on_begin()
        if wake is not None:
            wake()
