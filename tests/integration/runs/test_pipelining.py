"""Consecutive parallel steps overlap, and Prefect shows them as the graph they are."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import httpx2
import pytest

from treadle.testing.steps import mock_step

pytestmark = pytest.mark.integration


def task_runs(prefect: httpx2.Client, flow_run: str) -> dict[str, dict[str, Any]]:
    only = {"flow_runs": {"id": {"any_": [flow_run]}}}
    found = prefect.post("/task_runs/filter", json=only).raise_for_status().json()
    return {run["name"]: run for run in found}


def time_of(task_run: dict[str, Any], name: str) -> datetime:
    return datetime.fromisoformat(task_run[name])


def test_a_step_begins_before_the_one_it_needs_has_ended(bench: Any, prefect: httpx2.Client) -> None:
    bench.prepare(
        mock_step("Create Items", init={"count": 4}),
        mock_step("Derive Item", sleep_seconds=1.0),
        mock_step("Act on Item"),
        mock_step("Act on All Items"),
    )

    run = bench.run()

    assert run["state"] == "done"
    names = [f"item_{number:04}" for number in range(4)]
    assert list(bench.items) == [*names, *(f"{name}_derived" for name in names)]

    shown = task_runs(prefect, run["prefect_flow_run_id"])
    derive, act, last = (shown[name] for name in ("Derive Item", "Act on Item", "Act on All Items"))
    assert time_of(act, "start_time") < time_of(derive, "end_time")
    assert time_of(last, "start_time") >= time_of(act, "end_time")
    assert {task["state_type"] for task in shown.values()} == {"COMPLETED"}
    needed = [entry["id"] for inputs in act["task_inputs"].values() for entry in inputs]
    assert needed == [derive["id"]]
