"""What the integration tests share."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from treadle.api import Server, local_server
from treadle.errors import ClusterError
from treadle.settings import Settings
from treadle.testing.command import Command
from treadle.testing.slurm import DevelopmentSlurm

CLONE = Path(__file__).parents[2]
TASKS = CLONE / "tasks"


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home folder for the session."""
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="session")
def server(home: Path) -> Iterator[Server]:
    """The server of that home, up for the session."""
    with local_server(Settings(home=home, port=0)) as server:
        yield server


@pytest.fixture(scope="session")
def treadle(server: Server) -> Command:
    """The command line on the server's home, with the mock package collected."""
    command = Command(server.folder.parent)
    command("collect", str(TASKS / "treadle-tasks-mock"))
    return command


@pytest.fixture(scope="session")
def sockets_of() -> Callable[[psutil.Process], Iterator[Any]]:
    """Yields the sockets of a process and of all below it, as psutil has them; those that end hold none."""

    def sockets(root: psutil.Process) -> Iterator[Any]:
        for process in (root, *root.children(recursive=True)):
            try:
                yield from process.net_connections()
            except psutil.NoSuchProcess:
                continue

    return sockets


@pytest.fixture(scope="session")
def slurm_script() -> Path:
    """The program that starts SLURM, with all it needs; skips where that cannot be had, except in CI."""
    script = CLONE / "deployments" / "slurm" / "cluster"
    try:
        DevelopmentSlurm(script, CLONE).install()
    except ClusterError as error:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(f"No SLURM: {error} {error.detail}")
    return script


@pytest.fixture(scope="session")
def slurm(slurm_script: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[DevelopmentSlurm]:
    """A SLURM with accounting, up for the session. Leave it as it was: no jobs, all nodes idle, no limits."""
    with DevelopmentSlurm(slurm_script, tmp_path_factory.mktemp("slurm") / "up") as slurm:
        yield slurm


@pytest.fixture(scope="session")
def on_slurm(slurm: DevelopmentSlurm) -> dict[str, str]:
    """Variables with which `--cluster slurm` is that SLURM."""
    profile = {
        "host": "127.0.0.1",
        "job_time": "00:05:00",
        "max_jobs": 4,
        "poll_seconds": 0.5,
        "target_cpus_per_job": 2,
        "driver": {"cpus": 1, "memory": 1000, "time": "00:05:00"},
    }
    return {**slurm.environment, "TREADLE_CLUSTERS": json.dumps({"slurm": profile})}
