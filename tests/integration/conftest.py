"""What the integration tests share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from treadle.testing.command import Command

TASKS = Path(__file__).parents[2] / "tasks"


@pytest.fixture(scope="session")
def treadle(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Command]:
    """The command line on a home whose server stays up for the session, with the mock package collected."""
    from treadle.api.server import local_server
    from treadle.settings import Settings

    command = Command(tmp_path_factory.mktemp("home"))
    with local_server(Settings(home=command.home, port=0)):
        command("collect", str(TASKS / "treadle-tasks-mock"))
        yield command
