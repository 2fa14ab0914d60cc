"""A schedule really starts a run: Prefect's scheduler, the worker beside the server, and a driver."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import httpx2
import pytest

from treadle.api import Server, serving_deployments
from treadle.settings import Settings
from treadle.testing.command import Command

pytestmark = pytest.mark.integration

DEADLINE_SECONDS = 240


def wait_for(found: Callable[[], Any], what: str) -> Any:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not (value := found()):
        assert time.monotonic() < deadline, what
        time.sleep(0.5)
    return value


def test_cron_starts_a_run_with_the_parameters_of_its_schedule(
    bench: Any, treadle: Command, server: Server
) -> None:
    # Given a workflow that is deployed for every minute
    task = {"pkg_name": "treadle-tasks-mock", "version": "0.1.0", "name": "Create Items"}
    bench.prepare({"task": task, "args_non_parallel": {"count": 1, "prefix": "stored"}})
    parameters = {"steps": {"Create Items": {"prefix": "scheduled"}}}
    rule = json.dumps({"cron": "* * * * *", "parameters": parameters})
    deployed = treadle("deploy", bench.name, "--dataset", bench.name, "--schedule", rule).data
    user, password = server.auth_string.split(":")

    # When the worker beside the server waits for it
    with (
        httpx2.Client(base_url=server.api_url, auth=(user, password)) as prefect,
        serving_deployments(Settings(home=treadle.home, port=0, workers=2), server),
    ):

        def ended() -> list[dict[str, Any]]:
            asked = {"deployments": {"id": {"any_": [deployed["id"]]}}}
            asked["flow_runs"] = {"state": {"type": {"any_": ["COMPLETED", "FAILED", "CRASHED"]}}}
            runs: list[dict[str, Any]] = prefect.post("/flow_runs/filter", json=asked).json()
            return runs

        (first, *_) = wait_for(ended, "no run was started")
        treadle("deployment", "remove", bench.name)

    # Then a run was made by the schedule alone, and has worked
    assert (first["state_type"], first["auto_scheduled"]) == ("COMPLETED", True)
    assert first["expected_start_time"].partition(".")[0].rstrip("Z")[-2:] == "00"
    (run, *_) = [run for run in treadle("runs").data["runs"] if run["workflow"] == bench.name]
    assert (run["state"], run["prefect_flow_run_id"]) == ("done", first["id"])
    assert list(bench.items) == ["scheduled_0000"]
