"""What a storage is: all that its author reads.

Values and calls are kept apart, so that equal values are stored once and calls can be queried. A storage
serves many threads and processes at once. `treadle.testing.cache` has the tests that every one passes.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from treadle.cache.keys.digest import Digest
from treadle.cache.records import CallRecord

if TYPE_CHECKING:
    from pydantic import JsonValue


@dataclass(frozen=True, slots=True)
class Entry:
    """One value or record as a storage has it.

    Attributes:
        digest: Its address or key.
        size: Bytes that it takes.
        saved: When it was written, in seconds since 1970 UTC.
        used: When it was last asked for, to within a minute.
    """

    digest: Digest
    size: int
    saved: float
    used: float


class ValueStorage(Protocol):
    """Values by a digest of their own serialised bytes, the serialiser's name included."""

    def save(self, value: object) -> Digest:
        """Keep a value, unless it is there, and return its address.

        Raises:
            Unstorable: A value of that type cannot be kept here.
            CacheUnavailable: It cannot be written: no room, no rights, no answer.
        """
        ...

    def load(self, digest: Digest) -> object:
        """Return a value: equal to what was saved, of the same type, and nobody else's to change.

        One that is damaged or wrongly signed is put aside, told of once, and no longer there.

        Raises:
            NotCached: There is none.
            CacheUnavailable: It cannot be read now.
        """
        ...

    def contains(self, digest: Digest) -> bool:
        """Whether the value is there, as far as can be told without reading it."""
        ...

    def evict(self, digest: Digest) -> int:
        """Remove a value; return how many bytes that freed, 0 if it was not there."""
        ...

    def children(self, digest: Digest) -> Collection[Digest]:
        """Return the values that a value was split into; none if it is not there."""
        ...

    def entries(self) -> Iterator[Entry]:
        """Yield what is there, in no order, without reading the values themselves."""
        ...


@runtime_checkable
class SupportsSweep(Protocol):
    """A storage in which a process that dies can leave something half written; nobody ever reads that."""

    def sweep(self, *, older_than: float = ...) -> int:
        """Remove what was left.

        Args:
            older_than: Seconds since it was last written to.

        Returns:
            How many bytes that freed.
        """
        ...


@dataclass(frozen=True, slots=True)
class Template:
    """What calls are asked for; whatever is None or missing matches all.

    Attributes:
        name: The function's qualified name.
        module: The function's module.
        version: The function's version.
        code: Digest of the function's source.
        arguments: What arguments add to the key, by name.
        result: What the result adds to the key of a call that takes it.
        metadata: Values that the collected metadata has, as nested objects: those given must be there.
    """

    name: str | None = None
    module: str | None = None
    version: int | str | None = None
    code: Digest | None = None
    arguments: Mapping[str, Digest] = field(default_factory=dict)
    result: Digest | None = None
    metadata: Mapping[str, JsonValue] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to run a call, for a while.

    Attributes:
        key: The call's key.
        token: Grows with each lease of this key: who comes with an older one is refused.
        holder: Host, process and thread that hold it, for people.
    """

    key: Digest
    token: int
    holder: str


class Leases(Protocol):
    """Who runs which call now, among all who share a call storage."""

    def acquire(self, key: Digest, *, seconds: float, keeping: Collection[Digest] = ()) -> Lease | None:
        """Take the lease of a call, if nobody holds it or its holder has not renewed it in time.

        Args:
            key: The call's key.
            seconds: How long it lasts unless it is renewed.
            keeping: Values that the call needs, which garbage collection must leave.
        """
        ...

    def renew(self, leases: Collection[Lease], *, seconds: float) -> set[Digest]:
        """Make leases last so long from now; return the keys of those that are still held."""
        ...

    def holds(self, lease: Lease) -> bool:
        """Whether nobody has taken it over."""
        ...

    def release(self, lease: Lease) -> None:
        """Give it back; nothing happens if somebody has taken it over."""
        ...

    def kept(self) -> set[Digest]:
        """Return the values that calls now running need."""
        ...


@runtime_checkable
class SavesMany(Protocol):
    """A call storage that writes many records faster than one by one."""

    def save_many(self, records: Iterable[CallRecord]) -> None:
        """Keep records, all or none; errors are those of `CallStorage.save`."""
        ...


class CallStorage(Protocol):
    """Records by the key of their call."""

    @property
    def leases(self) -> Leases:
        """The leases of those who share it."""
        ...

    def save(self, record: CallRecord, *, lease: Lease | None = None) -> None:
        """Keep a record in place of an older one with its key.

        Args:
            record: The record.
            lease: The lease under which the call ran.

        Raises:
            CacheRefused: The lease was lost meanwhile.
            CacheUnavailable: It cannot be written: no room, no rights, no answer.
        """
        ...

    def load(self, key: Digest) -> CallRecord:
        """Return a record; one that is damaged or wrongly signed is put aside, told of once, and gone.

        Raises:
            NotCached: There is none.
            CacheUnavailable: It cannot be read now.
        """
        ...

    def load_many(self, keys: Iterable[Digest]) -> dict[Digest, CallRecord]:
        """Return the records that are there of these keys."""
        ...

    def contains(self, key: Digest) -> bool:
        """Whether there is a record."""
        ...

    def evict(self, key: Digest) -> int:
        """Remove a record; return how many bytes that freed, 0 if it was not there."""
        ...

    def find(self, template: Template) -> Iterator[CallRecord]:
        """Yield the matching records, the latest first; more are read only as they are asked for."""
        ...

    def touch(self, keys: Collection[Digest]) -> None:
        """Note that records were used just now."""
        ...

    def entries(self) -> Iterator[Entry]:
        """Yield what is there, in no order, without reading the records themselves."""
        ...

    def starting_with(self, prefix: str) -> list[Digest]:
        """Return the keys that begin so, at most 16 of them, in order."""
        ...


@runtime_checkable
class Measured(Protocol):
    """What a storage may be able to do: tell the size of one value or record without a list of all."""

    def size(self, digest: Digest) -> int:
        """Return the bytes that it takes, 0 if it is not there."""
        ...


@runtime_checkable
class Configured(Protocol):
    """What a storage may be able to do: say how a configuration spells it."""

    def to_config(self) -> dict[str, object]:
        """Return its table: its type, and the keys that are not at their defaults; secrets included."""
        ...


@runtime_checkable
class Bytewise(Protocol):
    """What a storage of values may be able to do: give and take values as the bytes that it keeps."""

    def read_bytes(self, digest: Digest) -> bytes | bytearray:
        """Return a value's envelope as it is, not yet verified; raises NotCached or CacheUnavailable."""
        ...

    def write_bytes(self, digest: Digest, data: bytes | bytearray) -> None:
        """Keep an envelope from elsewhere, once it is verified; what is in it is not looked at.

        Raises:
            CacheRefused: It is damaged, of another value, or not signed as this storage wants it.
            CacheUnavailable: It cannot be written.
        """
        ...

    def renew(self, digest: Digest) -> bool:
        """Whether the value is there; if so, it counts as written just now."""
        ...


@runtime_checkable
class Checkable(Protocol):
    """What a storage of values may be able to do: verify a value without making it."""

    def check(self, digest: Digest) -> bool:
        """Whether a value is sound; one that is damaged is put aside, and one that is gone is not sound."""
        ...


@runtime_checkable
class Sweepable(Protocol):
    """What a storage may be able to do: remove what processes that died left half written."""

    def sweep(self) -> int:
        """Remove it, and return how many bytes that freed."""
        ...
