"""Values and records as enveloped bytes in any place that keeps bytes."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from operator import attrgetter
from typing import ClassVar, cast

from treadle.cache.damage import Damaged, WrittenByNewer
from treadle.cache.keys.digest import Digest
from treadle.cache.leases import MemoryLeases
from treadle.cache.record_json import decode_record, encode_record
from treadle.cache.records import CallRecord
from treadle.cache.registry import CODECS
from treadle.cache.storages.blobs import Blobs
from treadle.cache.storages.matching import matches
from treadle.cache.storages.ports import Entry, Lease, Leases, Template
from treadle.cache.troubles import Troubles
from treadle.cache.values.codecs import Codec
from treadle.cache.values.compression import Bytes, Compression
from treadle.cache.values.envelope import (
    HEADER_GUESS,
    Kind,
    Letter,
    children_in,
    enclose,
    header_size,
    open_envelope,
)
from treadle.cache.values.keyring import Keyring
from treadle.cache.values.splitting import Skeleton, Splitting, mend
from treadle.cache.values.unpickling import Allowed
from treadle.errors import CacheError, CacheRefused, CacheUnavailable, NotCached


class EncodedValues:
    """Values, serialised, split, compressed and signed as one likes.

    Args:
        blobs: Where their bytes lie.
        codec: Serialises what is saved; what is loaded says itself what serialised it.
        compression: Makes what is saved shorter.
        keyring: Signs and verifies.
        depth: Containers nested so deep are split; None keeps every value whole.
        allow: Full names that pickles may use besides harmless ones, or `package.module.*`; None allows all.
        trusted: Whether to unpickle what others could have written, without keys and without `allow`.

    Attributes:
        troubles: What went wrong without failing a call.
    """

    def __init__(
        self,
        blobs: Blobs,
        *,
        codec: Codec,
        compression: Compression | None = None,
        keyring: Keyring | None = None,
        depth: int | None = None,
        allow: Collection[str] | None = None,
        trusted: bool = False,
    ) -> None:
        self.troubles = Troubles(blobs.place)
        self._blobs = blobs
        self._codec = codec
        self._compression = compression
        self._keyring = keyring or Keyring()
        self._depth = depth
        self._allowed = None if allow is None else Allowed(allow)
        self._place_checked = trusted or bool(self._keyring) or allow is not None

    def save(self, value: object) -> Digest:
        """Keep a value; see `ValueStorage`."""
        if self._depth is None:
            return self._write(self._codec.dumps(value), ())
        return Splitting(self._codec, self._depth, self._write).keep(value)

    def load(self, digest: Digest) -> object:
        """Return a value; see `ValueStorage`."""
        letter = self._letter(digest)
        self._check_place()
        try:
            children = [self.load(child) for child in letter.children]
            codec = self._codec if letter.codec == self._codec.name else CODECS.get(letter.codec)
            value = codec.loads(letter.payload, self._allowed)
            return mend(cast("Skeleton", value), children) if children else value
        except CacheError:
            raise
        except Exception as error:  # what a pickle uses runs here, and may raise anything
            what = f"The value {digest} in {self._blobs.place} is sound, but cannot be made here."
            self.troubles.tell("unreadable", f"{what} {error!r}")
            raise NotCached(what, detail=repr(error)) from error

    def contains(self, digest: Digest) -> bool:
        """Whether the value is there; see `ValueStorage`."""
        return self._blobs.exists(digest)

    def evict(self, digest: Digest) -> int:
        """Remove a value; see `ValueStorage`."""
        return self._blobs.remove(digest)

    def children(self, digest: Digest) -> Collection[Digest]:
        """Return the values that a value was split into; see `ValueStorage`."""
        try:
            head = self._blobs.head(digest, HEADER_GUESS)
            if (size := header_size(head)) > HEADER_GUESS:
                head = self._blobs.head(digest, size)
            return children_in(head, digest, self._keyring)
        except (NotCached, WrittenByNewer):
            return ()
        except Damaged as damage:
            _put_aside(self._blobs, self.troubles, digest, damage)
            return ()

    def entries(self) -> Iterator[Entry]:
        """Yield what is there; see `ValueStorage`."""
        return self._blobs.entries()

    def read_bytes(self, digest: Digest) -> bytes | bytearray:
        """Return a value's envelope; see `Bytewise`."""
        return self._blobs.read(digest, use=True)

    def write_bytes(self, digest: Digest, data: bytes | bytearray) -> None:
        """Keep an envelope from elsewhere; see `Bytewise`."""
        try:
            letter = open_envelope(data, Kind.VALUE, digest, self._keyring)
            is_its_own = letter.address(letter.content()) == digest
        except (Damaged, WrittenByNewer) as error:
            raise CacheRefused(f"The value {digest} is not kept in {self._blobs.place}. {error}") from error
        if not is_its_own:
            raise CacheRefused(f"The value {digest} is not kept in {self._blobs.place}: it is another one.")
        self._blobs.write(digest, [data])

    def check(self, digest: Digest) -> bool:
        """Whether a value is sound; see `Checkable`."""
        try:
            letter = open_envelope(self._blobs.read(digest, use=False), Kind.VALUE, digest, self._keyring)
        except NotCached:
            return False
        except WrittenByNewer:
            return True
        except Damaged as damage:
            _put_aside(self._blobs, self.troubles, digest, damage)
            return False
        return letter.address(letter.content()) == digest

    def renew(self, digest: Digest) -> bool:
        """Whether the value is there; see `Bytewise`."""
        return self._blobs.renew(digest)

    def _write(self, parts: Sequence[Bytes], children: tuple[Digest, ...]) -> Digest:
        letter = Letter(parts, self._codec.name, children)
        content = letter.content()
        address = letter.address(content)
        if not self._blobs.renew(address):
            enclosed = enclose(
                letter,
                Kind.VALUE,
                address,
                keyring=self._keyring,
                compression=self._compression,
                content=content,
                boundary=self._codec.boundary,
            )
            self._blobs.write(address, enclosed)
        return address

    def _letter(self, digest: Digest) -> Letter:
        data = self._blobs.read(digest, use=True)
        try:
            return open_envelope(data, Kind.VALUE, digest, self._keyring)
        except Damaged as damage:
            _put_aside(self._blobs, self.troubles, digest, damage)
            raise NotCached(f"The value {digest} was damaged.") from damage
        except WrittenByNewer as newer:
            raise NotCached(str(newer)) from newer

    def _check_place(self) -> None:
        """Refuse to run what others may have put there."""
        if self._place_checked:
            return
        writers = self._blobs.writers()
        if writers is not None:
            raise CacheUnavailable(
                f"Values in {self._blobs.place} are not loaded: they run what is in them, "
                f"and can be written by {writers}.",
                remedy="Set a secret key, list in `allow` what they may use, or say `trusted = true`.",
            )
        self._place_checked = True


class EncodedCalls:
    """Records as signed JSON.

    A record counts as written when its call was made, also if it was copied from elsewhere.

    Args:
        blobs: Where their bytes lie.
        keyring: Signs and verifies.
        leases: Leases of those who share the place; by default, only the threads of this process do.

    Attributes:
        troubles: What went wrong without failing a call.
        keeps_times: Whether the place takes the time at which something counts as written.
    """

    keeps_times: ClassVar[bool] = True

    def __init__(self, blobs: Blobs, *, keyring: Keyring | None = None, leases: Leases | None = None) -> None:
        self.troubles = Troubles(blobs.place)
        self._blobs = blobs
        self._keyring = keyring or Keyring()
        self._leases = leases

    @property
    def leases(self) -> Leases:
        """The leases of those who share it."""
        if self._leases is None:
            self._leases = self._open_leases()
        return self._leases

    def save(self, record: CallRecord, *, lease: Lease | None = None) -> None:
        """Keep a record; see `CallStorage`."""
        if lease is not None:
            refuse_lost_lease(self.leases, lease)
        letter = Letter((encode_record(record),), "json")
        parts = enclose(letter, Kind.RECORD, record.key, keyring=self._keyring)
        self._blobs.write(record.key, parts, saved=min(max(0.0, record.created), _LAST_TIME))

    def load(self, key: Digest) -> CallRecord:
        """Return a record; see `CallStorage`."""
        data = self._blobs.read(key, use=False)
        try:
            letter = open_envelope(data, Kind.RECORD, key, self._keyring)
            record = _record_of(key, letter)
        except Damaged as damage:
            _put_aside(self._blobs, self.troubles, key, damage)
            raise NotCached(f"The record of the call {key} was damaged.") from damage
        except WrittenByNewer as newer:
            raise NotCached(str(newer)) from newer
        else:
            return record

    def load_many(self, keys: Iterable[Digest]) -> dict[Digest, CallRecord]:
        """Return the records that are there of these keys; see `CallStorage`."""
        return {key: record for key in keys if (record := self._found(key)) is not None}

    def contains(self, key: Digest) -> bool:
        """Whether there is a record."""
        return self._blobs.exists(key)

    def evict(self, key: Digest) -> int:
        """Remove a record; see `CallStorage`."""
        return self._blobs.remove(key)

    def find(self, template: Template) -> Iterator[CallRecord]:
        """Yield the matching records by reading one after the other; see `CallStorage`."""
        latest_first = sorted(self._blobs.entries(), key=attrgetter("saved", "digest"), reverse=True)
        found = (self._found(entry.digest) for entry in latest_first)
        matching = (record for record in found if record is not None and matches(record, template))
        if not self.keeps_times:
            return iter(sorted(matching, key=attrgetter("created", "key"), reverse=True))
        return matching

    def touch(self, keys: Collection[Digest]) -> None:
        """Note that records were used just now."""
        self._blobs.touch(keys)

    def entries(self) -> Iterator[Entry]:
        """Yield what is there; see `CallStorage`."""
        return self._blobs.entries()

    def starting_with(self, prefix: str) -> list[Digest]:
        """Return the keys that begin so; see `CallStorage`."""
        return self._blobs.starting_with(prefix)

    def _open_leases(self) -> Leases:
        return MemoryLeases()

    def _found(self, key: Digest) -> CallRecord | None:
        try:
            return self.load(key)
        except NotCached:
            return None


_LAST_TIME = 2.0**33  # what file systems can note; no call was made later


def refuse_lost_lease(leases: Leases, lease: Lease) -> None:
    """Raise CacheRefused if somebody else has taken a lease over."""
    if not leases.holds(lease):
        raise CacheRefused(f"The call {lease.key} was taken over by another process while it ran.")


def _record_of(key: Digest, letter: Letter) -> CallRecord:
    record = decode_record(bytes(letter.payload))
    if record.key != key:
        raise Damaged("It is the record of another call.")
    return record


def _put_aside(blobs: Blobs, troubles: Troubles, digest: Digest, damage: Damaged) -> None:
    try:
        where = f"is now {blobs.put_aside(digest)}"
    except CacheUnavailable as error:
        where = f"stays there: {error.detail or error}"
    troubles.tell("damaged", f"The cached {digest} in {blobs.place} is damaged and {where}. {damage}")
