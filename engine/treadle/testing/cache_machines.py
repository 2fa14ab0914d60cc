"""State machines over storages of the call cache, with dictionaries as the model; they need `hypothesis`.

class MyMachine(ValueStorageMachine):
    def open(self) -> ValueStorage:
        return MyValues(self.folder)

TestMine = MyMachine.TestCase
"""

from __future__ import annotations

import shutil
import tempfile
from abc import abstractmethod
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    precondition,
    rule,
)

from treadle.cache.keys.digest import Digest
from treadle.cache.records import CallRecord, Inline
from treadle.cache.storages.ports import CallStorage, Lease, Template, ValueStorage
from treadle.errors import CacheRefused, NotCached
from treadle.testing.cache import call_record, digest_of_text, reachable
from treadle.testing.cache_values import same, values

_KEYS = [digest_of_text(str(number)) for number in range(5)]
_keys = st.sampled_from(_KEYS)


class _Machine(RuleBasedStateMachine):
    """A storage in a folder of its own."""

    lasts = True
    """Whether a storage that is opened anew has what was saved before."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="treadle-cache-"))

    def file(self, digest: Digest) -> Path | None:
        """Return the file of something stored, to be damaged; None if there are no files."""
        del digest
        return None

    def teardown(self) -> None:
        shutil.rmtree(self.folder)

    def _damage(self, digest: Digest, at: float) -> bool:
        """Change a bit; return whether there was a file."""
        path = self.file(digest)
        if path is None:
            return False
        data = bytearray(path.read_bytes())
        data[int(at * (len(data) - 1))] ^= 1
        path.write_bytes(data)
        return True


class ValueStorageMachine(_Machine):
    """Values that are saved, loaded, removed, damaged and opened anew in any order."""

    saved = Bundle("saved")

    def __init__(self) -> None:
        super().__init__()
        self._values: dict[Digest, object] = {}
        self._parts: dict[Digest, set[Digest]] = {}
        self._there: set[Digest] = set()

    @abstractmethod
    def open(self) -> ValueStorage:
        """Open the storage in `self.folder`."""

    @initialize()
    def begin(self) -> None:
        self.storage = self.open()

    @rule(target=saved, value=values())
    def save(self, value: object) -> Digest:
        address = self.storage.save(value)
        self._values[address] = value
        self._parts[address] = reachable(self.storage, address)
        self._there |= self._parts[address]
        return address

    @rule(address=saved)
    def load(self, address: Digest) -> None:
        if self._parts[address] <= self._there:
            assert same(self.storage.load(address), self._values[address])
        else:
            with pytest.raises(NotCached):
                self.storage.load(address)

    @rule(address=saved, data=st.data())
    def evict(self, address: Digest, data: st.DataObject) -> None:
        gone = data.draw(st.sampled_from(sorted(self._parts[address])))

        assert (self.storage.evict(gone) > 0) == (gone in self._there)
        self._there.discard(gone)

    @rule(address=saved, at=st.floats(0, 1))
    def damage(self, address: Digest, at: float) -> None:
        if address in self._there and self._damage(address, at):
            with pytest.raises(NotCached):
                self.storage.load(address)
            self._there.discard(address)

    @precondition(lambda self: self.lasts)
    @rule()
    def open_again(self) -> None:
        self.storage = self.open()

    @invariant()
    def what_is_there_is_listed(self) -> None:
        if self._values:
            assert {entry.digest for entry in self.storage.entries()} == self._there
            assert all(self.storage.contains(digest) for digest in self._there)


class CallStorageMachine(_Machine):
    """Records that are saved with leases or without, found, removed and damaged in any order."""

    leases = Bundle("leases")

    def __init__(self) -> None:
        super().__init__()
        self._records: dict[Digest, CallRecord] = {}
        self._holders: dict[Digest, Lease] = {}
        self._time = 1e9

    @abstractmethod
    def open(self) -> CallStorage:
        """Open the storage in `self.folder`."""

    @initialize()
    def begin(self) -> None:
        self.storage = self.open()

    @rule(
        number=st.integers(0, len(_KEYS) - 1),
        name=st.sampled_from(["f", "g"]),
        version=st.sampled_from([None, 1, "1"]),
        x=st.sampled_from([0, 0.0, False, "0", None]),
    )
    def save(self, number: int, name: str, version: int | str | None, x: float | str | None) -> None:
        self._time += 1
        record = call_record(
            str(number), name=name, version=version, arguments={"x": x}, result=x, created=self._time
        )
        self.storage.save(record)
        self._records[record.key] = record

    @rule(target=leases, key=_keys)
    def acquire(self, key: Digest) -> object:
        lease = self.storage.leases.acquire(key, seconds=600)

        assert (lease is None) == (key in self._holders)
        if lease is None:
            return multiple()
        self._holders[key] = lease
        return lease

    @rule(lease=leases)
    def commit(self, lease: Lease) -> None:
        self._time += 1
        record = replace(call_record(created=self._time), key=lease.key, result=Inline(lease.token))
        if self._holders.get(lease.key) == lease:
            self.storage.save(record, lease=lease)
            self._records[lease.key] = record
        else:
            with pytest.raises(CacheRefused):
                self.storage.save(record, lease=lease)

    @rule(lease=consumes(leases))
    def release(self, lease: Lease) -> None:
        self.storage.leases.release(lease)
        if self._holders.get(lease.key) == lease:
            del self._holders[lease.key]

    @rule(lease=leases)
    def release_but_go_on(self, lease: Lease) -> None:
        """As a process does that was stopped for longer than its lease."""
        self.storage.leases.release(lease)
        if self._holders.get(lease.key) == lease:
            del self._holders[lease.key]

    @rule(key=_keys)
    def load(self, key: Digest) -> None:
        if key in self._records:
            assert self.storage.load(key) == self._records[key]
        else:
            with pytest.raises(NotCached):
                self.storage.load(key)

    @rule(key=_keys)
    def evict(self, key: Digest) -> None:
        assert (self.storage.evict(key) > 0) == (key in self._records)
        self._records.pop(key, None)

    @rule(key=_keys, at=st.floats(0, 1))
    def damage(self, key: Digest, at: float) -> None:
        if key in self._records and self._damage(key, at):
            assert self.storage.load_many([key]) == {}
            del self._records[key]

    @rule(name=st.sampled_from([None, "f", "g", "h"]), version=st.sampled_from([None, 1, "1"]))
    def find(self, name: str | None, version: int | str | None) -> None:
        expected = [
            record
            for record in self._latest_first()
            if name in (None, record.name) and version in (None, record.version)
        ]
        assert list(self.storage.find(Template(name=name, version=version))) == expected

    @rule(x=st.sampled_from([0, 0.0, False, "0", None]))
    def find_by_argument(self, x: object) -> None:
        key = digest_of_text(repr(x))
        expected = [record for record in self._latest_first() if record.arguments[0].key == key]

        assert list(self.storage.find(Template(arguments={"x": key}))) == expected

    @precondition(lambda self: self.lasts)
    @rule()
    def open_again(self) -> None:
        for lease in self._holders.values():
            self.storage.leases.release(lease)
        self._holders.clear()
        self.storage = self.open()

    @invariant()
    def what_is_there_is_listed(self) -> None:
        if not self._records:
            return
        assert {entry.digest for entry in self.storage.entries()} == set(self._records)
        assert self.storage.starting_with("") == sorted(self._records)
        assert self.storage.load_many(_KEYS) == self._records
        assert [key for key in _KEYS if self.storage.contains(key)] == [
            k for k in _KEYS if k in self._records
        ]

    def _latest_first(self) -> list[CallRecord]:
        return sorted(self._records.values(), key=lambda record: record.created, reverse=True)
