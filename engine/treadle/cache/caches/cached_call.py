"""A record as a cache has it: the record, and the way to its values."""

from __future__ import annotations

from typing import Protocol

from treadle.cache.keys.digest import Digest
from treadle.cache.records import CallRecord, Inline, Kept
from treadle.errors import NotCached


class SupportsLoad(Protocol):
    """Whatever has values by their addresses."""

    def load_value(self, digest: Digest) -> object:
        """Return a value; raises NotCached or CacheUnavailable."""
        ...


class Cached:
    """A record as a cache has it; its values are read when they are asked for.

    Attributes:
        record: The record.
    """

    __slots__ = ("_values", "record")

    def __init__(self, record: CallRecord, values: SupportsLoad) -> None:
        self.record = record
        self._values = values

    def result(self) -> object:
        """Return the value that the call returned, or the exception that it raised.

        Raises:
            NotCached: The record's value is gone.
            CacheUnavailable: It cannot be read now.
        """
        return self._value(self.record.result)

    def arguments(self) -> dict[str, object]:
        """Return the arguments that were kept, by name; errors are those of `result`."""
        kept = {argument.name: argument.value for argument in self.record.arguments}
        return {name: self._value(value) for name, value in kept.items() if value is not None}

    def argument(self, name: str) -> object:
        """Return one argument; errors are those of `result`, or NotCached where it was not kept."""
        for argument in self.record.arguments:
            if argument.name == name and argument.value is not None:
                return self._value(argument.value)
        raise NotCached(f"Of the call {self.record.key} no argument {name!r} is kept.")

    def _value(self, kept: Kept) -> object:
        return kept.value if isinstance(kept, Inline) else self._values.load_value(kept.digest)

    def __repr__(self) -> str:
        return f"<call {self.record.name} {self.record.key[:12]}>"
