"""What every storage of values does."""

from __future__ import annotations

import pickle
import time
from abc import ABC, abstractmethod
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given, settings

from treadle.cache.keys.digest import Digest
from treadle.cache.storages.ports import ValueStorage
from treadle.errors import NotCached, Unstorable
from treadle.testing.cache.records import digest_of_text, reachable
from treadle.testing.cache_values import Frozen, Sample, same, unequal_values, values

LARGE = b"x" * 5000
"""More than a record keeps by itself."""


class ValueStorageContract(ABC):
    """What a storage of values does."""

    @abstractmethod
    def open(self, folder: Path) -> ValueStorage:
        """Open a storage in a folder, in which there may be one already."""

    @pytest.fixture
    def storage(self, tmp_path: Path) -> ValueStorage:
        return self.open(tmp_path)

    def test_a_value_comes_back_with_its_type_and_bits(self, storage: ValueStorage) -> None:
        @settings(max_examples=60)
        @given(values())
        def comes_back(value: object) -> None:
            assert same(storage.load(storage.save(value)), value)

        comes_back()

    def test_values_that_are_easily_confused_are_kept_apart(self, storage: ValueStorage) -> None:
        addresses = [(storage.save(value), value) for value in unequal_values()]

        assert len({address for address, _ in addresses}) == len(addresses)
        assert all(same(storage.load(address), value) for address, value in addresses)

    def test_an_array_comes_back(self, storage: ValueStorage) -> None:
        np = pytest.importorskip("numpy")
        array = np.arange(150_000, dtype=">f4").reshape(300, 500)[::2]

        loaded = storage.load(storage.save(array))

        assert isinstance(loaded, np.ndarray)
        assert loaded.dtype == array.dtype
        assert np.array_equal(loaded, array)
        loaded[0] = 1  # nobody else's to change

    def test_equal_values_are_kept_once(self, storage: ValueStorage) -> None:
        first = storage.save({"a": [1, 2.5], "b": LARGE})
        count = len(list(storage.entries()))

        assert storage.save({"a": [1, 2.5], "b": LARGE}) == first
        assert len(list(storage.entries())) == count

    def test_changes_of_a_saved_value_do_not_reach_it(self, storage: ValueStorage) -> None:
        value: list[object] = [1, [2, bytearray(LARGE)]]
        address = storage.save(value)
        value.append(3)

        assert storage.load(address) == [1, [2, bytearray(LARGE)]]

    def test_changes_of_a_loaded_value_do_not_reach_it(self, storage: ValueStorage) -> None:
        address = storage.save([1, [2, bytearray(LARGE)]])
        loaded = storage.load(address)
        assert isinstance(loaded, list)
        loaded[1][1].clear()
        loaded.clear()

        assert storage.load(address) == [1, [2, bytearray(LARGE)]]

    def test_what_is_one_object_in_a_container_stays_one(self, storage: ValueStorage) -> None:
        part = list(range(2000))

        loaded = storage.load(storage.save([part, part, list(range(2000))]))

        assert isinstance(loaded, list)
        assert loaded[0] is loaded[1]
        assert loaded[0] is not loaded[2]

    def test_a_container_that_holds_itself_comes_back(self, storage: ValueStorage) -> None:
        value: list[object] = [LARGE]
        value.append(value)

        loaded = storage.load(storage.save(value))

        assert isinstance(loaded, list)
        assert loaded[1] is loaded

    def test_what_is_not_there_is_not_cached(self, storage: ValueStorage) -> None:
        absent = digest_of_text("absent")

        assert not storage.contains(absent)
        assert list(storage.children(absent)) == []
        assert storage.evict(absent) == 0
        with pytest.raises(NotCached):
            storage.load(absent)

    def test_an_evicted_value_is_gone_and_what_it_took_is_free(self, storage: ValueStorage) -> None:
        address = storage.save(LARGE)
        size = {entry.digest: entry.size for entry in storage.entries()}[address]
        assert storage.contains(address)

        assert storage.evict(address) == size > 0
        assert not storage.contains(address)
        assert list(storage.entries()) == []
        with pytest.raises(NotCached):
            storage.load(address)
        assert storage.load(storage.save(LARGE)) == LARGE

    def test_entries_tell_address_size_and_times(self, storage: ValueStorage) -> None:
        before = time.time() - 2  # file systems round
        addresses = {storage.save(value) for value in (1, LARGE, "text")}

        entries = list(storage.entries())

        assert {entry.digest for entry in entries} == addresses
        assert all(type(entry.digest) is Digest and entry.size > 0 for entry in entries)
        assert all(before < entry.saved <= time.time() + 2 for entry in entries)
        assert all(before < entry.used <= time.time() + 2 for entry in entries)

    def test_children_are_values_too(self, storage: ValueStorage) -> None:
        value = Sample("a", [Frozen(LARGE, 1), {"k": (bytearray(LARGE), LARGE[1:])}])

        address = storage.save(value)

        parts = reachable(storage, address)
        assert parts == {entry.digest for entry in storage.entries()}
        assert all(storage.contains(part) for part in parts)
        assert same(storage.load(address), value)

    def test_what_cannot_be_kept_is_refused(self, storage: ValueStorage) -> None:
        generator = (letter for letter in "ab")
        for value in (generator, [1, generator], {"a": (generator,)}):
            with pytest.raises(Unstorable):
                storage.save(value)

    def test_many_threads_may_save_and_load_at_once(self, storage: ValueStorage) -> None:
        things = [[number % 7, LARGE[number % 5 :]] for number in range(80)]

        with ThreadPoolExecutor(8) as pool:
            loaded = list(pool.map(lambda value: storage.load(storage.save(value)), things))

        assert loaded == things

    def test_it_is_the_same_in_another_process(self, storage: ValueStorage) -> None:
        address = storage.save({"a": LARGE})

        other = pickle.loads(pickle.dumps(storage))  # noqa: S301 - it was made in this line

        assert other.load(address) == {"a": LARGE}


class SplitValuesContract(ValueStorageContract):
    """What a storage of values does that takes containers apart and keeps equal parts once."""

    def test_equal_parts_are_kept_once(self, storage: ValueStorage) -> None:
        first = storage.save([bytearray(LARGE), bytearray(LARGE[1:])])
        count = len(list(storage.entries()))
        second = storage.save((bytearray(LARGE), 1))

        assert set(storage.children(second)) < set(storage.children(first))
        assert len(list(storage.entries())) == count + 1

    def test_a_value_whose_child_is_gone_is_not_cached(self, storage: ValueStorage) -> None:
        value = [LARGE, bytearray(LARGE)]
        address = storage.save(value)
        children = list(storage.children(address))

        assert children
        for child in children:
            storage.evict(child)
            with pytest.raises(NotCached):
                storage.load(address)
            assert storage.save(value) == address
            assert storage.load(address) == value
