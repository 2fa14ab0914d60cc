"""What every storage of calls does, by databases."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from treadle.cache.keys.digest import Digest
from treadle.cache.storages.sql.calls import SqlCalls
from treadle.cache.values.keyring import Keyring
from treadle.testing.cache import CallDamageContract, LastingCallsContract
from treadle.testing.postgresql import PostgresqlServer

NUMBERS = itertools.count(1)


class _Rows:
    """Storages that are closed after the test, and their rows, past them."""

    url: str | Path

    @pytest.fixture(autouse=True)
    def _closing(self, tmp_path: Path) -> Iterator[None]:
        self.opened: list[SqlCalls] = []
        self.url = tmp_path / "calls.db"
        yield
        for storage in self.opened:
            storage.close()

    def open(self, folder: Path) -> SqlCalls:
        del folder
        self.opened.append(SqlCalls(self.url, self.keyring()))
        return self.opened[-1]

    def keyring(self) -> Keyring | None:
        return None

    def raw(self, storage: object, digest: Digest) -> bytes:
        assert isinstance(storage, SqlCalls)
        words = storage.database.statement("SELECT record FROM treadle_calls WHERE key = :key")
        with storage.database.reading() as cursor:
            cursor.execute(words, {"key": digest.raw})
            row = cursor.fetchone()
        assert row is not None
        record: bytes = row[0]
        return record

    def set_raw(self, storage: object, digest: Digest, data: bytes) -> None:
        assert isinstance(storage, SqlCalls)
        words = storage.database.statement("UPDATE treadle_calls SET record = :record WHERE key = :key")
        with storage.database.writing() as cursor:
            cursor.execute(words, {"key": digest.raw, "record": data})


class TestSqlite(_Rows, LastingCallsContract, CallDamageContract):
    pass


class TestSqliteSigned(_Rows, LastingCallsContract, CallDamageContract):
    def keyring(self) -> Keyring:
        return Keyring([b"first", b"second"])


class TestSqliteInMemory(_Rows, CallDamageContract):
    @pytest.fixture(autouse=True)
    def _in_memory(self, _closing: None, monkeypatch: pytest.MonkeyPatch) -> None:
        self.url = "sqlite://"
        monkeypatch.setattr("treadle.cache.troubles._told", set())  # all in memory are one place


class TestPostgresql(_Rows, LastingCallsContract, CallDamageContract):
    @pytest.fixture(autouse=True)
    def _on_a_server(self, _closing: None, postgresql: PostgresqlServer) -> Iterator[None]:
        name = f"calls_contract_{next(NUMBERS)}"
        self.url = postgresql.create(name)
        yield
        postgresql.drop(name)
