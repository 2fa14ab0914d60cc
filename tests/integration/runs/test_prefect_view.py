"""What Prefect shows of a run, and what its Retry button leads to."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx2
import pytest

from treadle.api import Server, client_environment
from treadle.testing.command import Command
from treadle.testing.steps import CREATE, mock_step

pytestmark = pytest.mark.integration


def of_flow_run(prefect: httpx2.Client, what: str, flow_run: str) -> list[dict[str, Any]]:
    asked = {"flow_runs": {"id": {"any_": [flow_run]}}, "artifacts": {"flow_run_id": {"any_": [flow_run]}}}
    rows: list[dict[str, Any]] = prefect.post(f"/{what}/filter", json=asked).raise_for_status().json()
    return rows


@pytest.fixture(scope="module")
def failed(treadle: Command, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """A run of which one unit of the second step failed, as the command line shows it."""
    folder = tmp_path_factory.mktemp("failed")
    data = folder / "data"
    data.mkdir()
    treadle("dataset", "create", "plate 1", "--dir", str(data))
    steps = [
        mock_step(CREATE, count=4),
        mock_step("Mark Item", fail_on=["item_0002"], stderr="no such plate", sleep_seconds=1.5),
    ]
    file = folder / "workflow.json"
    file.write_text(json.dumps({"name": "what/a run", "task_list": steps}))
    treadle("workflow", "import", str(file))
    run: dict[str, Any] = treadle("run", "what/a run", "--dataset", "plate 1", code=1).data
    return run


@pytest.fixture
def artifacts(failed: dict[str, Any], prefect: httpx2.Client) -> dict[str, dict[str, Any]]:
    """The artifacts of that run by what follows the run in their keys."""
    rows = of_flow_run(prefect, "artifacts", failed["prefect_flow_run_id"])
    found = {row["key"].removeprefix(f"run-{failed['id']}-"): row for row in rows}
    assert len(found) == len(rows), "none is there twice"
    return found


def test_a_run_has_a_plan_a_table_a_timeline_and_why_it_failed(
    failed: dict[str, Any], artifacts: dict[str, dict[str, Any]], prefect: httpx2.Client
) -> None:
    tasks = {
        row["name"]: row["id"] for row in of_flow_run(prefect, "task_runs", failed["prefect_flow_run_id"])
    }
    steps = {f"step-{number}{what}" for number in range(2) for what in ("", "-figures")}

    assert set(artifacts) == {"plan", "timeline", "steps", "failures", *steps}
    belongs = {name: row["task_run_id"] for name, row in artifacts.items() if row["task_run_id"]}
    assert belongs == {name: tasks[CREATE if "-0" in name else "Mark Item"] for name in steps}


def test_each_step_has_its_progress_with_counts_and_the_ends_of_errors(
    failed: dict[str, Any], artifacts: dict[str, dict[str, Any]], prefect: httpx2.Client
) -> None:
    tasks = {row["name"]: row for row in of_flow_run(prefect, "task_runs", failed["prefect_flow_run_id"])}

    progress = artifacts["step-1"]
    assert (progress["type"], progress["data"]) == ("progress", 100.0)
    for part in ("3 done, 1 failed, of 4 units", "1 failed", "unit 2: failed", "ChosenFailure"):
        assert part in progress["description"]
    assert "1 done, 0 failed, of 1 units" in artifacts["step-0"]["description"]
    assert "ChosenFailure" in tasks["Mark Item"]["state"]["message"]
    assert "ChosenFailure" in _log(prefect, tasks["Mark Item"]["id"])


def test_tables_have_the_ledgers_figures(artifacts: dict[str, dict[str, Any]]) -> None:
    create, mark = json.loads(artifacts["steps"]["data"])

    assert (create["step"], create["state"], create["done"], create["failed"]) == (CREATE, "done", 1, 0)
    assert (mark["state"], mark["units"], mark["done"], mark["failed"]) == ("failed", 4, 3, "1 failed")
    assert mark["p95 s"] >= mark["p50 s"] >= 1.5
    assert mark["peak MB"] > 0
    assert mark["CPU h"] >= 0
    done, failed = json.loads(artifacts["step-1-figures"]["data"])
    assert (done["outcome"], done["units"], done["p50 s"]) == ("done", 3, mark["p50 s"])
    assert (failed["outcome"], failed["units"]) == ("failed: failed", 1)


def test_the_summary_of_a_failure_ends_with_the_command_that_repairs_it(
    failed: dict[str, Any], artifacts: dict[str, dict[str, Any]]
) -> None:
    text = artifacts["failures"]["data"]

    assert "ChosenFailure" in text
    assert "| failed | 1 |" in text
    assert f"`treadle resume {failed['id']} --only failed`" in text


def test_the_plan_is_there_before_the_run_and_names_every_step(
    failed: dict[str, Any], artifacts: dict[str, dict[str, Any]]
) -> None:
    plan = artifacts["plan"]

    assert "## 2. Mark Item" in plan["data"]
    assert "treadle-tasks-mock 0.1.0" in plan["data"].replace("\\", "")
    assert plan["created"] <= artifacts["step-1"]["created"]
    assert artifacts["timeline"]["data"] == f"/treadle/runs/{failed['id']}/timeline.svg"


def test_a_run_is_found_by_its_name_and_tags(failed: dict[str, Any], prefect: httpx2.Client) -> None:
    asked = {"flow_runs": {"tags": {"all_": [f"run:{failed['id']}", "dataset:plate 1", "cluster:local"]}}}
    [found] = prefect.post("/flow_runs/filter", json=asked).raise_for_status().json()

    assert found["id"] == failed["prefect_flow_run_id"]
    assert found["name"] == f"what-a run {failed['id']}"
    assert "workflow:what/a run" in found["tags"]


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
    rows = of_flow_run(prefect, "artifacts", run["prefect_flow_run_id"])
    keys = [row["key"] for row in rows if row["task_run_id"] is None]
    assert sorted(keys) == sorted(set(keys)), "those of the run are updated, not made twice"
    [table] = [row for row in rows if row["key"].endswith("-steps")]
    create, mark, act = json.loads(table["data"])
    assert [(row["done"], row["cached"]) for row in (create, mark, act)] == [(1, 1), (3, 2), (3, 0)]
