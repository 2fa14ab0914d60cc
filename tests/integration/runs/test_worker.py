"""Workers of the work pool, Prefect's own command among them, and flows that know nothing of Treadle."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import psutil
import pytest

from treadle.api import Server, client_environment
from treadle.testing.command import Command
from treadle.testing.up import until

pytestmark = pytest.mark.integration

FLOW = """
import pathlib
import time

from prefect import flow


@flow(name="plain")
def wait_for(file: str, note: str) -> None:
    pathlib.Path(note).write_text(str(pathlib.Path.cwd()))
    while not pathlib.Path(file).exists():
        time.sleep(0.1)
"""


class Pool:
    """The work pool on a server, with a deployment of a flow in a file."""

    def __init__(self, server: Server, client: httpx2.Client, home: Path, folder: Path) -> None:
        self.folder = folder
        self.gate, self.note = folder / "gate", folder / "note"
        self._environment = {**Command(home).environment, **client_environment(server, {})}
        self._client = client

    @contextmanager
    def worker(self, name: str) -> Iterator[subprocess.Popen[bytes]]:
        """Start a worker by Prefect's own command, as on another machine; it is killed in the end."""
        place = self.folder / name
        place.mkdir()
        command = [sys.executable, "-m", "prefect", "worker", "start"]
        with (place / "log").open("wb") as log:
            process = subprocess.Popen(
                [*command, "--pool", "treadle", "--type", "treadle", "--name", name],
                env=self._environment,
                cwd=place,
                stdout=log,
                stderr=log,
            )
        try:
            yield process
        finally:
            process.kill()
            process.wait()

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        answer = self._client.request(method, path, json=body)
        assert answer.is_success, answer.text
        return answer.json() if answer.content else None

    def start(self, state: str = "SCHEDULED") -> str:
        """Deploy the flow, as `prefect deploy` does, and make a run of it in that state."""
        (self.folder / "flows").mkdir()
        (self.folder / "flows" / "plain.py").write_text(FLOW)
        flow = self.ask("POST", "/flows/", {"name": "plain"})
        deployment = {
            "name": self.folder.name,
            "flow_id": flow["id"],
            "entrypoint": "plain.py:wait_for",
            "path": str(self.folder / "flows"),
            "work_pool_name": "treadle",
        }
        number = self.ask("POST", "/deployments/", deployment)["id"]
        parameters = {"file": str(self.gate), "note": str(self.note)}
        asked = {"parameters": parameters, "state": {"type": state}}
        made = self.ask("POST", f"/deployments/{number}/create_flow_run", asked)
        return str(made["id"])

    def flow_run(self, number: str) -> dict[str, Any]:
        run: dict[str, Any] = self.ask("GET", f"/flow_runs/{number}")
        return run

    def state(self, number: str) -> str:
        return str(self.flow_run(number)["state"]["name"])

    def driver(self, number: str) -> psutil.Process:
        return psutil.Process(int(self.flow_run(number)["infrastructure_pid"].split(":")[1]))

    def cancel(self, number: str) -> None:
        self.ask("POST", f"/flow_runs/{number}/set_state", {"state": {"type": "CANCELLING"}})

    def make(self) -> None:
        """Make the pool, where no worker has done that yet."""
        if not self.ask("POST", "/work_pools/filter", {"work_pools": {"name": {"any_": ["treadle"]}}}):
            self.ask("POST", "/work_pools/", {"name": "treadle", "type": "treadle"})


@pytest.fixture
def pool(server: Server, home: Path, tmp_path: Path) -> Iterator[Pool]:
    user, password = server.auth_string.split(":")
    with httpx2.Client(base_url=server.api_url, auth=(user, password), timeout=30) as client:
        pool = Pool(server, client, home, tmp_path)
        pool.make()
        yield pool
    pool.gate.touch()


def test_flow_in_a_file_runs_in_a_folder_of_its_own_and_outlives_its_worker(pool: Pool) -> None:
    run = pool.start()
    with pool.worker("first") as first:
        until(pool.note.exists, "the flow runs")
        driver = pool.driver(run)
        first.send_signal(signal.SIGTERM)
        first.wait(60)
    assert driver.is_running()
    assert pool.state(run) == "Running"

    with pool.worker("second"):
        pool.gate.touch()
        until(lambda: pool.state(run) == "Completed", "the flow is completed")

    ran_in = Path(pool.note.read_text())
    until(lambda: not ran_in.exists(), "its folder is removed")
    assert ran_in not in {pool.folder, pool.folder / "flows", pool.folder / "first"}
    assert [file.name for file in (pool.folder / "first").iterdir()] == ["log"]


def test_flow_that_does_not_look_for_it_is_cancelled_by_a_worker_that_did_not_start_it(pool: Pool) -> None:
    run = pool.start()
    with pool.worker("first") as first:
        until(pool.note.exists, "the flow runs")
        driver = pool.driver(run)
        first.kill()
        first.wait()

    pool.cancel(run)
    with pool.worker("second"):
        until(lambda: not driver.is_running(), "the driver has ended")
        until(lambda: pool.state(run) == "Cancelled", "it is cancelled")


def test_killed_driver_of_any_flow_is_crashed_at_once(pool: Pool) -> None:
    run = pool.start()
    with pool.worker("one"):
        until(pool.note.exists, "the flow runs")
        pool.driver(run).kill()

        until(lambda: pool.state(run) == "Crashed", "it has crashed")
    assert "driver died" in pool.flow_run(run)["state"]["message"]


def test_run_that_a_worker_took_and_did_not_start_is_started_by_the_next(pool: Pool) -> None:
    pool.gate.touch()
    run = pool.start("PENDING")

    with pool.worker("next"):
        until(lambda: pool.state(run) == "Completed", "the flow is completed")
