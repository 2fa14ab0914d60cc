"""Storages in the memory of a process: nobody's change of a value ever reaches another's."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import cast

from treadle.cache.keys.digest import Digest
from treadle.cache.leases import MemoryLeases
from treadle.cache.record_json import decode_record, encode_record
from treadle.cache.records import CallRecord
from treadle.cache.registry import CODECS
from treadle.cache.storages.blobs import SHOWN_KEYS
from treadle.cache.storages.encoded import refuse_lost_lease
from treadle.cache.storages.matching import matches
from treadle.cache.storages.ports import Entry, Lease, Leases, Template
from treadle.cache.troubles import Troubles
from treadle.cache.values.compression import Bytes
from treadle.cache.values.envelope import Letter
from treadle.cache.values.splitting import Skeleton, Splitting, mend
from treadle.errors import NotCached

_AS_THEY_ARE = frozenset({str, bytes, int, float, complex, bool, type(None)})
"""Types whose values nobody can change."""


@dataclass(slots=True)
class _Held:
    payload: Bytes | None
    atom: object
    size: int
    children: tuple[Digest, ...]
    saved: float
    used: float


class MemoryValues:
    """Values that end with the process: atoms as they are, others serialised, a copy in and a copy out.

    Args:
        codec: Name of the serialiser.
        depth: Containers nested so deep are split; None keeps every value whole.

    Attributes:
        troubles: What went wrong without failing a call.
    """

    def __init__(self, *, codec: str = "cloudpickle", depth: int | None = None) -> None:
        self._codec = CODECS.get(codec)
        self._depth = depth
        self._held: dict[Digest, _Held] = {}
        self.troubles = Troubles("memory")

    def save(self, value: object) -> Digest:
        """Keep a value; see `ValueStorage`."""
        if type(value) in _AS_THEY_ARE:
            letter = Letter(self._codec.dumps(value), self._codec.name)
            return self._hold(letter, _Held(None, value, letter.length, (), 0, 0))
        if self._depth is None:
            return self._write(self._codec.dumps(value), ())
        return Splitting(self._codec, self._depth, self._write).keep(value)

    def load(self, digest: Digest) -> object:
        """Return a value; see `ValueStorage`."""
        held = self._held.get(digest)
        if held is None:
            raise NotCached(f"There is no value {digest} in memory.")
        held.used = time.time()
        if held.payload is None:
            return held.atom
        children = [self.load(child) for child in held.children]
        try:
            value = self._codec.loads(bytearray(held.payload), None)
            return mend(cast("Skeleton", value), children) if children else value
        except Exception as error:  # what a pickle uses runs here, and may raise anything
            what = f"The value {digest} in memory cannot be made again."
            self.troubles.tell("unreadable", f"{what} {error!r}")
            raise NotCached(what, detail=repr(error)) from error

    def contains(self, digest: Digest) -> bool:
        """Whether the value is there."""
        return digest in self._held

    def evict(self, digest: Digest) -> int:
        """Remove a value; see `ValueStorage`."""
        held = self._held.pop(digest, None)
        return held.size if held else 0

    def children(self, digest: Digest) -> Collection[Digest]:
        """Return the values that a value was split into; see `ValueStorage`."""
        held = self._held.get(digest)
        return held.children if held else ()

    def entries(self) -> Iterator[Entry]:
        """Yield what is there."""
        for digest, held in list(self._held.items()):
            yield Entry(digest, held.size, held.saved, held.used)

    def to_config(self) -> dict[str, object]:
        """Return its table in a configuration."""
        return (
            {"type": "memory"} if self._depth is None else {"type": "memory", "remaining_depth": self._depth}
        )

    def _write(self, parts: Sequence[Bytes], children: tuple[Digest, ...]) -> Digest:
        letter = Letter((b"".join(parts),), self._codec.name, children)
        return self._hold(letter, _Held(letter.payload, None, letter.length, children, 0, 0))

    def _hold(self, letter: Letter, new: _Held) -> Digest:
        address = letter.address(letter.content())
        held = self._held.setdefault(address, new)
        held.saved = held.used = time.time()
        return address


@dataclass(slots=True)
class _HeldRecord:
    record: CallRecord
    size: int
    used: float


class MemoryCalls:
    """Records that end with the process."""

    def __init__(self) -> None:
        self._held: dict[Digest, _HeldRecord] = {}
        self._leases = MemoryLeases()

    @property
    def leases(self) -> Leases:
        """Leases of this process."""
        return self._leases

    def save(self, record: CallRecord, *, lease: Lease | None = None) -> None:
        """Keep a record; see `CallStorage`."""
        if lease is not None:
            refuse_lost_lease(self._leases, lease)
        written = encode_record(record)
        self._held[record.key] = _HeldRecord(decode_record(written), len(written), time.time())

    def load(self, key: Digest) -> CallRecord:
        """Return a record; see `CallStorage`."""
        held = self._held.get(key)
        if held is None:
            raise NotCached(f"There is no record of the call {key} in memory.")
        return held.record

    def load_many(self, keys: Iterable[Digest]) -> dict[Digest, CallRecord]:
        """Return the records that are there of these keys."""
        found = ((key, self._held.get(key)) for key in keys)
        return {key: held.record for key, held in found if held is not None}

    def contains(self, key: Digest) -> bool:
        """Whether there is a record."""
        return key in self._held

    def evict(self, key: Digest) -> int:
        """Remove a record; see `CallStorage`."""
        held = self._held.pop(key, None)
        return held.size if held else 0

    def find(self, template: Template) -> Iterator[CallRecord]:
        """Yield the matching records; see `CallStorage`."""
        records = [held.record for held in list(self._held.values())]
        for record in sorted(records, key=attrgetter("created", "key"), reverse=True):
            if matches(record, template):
                yield record

    def touch(self, keys: Collection[Digest]) -> None:
        """Note that records were used just now."""
        now = time.time()
        for key in keys:
            if held := self._held.get(key):
                held.used = now

    def entries(self) -> Iterator[Entry]:
        """Yield what is there; a record's size is that of its written form."""
        for key, held in list(self._held.items()):
            yield Entry(key, held.size, held.record.created, held.used)

    def starting_with(self, prefix: str) -> list[Digest]:
        """Return the keys that begin so."""
        wanted = prefix.lower()
        return sorted(key for key in list(self._held) if key.startswith(wanted))[:SHOWN_KEYS]

    def size(self, key: Digest) -> int:
        """Return the bytes of a record's written form, 0 if it is not there."""
        held = self._held.get(key)
        return held.size if held else 0

    def to_config(self) -> dict[str, object]:
        """Return its table in a configuration."""
        return {"type": "memory"}
