"""What the integration tests of clusters share."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from treadle.errors import ClusterError
from treadle.testing.slurm import DevelopmentSlurm
from treadle.testing.ssh import LoopbackSsh


@pytest.fixture(scope="session")
def ssh_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LoopbackSsh]:
    """An SSH server on loopback; skips where there can be none, except in CI."""
    with started(LoopbackSsh(tmp_path_factory.mktemp("sshd"))) as server:
        yield server


@pytest.fixture(scope="session")
def submitting(slurm: DevelopmentSlurm, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LoopbackSsh]:
    """The SSH server of a machine that has SLURM's commands: its sessions know which SLURM."""
    with started(LoopbackSsh(tmp_path_factory.mktemp("submitting"), slurm.environment)) as server:
        yield server


@contextmanager
def started(server: LoopbackSsh) -> Iterator[LoopbackSsh]:
    try:
        server.start()
    except ClusterError as error:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(f"No SSH server: {error} {error.detail}")
    try:
        yield server
    finally:
        server.stop()
