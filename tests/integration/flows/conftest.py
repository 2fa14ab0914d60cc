"""The examples of `flows/` as people run them: scripts on a home's server, and deployments of a clone."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest

from treadle.api import Server, client_environment, serving_deployments
from treadle.settings import Settings
from treadle.testing.command import Command

CLONE = Path(__file__).parents[3]
DEADLINE_SECONDS = 240.0


@dataclass
class Examples:
    """Runs the examples in processes of their own, as a person whose home folder is `folder`."""

    command: Command
    server: Server
    folder: Path

    @property
    def environment(self) -> dict[str, str]:
        return {**self.command.environment, **client_environment(self.server), "HOME": str(self.folder)}

    def python(self, *words: str, cwd: Path = CLONE) -> str:
        """Run Python to its end and return what it printed; it has to end well."""
        done = subprocess.run(
            [sys.executable, *words],
            cwd=cwd,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=DEADLINE_SECONDS,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def script(self, name: str) -> str:
        """Run an example as a script."""
        return self.treadle("exec", "python", str(Path("flows", f"{name}.py")))

    def treadle(self, *words: str, cwd: Path = CLONE) -> str:
        """Run the command line to its end and return what it printed; it has to end well."""
        return self.python("-m", "treadle", *words, cwd=cwd)

    def call(self, example: str, **parameters: Any) -> str:
        """Call an example's flow with parameters."""
        text = json.dumps(parameters)
        program = f"import json, {example}; {example}.{example}(**json.loads({text!r}))"
        return self.python("-c", program, cwd=CLONE / "flows")

    def items(self, dataset: str) -> set[str]:
        """Return the names of a dataset's items."""
        shown = self.command("dataset", "show", dataset).data["items"]
        return {Path(item["zarr_url"]).name for item in shown}


@pytest.fixture
def examples(treadle: Command, server: Server, tmp_path: Path) -> Examples:
    return Examples(treadle, server, tmp_path)


Ask = Callable[..., Any]


@pytest.fixture(scope="session")
def prefect_api(server: Server) -> Iterator[Ask]:
    """Asks Prefect's API."""
    user, password = server.auth_string.split(":")
    with httpx2.Client(base_url=server.api_url, auth=(user, password), timeout=60) as client:

        def ask(path: str, **body: Any) -> Any:
            answer = client.post(path, json=body) if body else client.get(path)
            return answer.raise_for_status().json()

        yield ask


@dataclass
class Deployments:
    """The examples deployed from a fresh clone, and the worker that runs them."""

    ask: Ask
    clone: Path
    said: str

    def path(self, flow: str) -> str:
        return f"{flow}/example"

    def start(self, flow: str, **parameters: Any) -> str:
        """Start a deployment; return the flow run's id."""
        found = self.ask(f"/deployments/name/{flow}/example")
        run = self.ask(f"/deployments/{found['id']}/create_flow_run", parameters=parameters)
        return str(run["id"])

    def runs(self, flow: str) -> list[dict[str, Any]]:
        """Return the flow runs of a deployment."""
        found = self.ask(f"/deployments/name/{flow}/example")
        chosen = {"id": {"any_": [found["id"]]}}
        return list(self.ask("/flow_runs/filter", deployments=chosen, sort="START_TIME_ASC"))

    def ended(self, flow_run: str) -> str:
        """Wait for the end of a flow run; return its state."""
        deadline = time.monotonic() + DEADLINE_SECONDS
        while True:
            state = self.ask(f"/flow_runs/{flow_run}")["state"]
            if state["type"] in {"COMPLETED", "FAILED", "CRASHED", "CANCELLED"}:
                return f"{state['type']} {state.get('message') or ''}".strip()
            assert time.monotonic() < deadline, state
            time.sleep(0.2)


@pytest.fixture(scope="session")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a clone of this repository holds of what is deployed."""
    folder = tmp_path_factory.mktemp("clone")
    shutil.copytree(CLONE / "flows", folder / "flows", ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "deployments").mkdir()
    shutil.copy(CLONE / "deployments" / "prefect.yaml", folder / "deployments")
    (folder / "prefect.yaml").symlink_to((CLONE / "prefect.yaml").readlink())
    return folder


@pytest.fixture(scope="module")
def deployments(treadle: Command, server: Server, prefect_api: Ask, clone: Path) -> Iterator[Deployments]:
    """All that `deployments/prefect.yaml` names, deployed by Prefect's own command.

    Whoever tests on this server later does without the worker, which runs and refreshes all that there is.
    """
    settings = Settings(home=treadle.home, port=0, runs_at_once=2)
    with serving_deployments(settings, server):
        deadline = time.monotonic() + DEADLINE_SECONDS
        while not prefect_api("/work_pools/filter", limit=10):
            assert time.monotonic() < deadline
            time.sleep(0.2)
        words = [sys.executable, "-m", "treadle", "exec", "prefect", "deploy", "--all"]
        done = subprocess.run(
            words,
            cwd=clone,
            env=treadle.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        yield Deployments(prefect_api, clone, done.stdout)
