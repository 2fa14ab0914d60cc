"""Workflows of mock tasks, and what Prefect says of their runs."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest

from treadle.api import Server
from treadle.testing.command import Command


@dataclass
class Bench:
    """A dataset and workflows of one test, with names of their own."""

    treadle: Command
    name: str
    folder: Path

    @property
    def data(self) -> Path:
        return self.folder / "data"

    def prepare(self, *steps: dict[str, Any]) -> None:
        """Make the dataset and import a workflow of these steps."""
        self.data.mkdir()
        self.treadle("dataset", "create", self.name, "--dir", str(self.data))
        file = self.folder / "workflow.json"
        file.write_text(json.dumps({"name": self.name, "task_list": list(steps)}))
        self.treadle("workflow", "import", str(file))

    @property
    def run_words(self) -> list[str]:
        return ["run", self.name, "--dataset", self.name]

    def run(self, code: int = 0) -> dict[str, Any]:
        """Run the workflow; return the run as JSON."""
        run: dict[str, Any] = self.treadle(*self.run_words, code=code).data
        assert "id" in run, run  # else it is an error that kept the run from starting
        return run

    @property
    def items(self) -> dict[str, Any]:
        """The dataset's items by the last part of their URL."""
        shown = self.treadle("dataset", "show", self.name).data["items"]
        return {Path(item["zarr_url"]).name: item for item in shown}


@pytest.fixture
def bench(treadle: Command, tmp_path: Path, request: pytest.FixtureRequest) -> Bench:
    return Bench(treadle, re.sub(r"[^\w-]", "-", request.node.name), tmp_path)


@pytest.fixture(scope="session")
def prefect_states(server: Server) -> Callable[[str], tuple[str, dict[str, str]]]:
    """Asks Prefect for the state of a flow run, and those of its task runs by name."""
    user, password = server.auth_string.split(":")

    def ask(flow_run: str) -> tuple[str, dict[str, str]]:
        with httpx2.Client(base_url=server.api_url, auth=(user, password)) as client:
            run = client.get(f"/flow_runs/{flow_run}").raise_for_status().json()
            only = {"flow_runs": {"id": {"any_": [flow_run]}}}
            tasks = client.post("/task_runs/filter", json=only).raise_for_status().json()
        return run["state_type"], {task["name"]: task["state_type"] for task in tasks}

    return ask
