"""Calls on another machine keep the contract of storages, by way of a server in a process of its own."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from treadle.cache.remote.connection import Connection
from treadle.cache.remote.storages import RemoteCalls
from treadle.cache.values.keyring import Keyring
from treadle.testing.cache import LastingCallsContract

pytestmark = pytest.mark.integration

KEY = "ab" * 32


class TestRemoteCalls(LastingCallsContract):
    @pytest.fixture(autouse=True)
    def _far(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        (tmp_path / "fleche.toml").write_text(
            """
            [default]
            cache = "far"
            root = true
            [far]
            template = "sql"
            values = "cloudpickle"
            root = "far"
            """
        )
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv("FLECHE_SECRET_KEY", KEY)
        self.connections: list[Connection] = []
        yield
        for connection in self.connections:
            connection.close()

    def open(self, folder: Path) -> RemoteCalls:
        del folder
        words = [sys.executable, "-m", "treadle.cache", "remote", "--serve"]
        self.connections.append(Connection(words, "there"))
        return RemoteCalls(self.connections[-1], "there", Keyring([bytes.fromhex(KEY)]))
