"""Calls with their values in one file, to be kept or taken elsewhere.

The file is a ZIP archive: `treadle-cache.json` says its format, `values/<address>` and `calls/<key>` are the
envelopes that storages keep, signed with the keys of the environment if there are any.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from zipfile import ZipFile, ZipInfo

from treadle.cache.caches.base import BaseCache
from treadle.cache.caches.parts import Part, parts_of, taking_part
from treadle.cache.caches.references import values_of
from treadle.cache.care.archive_file import CALLS, VALUES, ArchiveReader, reading, writing
from treadle.cache.care.eviction import Condition
from treadle.cache.care.reading import Progress, place_of, read_records, silent
from treadle.cache.config.building import environment_keyring
from treadle.cache.damage import Damaged, WrittenByNewer
from treadle.cache.keys.digest import Digest
from treadle.cache.record_json import decode_record, encode_record
from treadle.cache.records import CallRecord
from treadle.cache.registry import CODECS
from treadle.cache.storages.ports import Bytewise
from treadle.cache.storages.spelling import keyring_of
from treadle.cache.values.envelope import Kind, Letter, enclose, open_envelope
from treadle.cache.values.keyring import Keyring
from treadle.errors import CacheRefused, NotCached


@dataclass(frozen=True, slots=True)
class Moved:
    """What was written to an archive, or taken from one.

    Attributes:
        calls: How many.
        values: How many.
        there: Calls that were left out because the cache has them.
        incomplete: Calls that were left out because a value of theirs is nowhere.
    """

    calls: int
    values: int
    there: int = 0
    incomplete: int = 0


def export_calls(
    cache: BaseCache, path: Path, condition: Condition | None = None, progress: Progress = silent
) -> Moved:
    """Write calls with their values to a file, in place of an archive that is there.

    Args:
        cache: The cache.
        path: The file.
        condition: Which calls; all if None.
        progress: Is told how many records have been read.

    Raises:
        UsageError: Something is there that is no such archive.
        CacheRefused: Values of the cache are not kept as bytes.
        CacheUnavailable: The cache cannot be read, or the file not written.
    """
    with writing(path) as archive:
        written = _Export(archive)
        for part in parts_of(cache):
            for entry, record in read_records(part.cache.calls, part.cache.calls.entries(), progress):
                if record is None or (condition is not None and not condition.holds(entry, record)):
                    continue
                letter = Letter((encode_record(record),), "json")
                written.add(part, record.key, values_of(record), letter)
    return Moved(len(written.calls), len(written.values), incomplete=written.incomplete)


def import_calls(
    cache: BaseCache, path: Path, *, dry_run: bool = False, progress: Progress = silent
) -> Moved:
    """Take the calls of a file over, but for those that are there.

    Values are verified and kept as they are; they are not unpickled before they are asked for.

    Args:
        cache: The cache.
        path: A file that `export_calls` wrote.
        dry_run: Verify all that is in the file, and change nothing.
        progress: Is told how much of the file has been read.

    Raises:
        UsageError: The file is no such archive.
        CacheRefused: The cache takes no records, or something is not signed as the cache wants it.
        CacheUnavailable: The cache cannot be written.
    """
    part = taking_part(cache)
    values = part.cache.values
    if not isinstance(values, Bytewise):
        raise CacheRefused(
            f"New calls of this cache are kept in {place_of(part, values)}, which takes no archive.",
            remedy="Name a cache, or a layer of it, that keeps values as bytes.",
        )
    with reading(path) as archive:
        taken = _Import(part, values, archive, dry_run=dry_run)
        new = [key for key in archive.calls if not part.cache.calls.contains(key)]
        total = len(archive.values) + len(new)
        for done, value in enumerate(archive.values, start=1):
            taken.value(value)
            progress(done, total)
        for done, key in enumerate(new, start=len(archive.values) + 1):
            taken.call(key)
            progress(done, total)
    there = len(archive.calls) - len(new)
    return Moved(taken.calls, len(taken.values), there, taken.incomplete)


class _Export:
    """What is written to an archive."""

    def __init__(self, archive: ZipFile) -> None:
        self.calls: set[Digest] = set()
        self.values: set[Digest] = set()
        self.incomplete = 0
        self._archive = archive
        self._keyring = environment_keyring()

    def add(self, part: Part, key: Digest, values: frozenset[Digest], record: Letter) -> None:
        """Write a call after its values, unless an upper layer had it or a value is gone."""
        if key in self.calls:
            return
        try:
            for value in values:
                self._add_value(part, value)
        except NotCached:
            self.incomplete += 1
            return
        self.calls.add(key)
        self._write(CALLS + key, b"".join(enclose(record, Kind.RECORD, key, keyring=self._keyring)))

    def _add_value(self, part: Part, value: Digest) -> None:
        storage = part.cache.values
        if value in self.values:
            return
        if not isinstance(storage, Bytewise):
            raise CacheRefused("Values of this cache are not kept as bytes, so there are none to write.")
        data = bytes(storage.read_bytes(value))
        try:
            letter = open_envelope(data, Kind.VALUE, value, keyring_of(storage))
        except (Damaged, WrittenByNewer) as error:
            raise NotCached(f"The value {value} cannot be read. {error}") from error
        for child in letter.children:
            self._add_value(part, child)
        if keyring_of(storage) != self._keyring:
            boundary = CODECS.get(letter.codec).boundary
            parts = enclose(letter, Kind.VALUE, value, keyring=self._keyring, boundary=boundary)
            data = b"".join(parts)
        self.values.add(value)
        self._write(VALUES + value, data)

    def _write(self, name: str, data: bytes) -> None:
        self._archive.writestr(ZipInfo(name), data)


class _Import:
    """What is taken from an archive; nothing is written on trial."""

    def __init__(self, part: Part, storage: Bytewise, archive: ArchiveReader, *, dry_run: bool) -> None:
        self.values: set[Digest] = set()
        self.calls = 0
        self.incomplete = 0
        self._part = part
        self._storage = storage
        self._archive = archive
        self._value_keys = keyring_of(storage)
        self._record_keys = keyring_of(part.cache.calls)
        self._dry_run = dry_run

    def value(self, address: Digest) -> None:
        """Take a value, once it is verified; one that the cache has stays as it is."""
        self.values.add(address)
        if self._dry_run:
            _verify(address, self._archive.value(address), self._value_keys)
        elif not self._storage.renew(address):
            self._storage.write_bytes(address, self._archive.value(address))

    def call(self, key: Digest) -> None:
        """Take a call, once it is verified, unless a value of its is nowhere."""
        record = self._record(key)
        values = self._part.cache.values
        if not all(value in self.values or values.contains(value) for value in values_of(record)):
            self.incomplete += 1
            return
        self.calls += 1
        if self._dry_run:
            return
        self._part.cache.calls.save(record)
        if self._part.limits is not None:
            self._part.limits.fit(record)

    def _record(self, key: Digest) -> CallRecord:
        data = self._archive.call(key)
        try:
            letter = open_envelope(data, Kind.RECORD, key, self._record_keys)
            record = decode_record(bytes(letter.payload))
        except (Damaged, WrittenByNewer) as error:
            raise CacheRefused(f"The call {key} of the archive is not taken. {error}") from error
        if record.key != key:
            raise CacheRefused(f"The call {key} of the archive is another one.")
        return record


def _verify(value: Digest, data: bytes, keyring: Keyring) -> None:
    """Raise CacheRefused if an envelope is not a value's, or not signed as it has to be."""
    try:
        letter = open_envelope(data, Kind.VALUE, value, keyring)
    except (Damaged, WrittenByNewer) as error:
        raise CacheRefused(f"The value {value} of the archive is not taken. {error}") from error
    if letter.address(letter.content()) != value:
        raise CacheRefused(f"The value {value} of the archive is another one.")
