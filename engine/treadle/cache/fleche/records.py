"""What fleche's files hold, as classes of our own: its pickles become these, fleche need not be installed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from treadle.cache.keys.digest import Digest

if TYPE_CHECKING:
    from pydantic import JsonValue


class OldDigest(Digest):
    """A digest of fleche's. Where one stands in a value, it stands for another value."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class OldCall:
    """A call as fleche has recorded it; its digests are fleche's.

    Attributes:
        key: What it is filed under.
        name: The function's qualified name.
        module: The function's module; None where it is no part of the key.
        version: The function's version; None where it is no part of the key, or has none.
        code: fleche's digest of the function; None where it is no part of the key.
        arguments: Digests of the arguments, in the order of the signature.
        result: Digest of the result; None for a call that has not come to its end.
        metadata: JSON objects by the name of what collected them.
        saved: When it was written, in seconds since 1970 UTC; 0 where nothing tells.
    """

    key: Digest
    name: str
    module: str | None
    version: int | str | None
    code: OldDigest | None
    arguments: Mapping[str, OldDigest]
    result: OldDigest | None
    metadata: Mapping[str, JsonValue] = field(default_factory=dict)
    saved: float = 0.0


def ended_at(metadata: Mapping[str, object]) -> float:
    """Return when a call ended, as fleche's metadata say; 0 where they do not."""
    runtime = metadata.get("runtime")
    ended = runtime.get("timestop") if isinstance(runtime, Mapping) else None
    return float(ended) if isinstance(ended, int | float) else 0.0


class PickledCall:
    """A record as its pickle makes it: whatever attributes that sets."""

    def as_call(self, key: Digest, saved: float) -> OldCall:
        """Take it for a record.

        Raises:
            ValueError: It is none.
        """
        found = {"module": None, "version": None, "code_digest": None, "result": None, **vars(self)}
        arguments = found.get("arguments")
        if not (
            isinstance(found.get("name"), str)
            and isinstance(arguments, dict)
            and all(
                isinstance(name, str) and isinstance(value, OldDigest) for name, value in arguments.items()
            )
            and isinstance(found["module"], str | None)
            and isinstance(found["version"], int | str | None)
            and isinstance(found["code_digest"], str | None)
            and isinstance(found["result"], OldDigest | None)
        ):
            raise ValueError("it is no record of a call")
        metadata = dict(found.get("metadata") or {})
        return OldCall(
            key=key,
            name=found["name"],
            module=found["module"],
            version=found["version"],
            code=None if found["code_digest"] is None else OldDigest(found["code_digest"]),
            arguments=arguments,
            result=found["result"],
            metadata=metadata,
            saved=ended_at(metadata) or saved,
        )


Load = Callable[[Digest], object]
"""Returns a value by its digest."""


class Split(Protocol):
    """A value whose children fleche has stored by themselves: digests stand for them."""

    def whole(self, load: Load) -> object:
        """Put it together; raises what `load` raises."""
        ...


@dataclass
class SplitIterable:
    """A list or tuple."""

    items: list[object] | tuple[object, ...]

    def whole(self, load: Load) -> object:
        """See `Split`."""
        return type(self.items)(_child(item, load) for item in self.items)


@dataclass
class SplitDict:
    """A dictionary; its keys can be digests, too."""

    items: dict[object, object]

    def whole(self, load: Load) -> object:
        """See `Split`."""
        return {_child(key, load): _child(value, load) for key, value in self.items.items()}


@dataclass
class SplitFields:
    """An instance of a dataclass, or of an attrs class; it is made without its `__init__`."""

    cls: type
    fields: dict[str, object]

    def whole(self, load: Load) -> object:
        """See `Split`."""
        made: object = object.__new__(self.cls)
        for name, value in self.fields.items():
            object.__setattr__(made, name, _child(value, load))
        return made


def _child(value: object, load: Load) -> object:
    return load(value) if isinstance(value, OldDigest) else value


CLASSES: Mapping[tuple[str, str], type] = {
    ("fleche.digest", "Digest"): OldDigest,
    ("fleche.call", "DigestedCall"): PickledCall,
    ("fleche.storage.destructuring", "DigestedIterable"): SplitIterable,
    ("fleche.storage.destructuring", "DigestedDict"): SplitDict,
    ("fleche.storage.destructuring", "DigestedDataclass"): SplitFields,
    ("fleche.storage.destructuring", "DigestedAttrs"): SplitFields,
    ("fleche.caches", "DigestedIterable"): SplitIterable,
    ("fleche.caches", "DigestedDict"): SplitDict,
}
"""fleche's classes by module and name, of all its versions, and what stands for them here."""
