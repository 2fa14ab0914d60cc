"""What the integration tests share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from treadle.api import Server, local_server
from treadle.settings import Settings
from treadle.testing.command import Command

TASKS = Path(__file__).parents[2] / "tasks"


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
