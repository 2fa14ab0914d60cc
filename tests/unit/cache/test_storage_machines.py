"""Whatever is done to a storage in whatever order, it has what dictionaries would have."""

from __future__ import annotations

from pathlib import Path

from hypothesis import settings

from treadle.cache.keys.digest import Digest
from treadle.cache.storages.files import FileCalls, FileValues
from treadle.cache.storages.memory import MemoryCalls, MemoryValues
from treadle.cache.storages.objects import ObjectValues
from treadle.cache.values.keyring import Keyring
from treadle.testing.cache_machines import CallStorageMachine, ValueStorageMachine

MANY = settings(max_examples=60, stateful_step_count=30)


class FileValuesMachine(ValueStorageMachine):
    def open(self) -> FileValues:
        return FileValues(self.folder)

    def file(self, digest: Digest) -> Path:
        return Path(self.open().path(digest))


class SignedFileValuesMachine(FileValuesMachine):
    def open(self) -> FileValues:
        return FileValues(self.folder, codec="pickle", compress=True, keyring=Keyring([b"key"]), depth=0)


class ObjectValuesMachine(ValueStorageMachine):
    def open(self) -> ObjectValues:
        return ObjectValues(f"file://{self.folder}", depth=2)

    def file(self, digest: Digest) -> Path:
        return self.folder / ".treadle" / "values" / digest[:2] / digest[2:]


class MemoryValuesMachine(ValueStorageMachine):
    lasts = False

    def open(self) -> MemoryValues:
        return MemoryValues(depth=1)


class FileCallsMachine(CallStorageMachine):
    def open(self) -> FileCalls:
        return FileCalls(self.folder)

    def file(self, digest: Digest) -> Path:
        return Path(self.open().path(digest))


class MemoryCallsMachine(CallStorageMachine):
    lasts = False

    def open(self) -> MemoryCalls:
        return MemoryCalls()


TestFileValues = FileValuesMachine.TestCase
TestSignedFileValues = SignedFileValuesMachine.TestCase
TestObjectValues = ObjectValuesMachine.TestCase
TestMemoryValues = MemoryValuesMachine.TestCase
TestFileCalls = FileCallsMachine.TestCase
TestMemoryCalls = MemoryCallsMachine.TestCase

TestFileValues.settings = MANY
TestSignedFileValues.settings = MANY
TestObjectValues.settings = MANY
TestMemoryValues.settings = MANY
TestFileCalls.settings = MANY
TestMemoryCalls.settings = MANY
