"""Treadle's own storages keep the contract."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, cast

import pytest

from treadle.cache.keys.digest import Digest
from treadle.cache.storages.files import FileCalls, FileValues
from treadle.cache.storages.hdf import HdfValues
from treadle.cache.storages.memory import MemoryCalls, MemoryValues
from treadle.cache.storages.objects import ObjectCalls, ObjectValues
from treadle.cache.storages.ports import Template
from treadle.cache.storages.void import VoidCalls, VoidValues
from treadle.cache.values.keyring import Keyring
from treadle.errors import NotCached
from treadle.testing.cache import (
    CallDamageContract,
    CallStorageContract,
    LastingCallsContract,
    SplitValuesContract,
    ValueDamageContract,
    ValueStorageContract,
    call_record,
)
from treadle.testing.cache_values import unequal_values

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

KEYS = Keyring([b"first", b"second"])


class _Files:
    """The files of a storage, past it."""

    def raw(self, storage: object, digest: Digest) -> bytes:
        assert isinstance(storage, FileValues | FileCalls | HdfValues)
        return Path(storage.path(digest)).read_bytes()

    def set_raw(self, storage: object, digest: Digest, data: bytes) -> None:
        assert isinstance(storage, FileValues | FileCalls | HdfValues)
        Path(storage.path(digest)).write_bytes(data)


class TestMemoryValues(ValueStorageContract):
    def open(self, folder: Path) -> MemoryValues:  # noqa: ARG002 - it has no folder
        return MemoryValues()


class TestMemoryValuesSplit(SplitValuesContract):
    def open(self, folder: Path) -> MemoryValues:  # noqa: ARG002 - it has no folder
        return MemoryValues(codec="pickle", depth=1)


class TestFileValues(_Files, SplitValuesContract, ValueDamageContract):
    def open(self, folder: Path) -> FileValues:
        return FileValues(folder)


class TestSignedCompressedFileValues(_Files, SplitValuesContract, ValueDamageContract):
    def open(self, folder: Path) -> FileValues:
        return FileValues(folder / "deep" / "down", codec="pickle", compress=True, keyring=KEYS, depth=0)


class TestDillValues(_Files, SplitValuesContract, ValueDamageContract):
    def open(self, folder: Path) -> FileValues:
        return FileValues(folder, codec="dill", compress="lzma", depth=3)


class TestMemoryCalls(CallStorageContract):
    def open(self, folder: Path) -> MemoryCalls:  # noqa: ARG002 - it has no folder
        return MemoryCalls()


class TestFileCalls(_Files, LastingCallsContract, CallDamageContract):
    def open(self, folder: Path) -> FileCalls:
        return FileCalls(folder)


class TestSignedFileCalls(_Files, LastingCallsContract, CallDamageContract):
    def open(self, folder: Path) -> FileCalls:
        return FileCalls(folder, keyring=KEYS)


class TestHdfValues(_Files, ValueDamageContract):
    def open(self, folder: Path) -> HdfValues:
        return HdfValues(folder)


class TestSignedSplitHdfValues(_Files, SplitValuesContract, ValueDamageContract):
    def open(self, folder: Path) -> HdfValues:
        return HdfValues(folder, keyring=KEYS, depth=1)


class _Objects:
    """The objects of a storage, past it."""

    def raw(self, storage: object, digest: Digest) -> bytes:
        files, path = _object(storage, digest)
        return bytes(files.cat_file(path))

    def set_raw(self, storage: object, digest: Digest, data: bytes) -> None:
        files, path = _object(storage, digest)
        files.makedirs(path.rpartition("/")[0], exist_ok=True)
        files.pipe_file(path, data)


def _object(storage: object, digest: Digest) -> tuple[AbstractFileSystem, str]:
    import fsspec

    assert isinstance(storage, ObjectValues | ObjectCalls)
    files, folder = fsspec.core.url_to_fs(storage.url)
    part = "values" if isinstance(storage, ObjectValues) else "calls"
    return cast("AbstractFileSystem", files), f"{folder}/.treadle/{part}/{digest[:2]}/{digest[2:]}"


@pytest.fixture
def _empty_memory() -> Iterator[None]:
    """Fsspec's memory is the whole process's."""
    from fsspec.implementations.memory import MemoryFileSystem

    yield
    MemoryFileSystem.store.clear()
    MemoryFileSystem.pseudo_dirs[:] = [""]


@pytest.mark.usefixtures("_empty_memory")
class TestObjectValuesInMemory(_Objects, SplitValuesContract, ValueDamageContract):
    def open(self, folder: Path) -> ObjectValues:
        return ObjectValues(f"memory://{folder}", keyring=KEYS)


class TestObjectValuesInFiles(_Objects, SplitValuesContract, ValueDamageContract):
    def open(self, folder: Path) -> ObjectValues:
        return ObjectValues(f"file://{folder}", compress=True)


@pytest.mark.usefixtures("_empty_memory")
class TestObjectCallsInMemory(_Objects, LastingCallsContract, CallDamageContract):
    def open(self, folder: Path) -> ObjectCalls:
        return ObjectCalls(f"memory://{folder}")


class TestObjectCallsInFiles(_Objects, LastingCallsContract, CallDamageContract):
    def open(self, folder: Path) -> ObjectCalls:
        return ObjectCalls(f"file://{folder}", keyring=KEYS)


def test_void_takes_everything_and_keeps_nothing() -> None:
    values, calls = VoidValues(), VoidCalls()
    record = call_record()
    addresses = [values.save(value) for value in unequal_values()]
    calls.save(record)

    assert not any(values.contains(address) for address in addresses)
    assert list(values.entries()) == list(calls.entries()) == list(calls.find(Template())) == []
    assert calls.load_many([record.key]) == {}
    with pytest.raises(NotCached):
        values.load(addresses[0])
    with pytest.raises(NotCached):
        calls.load(record.key)
