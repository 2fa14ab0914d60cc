"""What the integration tests of clusters share."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from treadle.errors import ClusterError
from treadle.testing.ssh import LoopbackSsh


@pytest.fixture(scope="session")
def ssh_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LoopbackSsh]:
    """An SSH server on loopback; skips where there can be none, except in CI."""
    server = LoopbackSsh(tmp_path_factory.mktemp("sshd"))
    try:
        server.start()
    except ClusterError as error:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(f"No SSH server: {error} {error.detail}")
    yield server
    server.stop()
