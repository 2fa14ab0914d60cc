"""What a storage does about bytes that are not what it wrote."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator

import pytest

from treadle.cache.keys.digest import Digest
from treadle.cache.storages.ports import CallStorage, ValueStorage
from treadle.errors import NotCached
from treadle.testing.cache.calls import CallStorageContract
from treadle.testing.cache.records import call_record
from treadle.testing.cache.values import LARGE, ValueStorageContract

KINDS = ("cut", "empty", "longer", "other", "flipped")
"""Sorts of damage; see `damages`."""


class StoredBytes(ABC):
    """Reaching what is stored past the storage."""

    @abstractmethod
    def raw(self, storage: object, digest: Digest) -> bytes:
        """Return the stored bytes of a value or record."""

    @abstractmethod
    def set_raw(self, storage: object, digest: Digest, data: bytes) -> None:
        """Put bytes in place of those that are stored, or where they were."""


class ValueDamageContract(StoredBytes, ValueStorageContract):
    """What a storage of values does whose bytes somebody else could change."""

    @pytest.mark.parametrize("kind", KINDS)
    def test_damage_is_a_miss_and_told_once(
        self, storage: ValueStorage, kind: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        address, other = storage.save(LARGE), storage.save(LARGE[1:])
        data = self.raw(storage, address)
        for damaged in damages(kind, data, self.raw(storage, other)):
            self.set_raw(storage, address, damaged)
            with pytest.raises(NotCached):
                storage.load(address)
            assert not storage.contains(address)
            assert storage.load(storage.save(LARGE)) == LARGE

        assert storage.load(other) == LARGE[1:]
        warnings = [record for record in caplog.records if record.levelno >= logging.WARNING]
        assert [warning.name for warning in warnings] == ["treadle.cache"]
        assert address in warnings[0].getMessage()

    def test_the_bytes_are_the_same_again(self, storage: ValueStorage) -> None:
        address = storage.save(LARGE)
        data = self.raw(storage, address)
        storage.evict(address)
        storage.save(LARGE)

        self.set_raw(storage, address, data)
        assert storage.load(address) == LARGE


class CallDamageContract(StoredBytes, CallStorageContract):
    """What a storage of calls does whose bytes somebody else could change."""

    @pytest.mark.parametrize("kind", KINDS)
    def test_damage_is_a_miss_and_told_once(
        self, storage: CallStorage, kind: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        record, other = call_record(), call_record("other")
        storage.save(record)
        storage.save(other)
        data = self.raw(storage, record.key)
        for damaged in damages(kind, data, self.raw(storage, other.key)):
            self.set_raw(storage, record.key, damaged)
            assert storage.load_many([record.key]) == {}
            assert not storage.contains(record.key)
            storage.save(record)
            assert storage.load(record.key) == record

        assert storage.load(other.key) == other
        warnings = [one for one in caplog.records if one.levelno >= logging.WARNING]
        assert [warning.name for warning in warnings] == ["treadle.cache"]
        assert record.key in warnings[0].getMessage()


def damages(kind: str, data: bytes, other: bytes) -> Iterator[bytes]:
    """Yield damaged forms of stored bytes: cut, empty, longer, other (a swapped file), or flipped bits."""
    makers: dict[str, Callable[[], Iterator[bytes]]] = {
        "cut": lambda: (data[:length] for length in (1, 20, len(data) // 2, len(data) - 1)),
        "empty": lambda: iter((b"",)),
        "longer": lambda: iter((data + b"\0", data + data)),
        "other": lambda: iter((other, b"\x80\x05N.", b"{}")),
        "flipped": lambda: (_flipped(data, at) for at in range(0, len(data), max(1, len(data) // 100))),
    }
    return makers[kind]()


def _flipped(data: bytes, at: int) -> bytes:
    return data[:at] + bytes((data[at] ^ 1 << (at % 8),)) + data[at + 1 :]
