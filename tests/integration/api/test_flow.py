"""What a real flow leaves behind in Prefect's database and elsewhere."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from treadle.api import client_environment, local_server
from treadle.settings import Settings

pytestmark = pytest.mark.integration

FLOW = """
from prefect import flow, task

@task
def add(number):
    return number + 1

@flow(name="three steps")
def three_steps():
    return add(add(add(0)))

three_steps()
"""


def states(settings: Settings, table: str) -> list[str]:
    with closing(sqlite3.connect(settings.server_folder / "prefect.sqlite")) as database:
        return [state for (state,) in database.execute(f"SELECT state_type FROM {table}")]  # noqa: S608 - ours


def test_states_that_came_in_last_are_stored_before_the_server_ends(
    settings: Settings,
    tmp_path: Path,
    wait_until: Callable[..., None],
    has_ended: Callable[[Settings], bool],
) -> None:
    user, folder = tmp_path / "user", tmp_path / "folder"
    user.mkdir()
    folder.mkdir()
    proxy = "http://127.0.0.1:9"
    with local_server(settings) as server:
        environment = {**os.environ, "HOME": str(user), "HTTP_PROXY": proxy, "http_proxy": proxy}
        flow = subprocess.run(
            [sys.executable, "-c", FLOW],
            env={**environment, **client_environment(server)},
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
        )
    wait_until(lambda: has_ended(settings))

    assert (flow.returncode, flow.stdout, flow.stderr) == (0, "", "")
    assert states(settings, "flow_run") == ["COMPLETED"]
    assert states(settings, "task_run") == ["COMPLETED"] * 3
    assert [*user.iterdir(), *folder.iterdir()] == []


def test_first_start_on_an_empty_home_answers(
    tmp_path: Path, wait_until: Callable[..., None], has_ended: Callable[[Settings], bool]
) -> None:
    """The set of versions that is locked makes a server that starts, whose database it makes itself."""
    settings = Settings(home=tmp_path / "home", port=0)
    user = tmp_path / "user"
    user.mkdir()
    code = (
        "import sys\n"
        "from treadle.api import local_server\n"
        "from treadle.settings import Settings\n"
        "with local_server(Settings(home=sys.argv[1], port=0)): print('ready')\n"
    )

    first = subprocess.run(
        [sys.executable, "-c", code, str(settings.home)],
        env={**os.environ, "HOME": str(user)},
        capture_output=True,
        text=True,
        check=False,
    )
    wait_until(lambda: has_ended(settings))

    assert (first.stdout, first.stderr) == ("ready\n", "")
    assert states(settings, "flow_run") == []
    assert list(user.iterdir()) == []
