"""What every storage of calls does."""

from __future__ import annotations

import pickle
import time
from abc import ABC, abstractmethod
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from treadle.cache.keys.digest import Digest
from treadle.cache.records import Inline, Outcome, Stored
from treadle.cache.storages.ports import CallStorage, Template
from treadle.errors import CacheRefused, NotCached
from treadle.testing.cache.records import call_record, digest_of_text, searched


class CallStorageContract(ABC):
    """What a storage of calls does."""

    @abstractmethod
    def open(self, folder: Path) -> CallStorage:
        """Open a storage in a folder, in which there may be one already."""

    @pytest.fixture
    def storage(self, tmp_path: Path) -> CallStorage:
        return self.open(tmp_path)

    def test_a_record_comes_back(self, storage: CallStorage) -> None:
        record = replace(
            call_record(arguments={"a": 1, "b": 1.0, "c": None, "d": "é\0", "e": b"\xff", "f": -0.0}),
            result=Stored(digest_of_text("value")),
            code=None,
            outcome=Outcome.RAISED,
            metadata={"runtime": {"walltime": 1.5, "tags": ["a", None, True]}},
            provenance="fleche 0.22",
        )
        storage.save(record)

        assert storage.load(record.key) == record
        kinds = [type(argument.value.value) for argument in storage.load(record.key).arguments]  # type: ignore[union-attr]  # all are inline
        assert kinds == [int, float, type(None), str, bytes, float]

    def test_versions_keep_their_types(self, storage: CallStorage) -> None:
        for version in (None, 1, "1", -(2**70)):
            storage.save(call_record(version=version))
            loaded = storage.load(digest_of_text("call")).version
            assert (loaded, type(loaded)) == (version, type(version))

    def test_a_later_record_takes_an_earlier_ones_place(self, storage: CallStorage) -> None:
        storage.save(call_record(result=1, arguments={"x": 1, "y": 2}))
        storage.save(call_record(result=2))

        assert storage.load(digest_of_text("call")).result == Inline(2)
        assert len(list(storage.find(Template()))) == 1

    def test_what_is_not_there_is_not_cached(self, storage: CallStorage) -> None:
        absent = digest_of_text("absent")

        assert not storage.contains(absent)
        assert storage.evict(absent) == 0
        assert storage.load_many([absent]) == {}
        storage.touch([absent])
        with pytest.raises(NotCached):
            storage.load(absent)

    def test_many_are_loaded_at_once(self, storage: CallStorage) -> None:
        records = {record.key: record for record in (call_record(str(number)) for number in range(30))}
        for record in records.values():
            storage.save(record)

        assert storage.load_many([*records, digest_of_text("absent")]) == records

    def test_an_evicted_record_is_gone(self, storage: CallStorage) -> None:
        record = call_record()
        storage.save(record)
        assert storage.contains(record.key)
        [entry] = storage.entries()

        assert storage.evict(record.key) == entry.size > 0
        assert not storage.contains(record.key)
        assert list(storage.find(Template())) == []
        assert list(storage.entries()) == []

    def test_entries_tell_key_and_times(self, storage: CallStorage) -> None:
        before = time.time() - 2
        records = [call_record(str(number)) for number in range(3)]
        for record in records:
            storage.save(record)
        storage.touch([record.key for record in records])

        entries = list(storage.entries())

        assert {entry.digest for entry in entries} == {record.key for record in records}
        assert all(before < entry.saved <= time.time() + 2 for entry in entries)
        assert all(before < entry.used <= time.time() + 2 for entry in entries)

    def test_a_touch_is_a_use(self, storage: CallStorage) -> None:
        old = call_record("old", created=1_000_000_000.0)
        storage.save(old)
        storage.touch([old.key])

        [entry] = storage.entries()

        assert entry.used > time.time() - 120

    @pytest.mark.parametrize(
        ("template", "names"),
        [
            (Template(), "edcba"),
            (Template(name="measure"), "cba"),
            (Template(name="measure", module="shop"), "ba"),
            (Template(version=1), "ca"),
            (Template(version="1"), "b"),
            (Template(code=digest_of_text("source of weigh")), "ed"),
            (Template(arguments={"x": digest_of_text("1")}), "dba"),
            (Template(arguments={"x": digest_of_text("1"), "y": digest_of_text("2")}), "b"),
            (Template(arguments={"z": digest_of_text("1")}), ""),
            (Template(result=digest_of_text("7")), "d"),
            (Template(metadata={"tags": {"who": "me"}}), "ca"),
            (Template(metadata={"tags": {"who": "me", "n": 1}}), "a"),
            (Template(metadata={"tags": {"n": True}}), "c"),
            (Template(metadata={"tags": {"who": None}}), "edcba"),
            (Template(metadata={"tags": {"who": {"first": "me"}}}), ""),
            (Template(name="measur"), ""),
        ],
        ids=repr,
    )
    def test_records_are_found_by_what_is_given_the_latest_first(
        self, storage: CallStorage, template: Template, names: str
    ) -> None:
        for record in reversed(searched()):  # what counts is when the call was made
            storage.save(record)
        found = [record.key for record in storage.find(template)]

        assert found == [digest_of_text(name) for name in names]

    def test_finding_reads_on_while_records_come_and_go(self, storage: CallStorage) -> None:
        for number in range(20):
            storage.save(call_record(str(number), created=1e9 + number))
        found = storage.find(Template())
        first = next(found)
        for number in range(10):
            storage.evict(digest_of_text(str(number)))

        rest = {record.key for record in found}

        assert first.key == digest_of_text("19")
        assert {digest_of_text(str(number)) for number in range(10, 19)} <= rest

    def test_keys_are_found_by_how_they_begin(self, storage: CallStorage) -> None:
        keys = sorted(digest_of_text(str(number)) for number in range(40))
        for number in range(40):
            storage.save(call_record(str(number)))

        assert storage.starting_with(keys[0]) == [keys[0]]
        assert storage.starting_with(keys[5][:6]) == [key for key in keys if key.startswith(keys[5][:6])]
        assert storage.starting_with(keys[5][:1]) == [key for key in keys if key[0] == keys[5][0]][:16]
        assert storage.starting_with("") == keys[:16]
        assert storage.starting_with("%") == storage.starting_with("_") == storage.starting_with("..") == []
        assert all(type(key) is Digest for key in storage.starting_with(""))

    def test_a_record_is_refused_once_its_lease_was_lost(self, storage: CallStorage) -> None:
        record = call_record()
        first = storage.leases.acquire(record.key, seconds=60)
        assert first is not None
        storage.save(record, lease=first)
        storage.leases.release(first)
        second = storage.leases.acquire(record.key, seconds=60)
        assert second is not None

        with pytest.raises(CacheRefused):
            storage.save(replace(record, result=Inline("late")), lease=first)
        assert storage.load(record.key) == record
        storage.save(replace(record, result=Inline("in time")), lease=second)
        assert storage.load(record.key).result == Inline("in time")
        storage.leases.release(second)

    def test_many_threads_may_save_and_load_at_once(self, storage: CallStorage) -> None:
        def save_and_load(number: int) -> object:
            record = call_record(str(number % 10), result=number % 10)
            storage.save(record)
            return storage.load(record.key).result

        with ThreadPoolExecutor(8) as pool:
            assert list(pool.map(save_and_load, range(80))) == [Inline(number % 10) for number in range(80)]


class LastingCallsContract(CallStorageContract):
    """What a storage of calls does that does not end with its object."""

    def test_what_is_saved_is_there_for_whoever_opens_it(self, storage: CallStorage, tmp_path: Path) -> None:
        record = call_record()
        storage.save(record)

        assert self.open(tmp_path).load(record.key) == record
        assert pickle.loads(pickle.dumps(storage)).load(record.key) == record  # noqa: S301 - made in this line
