"""`treadle up` as a test starts, kills and starts it again, and what Prefect says meanwhile."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, TypeVar, cast

import httpx

from treadle.testing.command import Command

T = TypeVar("T")

DEADLINE_SECONDS = 180.0
DONE_WITH = frozenset({"COMPLETED", "FAILED", "CRASHED", "CANCELLED"})


def until(found: Callable[[], T | None], what: str, seconds: float = DEADLINE_SECONDS) -> T:
    """Return what a function finds, once that is something.

    Raises:
        AssertionError: It has not found anything in time.
    """
    deadline = time.monotonic() + seconds
    while not (value := found()):
        assert time.monotonic() < deadline, f"it did not come to be: {what}"
        time.sleep(0.1)
    return value


class Up:
    """`treadle up` on a home.

    Args:
        treadle: The command line on that home.
    """

    def __init__(self, treadle: Command) -> None:
        self.treadle = treadle
        self.process: subprocess.Popen[str] | None = None
        self.api_url = ""

    @contextmanager
    def running(self) -> Iterator[None]:
        """Start it; it has ended when the context is left, by force if need be."""
        self.start()
        try:
            yield
        finally:
            self.end(signal.SIGKILL)

    def start(self) -> None:
        """Start it, and wait until its server answers and knows the deployments."""
        log = self.treadle.home / "up.log"
        with log.open("a") as stderr:
            self.process = subprocess.Popen(
                self.treadle.words("up"),
                env=self.treadle.environment,
                stdout=subprocess.PIPE,
                stderr=stderr,
                text=True,
            )
        stdout = cast("IO[str]", self.process.stdout)
        said = ""
        while not said.rstrip().endswith("}"):
            line = stdout.readline()
            assert line, log.read_text()
            said += line
        self.api_url = json.loads(said)["api_url"]
        until(self._knows_deployments, "the deployments are there")

    def end(self, number: signal.Signals) -> None:
        """Send it a signal, and wait for its end."""
        if self.process is not None:
            self.process.send_signal(number)
            self.process.wait(DEADLINE_SECONDS)
            cast("IO[str]", self.process.stdout).close()
            self.process = None

    def said(self) -> str:
        """What it has told people so far, over all its lives."""
        return (self.treadle.home / "up.log").read_text()

    def server_process(self) -> int:
        """The process id of the server, once there is one."""
        address = self._folder / "address"
        until(address.exists, "there is a server")
        return int(json.loads(address.read_text())["pid"])

    def worker_process(self) -> int:
        """The process id of the worker beside it, once there is one."""
        assert self.process is not None
        children = Path(f"/proc/{self.process.pid}/task")

        def worker() -> int | None:
            found = [int(pid) for file in children.glob("*/children") for pid in file.read_text().split()]
            return next((pid for pid in found if "treadle.runs.workers.serving" in _command_line(pid)), None)

        return until(worker, "there is a worker")

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """Ask Prefect's server, also while it starts again; return its answer as JSON."""

        def answer() -> httpx.Response | None:
            try:
                with httpx.Client(
                    base_url=self.api_url, auth=("treadle", self._secret), timeout=30
                ) as client:
                    return client.request(method, path, json=body)
            except httpx.TransportError:
                return None

        response = until(answer, f"{method} {path} is answered")
        assert response.is_success, response.text
        return response.json() if response.content else None

    def deployment(self, name: str) -> str:
        """The id of a deployment, by flow and name."""
        return str(self.ask("GET", f"/deployments/name/{name}")["id"])

    def run(self, deployment: str, **parameters: Any) -> str:
        """Start a run of a deployment, as its form does; return the flow run's id."""
        body = {"parameters": parameters}
        return str(self.ask("POST", f"/deployments/{deployment}/create_flow_run", body)["id"])

    def flow_run(self, number: str) -> dict[str, Any]:
        """What Prefect has of a flow run."""
        return cast("dict[str, Any]", self.ask("GET", f"/flow_runs/{number}"))

    def state(self, number: str) -> str:
        """The name of a flow run's state."""
        return str(self.flow_run(number)["state"]["name"])

    def step_states(self, number: str) -> dict[str, str]:
        """The states of a flow run's tasks, by their names."""
        tasks = self.ask("POST", "/task_runs/filter", {"flow_runs": {"id": {"any_": [number]}}})
        return {task["name"]: task["state"]["name"] for task in tasks}

    def cancel(self, number: str) -> None:
        """Press Cancel."""
        body = {"state": {"type": "CANCELLING", "name": "Cancelling"}}
        self.ask("POST", f"/flow_runs/{number}/set_state", body)

    def retry(self, number: str) -> None:
        """Press Retry."""
        body = {"state": {"type": "SCHEDULED", "name": "AwaitingRetry"}}
        self.ask("POST", f"/flow_runs/{number}/set_state", body)

    def end_of(self, number: str, seconds: float = DEADLINE_SECONDS) -> str:
        """Wait for the end of a flow run; return the name of its state."""

        def ended() -> str | None:
            state = self.flow_run(number)["state"]
            return str(state["name"]) if state["type"] in DONE_WITH else None

        return until(ended, f"flow run {number} has ended", seconds)

    def driver_process(self, number: str) -> int:
        """The process id of a flow run's driver, once Prefect knows it."""

        def driver() -> str | None:
            return cast("str | None", self.flow_run(number)["infrastructure_pid"])

        return int(until(driver, f"flow run {number} has a driver").split(":")[1])

    @property
    def _folder(self) -> Path:
        return self.treadle.home / "server"

    @property
    def _secret(self) -> str:
        return (self._folder / "secret").read_text().strip()

    def _knows_deployments(self) -> bool:
        found = self.ask("POST", "/deployments/filter", {})
        return {"collect", "nightly"} <= {deployment["name"] for deployment in found}


def _command_line(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""
