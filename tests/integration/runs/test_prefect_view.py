"""What Prefect shows of a run, and what its Retry button leads to."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from treadle.api import Server, client_environment
from treadle.testing.command import Command

pytestmark = pytest.mark.integration

CREATE = "Create Items"


def mock_step(name: str, **args: Any) -> dict[str, Any]:
    part = "args_non_parallel" if name == CREATE else "args_parallel"
    return {"task": {"pkg_name": "treadle-tasks-mock", "version": "0.1.0", "name": name}, part: args}


@pytest.fixture
def prefect(server: Server) -> Iterator[httpx2.Client]:
    user, password = server.auth_string.split(":")
    with httpx2.Client(base_url=server.api_url, auth=(user, password)) as client:
        yield client


def of_flow_run(prefect: httpx2.Client, what: str, flow_run: str) -> list[dict[str, Any]]:
    asked = {"flow_runs": {"id": {"any_": [flow_run]}}, "artifacts": {"flow_run_id": {"any_": [flow_run]}}}
    rows: list[dict[str, Any]] = prefect.post(f"/{what}/filter", json=asked).raise_for_status().json()
    return rows


def test_each_step_has_one_artifact_with_its_counts_and_the_ends_of_errors(
    bench: Any, prefect: httpx2.Client
) -> None:
    bench.prepare(
        mock_step(CREATE, count=4),
        mock_step("Mark Item", fail_on=["item_0002"], stderr="no such plate", sleep_seconds=1.5),
    )

    run = bench.run(code=1)

    flow_run = run["prefect_flow_run_id"]
    artifacts = {artifact["key"]: artifact for artifact in of_flow_run(prefect, "artifacts", flow_run)}
    tasks = {task["name"]: task for task in of_flow_run(prefect, "task_runs", flow_run)}
    assert len(of_flow_run(prefect, "artifacts", flow_run)) == len(artifacts) == 2
    failed = artifacts[f"run-{run['id']}-step-1"]
    assert (failed["type"], failed["data"]) == ("progress", 100.0)
    assert failed["task_run_id"] == tasks["Mark Item"]["id"]
    for part in ("3 done, 1 failed, of 4 units", "1 failed", "unit 2: failed", "ChosenFailure"):
        assert part in failed["description"]
    assert "1 done, 0 failed, of 1 units" in artifacts[f"run-{run['id']}-step-0"]["description"]
    assert "ChosenFailure" in tasks["Mark Item"]["state"]["message"]
    assert "ChosenFailure" in _log(prefect, tasks["Mark Item"]["id"])


def _log(prefect: httpx2.Client, task_run: str) -> str:
    """What the task run logged, once Prefect has it: its client sends logs every two seconds."""
    asked = {"logs": {"task_run_id": {"any_": [task_run]}}}
    deadline = time.monotonic() + 30
    while not (logs := prefect.post("/logs/filter", json=asked).raise_for_status().json()):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    return "\n".join(log["message"] for log in logs)


def test_prefects_retry_goes_on_where_the_run_ended_in_the_same_flow_run(
    bench: Any, treadle: Command, server: Server, prefect: httpx2.Client
) -> None:
    noted = bench.folder / "noted"
    bench.prepare(
        mock_step(CREATE, count=3),
        mock_step("Mark Item", record_file=str(noted), fail_on=["item_0001"], fail_first=1),
        mock_step("Act on Marked Item"),
    )
    run = bench.run(code=1)

    subprocess.run(
        [
            sys.executable,
            str(Path(__file__).with_name("retried_flow.py")),
            str(treadle.home),
            str(run["id"]),
        ],
        env=treadle.environment | client_environment(server),
        check=True,
    )

    shown = treadle("show", str(run["id"])).data
    assert shown["state"] == "done"
    assert shown["prefect_flow_run_id"] == run["prefect_flow_run_id"]
    assert len(noted.read_text().splitlines()) == 4
    items = [Path(json.loads(line)["zarr_url"]).name for line in noted.read_text().splitlines()]
    assert sorted(items) == ["item_0000", "item_0001", "item_0001", "item_0002"]
    flow_run = prefect.get(f"/flow_runs/{run['prefect_flow_run_id']}").json()
    assert (flow_run["state_type"], flow_run["run_count"]) == ("COMPLETED", 2)
    tasks = of_flow_run(prefect, "task_runs", run["prefect_flow_run_id"])
    assert {task["name"] for task in tasks} == {CREATE, "Mark Item", "Act on Marked Item"}
