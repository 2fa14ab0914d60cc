"""Which values are still needed: by records, and by the values that were split into them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from itertools import chain

from treadle.cache.keys.digest import Digest
from treadle.cache.records import CallRecord, Stored


def values_of(record: CallRecord) -> frozenset[Digest]:
    """Return the values that a record names."""
    kept = chain([record.result], (argument.value for argument in record.arguments))
    return frozenset(value.digest for value in kept if isinstance(value, Stored))


def reachable(roots: Iterable[Digest], children: Callable[[Digest], Collection[Digest]]) -> set[Digest]:
    """Return values and all that they were split into.

    Args:
        roots: The values.
        children: What a value was split into.
    """
    found: set[Digest] = set()
    left = list(roots)
    while left:
        value = left.pop()
        if value not in found:
            found.add(value)
            left.extend(children(value))
    return found


class References:
    """How often each value is needed.

    A value that is needed at all needs its children once, however often it is needed itself. What a value was
    split into follows from its address, so it is asked for once.

    Args:
        children: What a value was split into.
    """

    def __init__(self, children: Callable[[Digest], Collection[Digest]]) -> None:
        self._children = children
        self._counts: dict[Digest, int] = {}
        self._split: dict[Digest, Collection[Digest]] = {}

    def __contains__(self, value: Digest) -> bool:
        return value in self._counts

    def add(self, values: Iterable[Digest]) -> list[Digest]:
        """Count values once more; return those that nobody needed before."""
        new = []
        left = list(values)
        while left:
            value = left.pop()
            self._counts[value] = self._counts.get(value, 0) + 1
            if self._counts[value] == 1:
                new.append(value)
                children = tuple(self._children(value))
                if children:
                    self._split[value] = children
                left.extend(children)
        return new

    def remove(self, values: Iterable[Digest]) -> list[Digest]:
        """Count values once less; return those that nobody needs any more, each before its children."""
        unneeded = []
        left = list(values)
        while left:
            value = left.pop()
            count = self._counts.pop(value, 0) - 1
            if count > 0:
                self._counts[value] = count
            elif count == 0:
                unneeded.append(value)
                left.extend(self._split.pop(value, ()))
        return unneeded
