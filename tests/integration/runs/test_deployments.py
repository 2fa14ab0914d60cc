"""Deployments of workflows on a real server: their forms, their runs, and what stays as it is."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx2
import pytest

from treadle.api import Server, client_environment
from treadle.testing.command import Command
from treadle.testing.steps import CREATE, mock_step

pytestmark = pytest.mark.integration

MARK = "Mark Item"

REFRESH = """
from treadle.runs.deployments.deploying import refresh_deployments
print("\\n".join(refresh_deployments()))
"""


def start(prefect: httpx2.Client, deployment: str, **parameters: Any) -> httpx2.Response:
    return prefect.post(f"/deployments/{deployment}/create_flow_run", json={"parameters": parameters})


def drive(treadle: Command, server: Server, prefect: httpx2.Client, flow_run: str) -> dict[str, Any]:
    """Do what a driver does with a flow run that a worker has taken; return the flow run at its end."""
    subprocess.run(
        [sys.executable, "-P", "-m", "prefect.engine", flow_run],
        env=treadle.environment | client_environment(server),
        check=False,
        capture_output=True,
    )
    ended: dict[str, Any] = prefect.get(f"/flow_runs/{flow_run}").raise_for_status().json()
    return ended


def retry(prefect: httpx2.Client, flow_run: str) -> None:
    """Press Retry."""
    state = {"state": {"type": "SCHEDULED", "name": "AwaitingRetry"}}
    answer = prefect.post(f"/flow_runs/{flow_run}/set_state", json=state).raise_for_status().json()
    assert answer["status"] == "ACCEPT"


def refresh(treadle: Command, server: Server) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", REFRESH],
        env=treadle.environment | client_environment(server),
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout.split("\n")[:-1] if done.stdout.strip() else []


def run_of(treadle: Command, flow_run: dict[str, Any]) -> dict[str, Any]:
    """The run of a flow run, which its name and its tags tell."""
    number = flow_run["name"].rpartition(" ")[2]
    assert f"run:{number}" in flow_run["tags"]
    shown: dict[str, Any] = treadle("show", number).data
    return shown


def args_of(run: dict[str, Any], position: int) -> dict[str, Any]:
    step = run["plan"]["steps"][position]["step"]
    found: dict[str, Any] = step["args_parallel"] or step["args_non_parallel"]
    return found


def test_a_run_has_the_arguments_of_its_form_over_the_deployments_over_the_workflows(
    bench: Any, treadle: Command, server: Server, prefect: httpx2.Client
) -> None:
    # Given a deployment with an argument of its own
    bench.prepare(mock_step(CREATE, count=3, prefix="a"), mock_step(MARK, output="updates"))
    words = ["--dataset", bench.name, "--arg", f'{MARK}.attributes={{"mark": "deployed"}}', "--tag", "mine"]
    deployed = treadle("deploy", bench.name, *words).data
    assert deployed["path"] == f"{bench.name}/{bench.name}"

    # When a run is asked for as the form does
    asked = {
        "steps": {CREATE: {"count": 2}},
        "resources": {"memory": "2G", "time": ""},
        "cache": {CREATE: "false", MARK: "refresh"},
    }
    made = start(prefect, deployed["id"], **asked).raise_for_status().json()
    assert made["work_pool_name"] == "treadle"
    ended = drive(treadle, server, prefect, made["id"])

    # Then it has run with them
    assert (ended["state_type"], ended["name"].rpartition(" ")[0]) == ("COMPLETED", bench.name)
    assert {f"workflow:{bench.name}", "mine", "treadle:workflow"} <= set(ended["tags"])
    run = run_of(treadle, ended)
    assert run["prefect_flow_run_id"] == made["id"]
    items = {name: item["attributes"]["mark"] for name, item in bench.items.items()}
    assert items == {"a_0000": "deployed", "a_0001": "deployed"}
    said = treadle("explain", str(run["id"]), "0", "--step", MARK).data["reason"]
    assert said == "Its step says refresh: units run whatever is kept of them."

    # And the workflow is as it was
    stored = treadle("workflow", "export", bench.name).data["task_list"]
    assert stored[0]["args_non_parallel"] == {"count": 3, "prefix": "a"}


def test_prefects_server_refuses_a_wrong_value_with_its_place(
    bench: Any, treadle: Command, prefect: httpx2.Client
) -> None:
    bench.prepare(mock_step(CREATE), mock_step(MARK))
    deployed = treadle("deploy", bench.name).data

    for wrong, said in (
        ({"dataset": bench.name, "steps": {CREATE: {"count": -1}}}, "count"),
        ({"dataset": "nothing"}, "dataset"),
        ({}, "dataset"),
        ({"dataset": bench.name, "last_step": "nowhere"}, "last_step"),
        ({"dataset": bench.name, "cache": {MARK: "maybe"}}, "maybe"),
    ):
        answer = start(prefect, deployed["id"], **wrong)
        assert answer.status_code == 409
        assert said in answer.json()["detail"]


def test_what_the_form_cannot_see_ends_the_flow_run_with_a_sentence(
    bench: Any, treadle: Command, server: Server, prefect: httpx2.Client
) -> None:
    bench.prepare(mock_step(CREATE), mock_step(MARK))
    deployed = treadle("deploy", bench.name, "--dataset", bench.name).data

    made = start(prefect, deployed["id"], first_step=MARK).raise_for_status().json()
    ended = drive(treadle, server, prefect, made["id"])

    assert ended["state_type"] == "FAILED"
    assert f"{MARK!r}" in ended["state"]["message"]


def test_retry_in_prefect_goes_on_with_the_same_run(
    bench: Any, treadle: Command, server: Server, prefect: httpx2.Client
) -> None:
    noted: Path = bench.folder / "noted"
    bench.prepare(
        mock_step(CREATE, count=3),
        mock_step(MARK, record_file=str(noted), fail_on=["item_0001"], fail_first=1),
    )
    deployed = treadle("deploy", bench.name, "--dataset", bench.name).data
    made = start(prefect, deployed["id"]).raise_for_status().json()
    assert drive(treadle, server, prefect, made["id"])["state_type"] == "FAILED"

    retry(prefect, made["id"])
    ended = drive(treadle, server, prefect, made["id"])

    assert (ended["state_type"], ended["run_count"]) == ("COMPLETED", 2)
    items = [Path(json.loads(line)["zarr_url"]).name for line in noted.read_text().splitlines()]
    assert sorted(items) == ["item_0000", "item_0001", "item_0001", "item_0002"]


def test_a_run_of_the_command_line_is_a_run_of_the_deployment_and_can_be_retried_there(
    bench: Any, treadle: Command, server: Server, prefect: httpx2.Client
) -> None:
    bench.prepare(
        mock_step(CREATE, count=2),
        mock_step(MARK, fail_on=["item_0001"], fail_first=1),
    )
    deployed = treadle("deploy", bench.name).data

    run = bench.run(code=1)

    flow_run = prefect.get(f"/flow_runs/{run['prefect_flow_run_id']}").json()
    assert flow_run["deployment_id"] == deployed["id"]
    assert flow_run["name"] == f"{bench.name} {run['id']}"
    assert flow_run["parameters"]["steps"][CREATE] == {"count": 2}
    assert flow_run["parameters"]["dataset"] == bench.name
    assert flow_run["parameters"]["cache"] == {CREATE: "false", MARK: "false"}
    assert f"run:{run['id']}" in flow_run["tags"]
    retry(prefect, flow_run["id"])
    assert drive(treadle, server, prefect, flow_run["id"])["state_type"] == "COMPLETED"
    assert treadle("show", str(run["id"])).data["state"] == "done"


def test_the_form_follows_the_workflow_and_the_datasets_and_old_runs_keep_their_plan(
    bench: Any, treadle: Command, server: Server, prefect: httpx2.Client
) -> None:
    # Given a run of a deployment
    bench.prepare(mock_step(CREATE, count=1))
    rule = ["--dataset", bench.name, "--cron", "0 3 * * *"]
    before = treadle("deploy", bench.name, *rule).data
    made = start(prefect, before["id"]).raise_for_status().json()
    old = run_of(treadle, drive(treadle, server, prefect, made["id"]))
    refresh(treadle, server)
    assert refresh(treadle, server) == []

    # When the workflow changes, and there is one more dataset
    file = bench.folder / "changed.json"
    steps = [mock_step(CREATE, count=5), mock_step(MARK)]
    file.write_text(json.dumps({"name": bench.name, "task_list": steps}))
    treadle("workflow", "import", str(file), "--replace")
    treadle("dataset", "create", f"{bench.name}-2", "--dir", str(bench.folder / "second"))
    assert before["path"] in refresh(treadle, server)

    # Then the same deployment has another form, and its schedule
    now = prefect.get(f"/deployments/{before['id']}").json()
    properties = now["parameter_openapi_schema"]["properties"]
    assert properties["steps"]["properties"][CREATE]["properties"]["count"]["default"] == 5
    assert f"{bench.name}-2" in properties["dataset"]["enum"]
    assert properties["first_step"]["enum"] == ["", CREATE, MARK]
    assert [schedule["schedule"]["cron"] for schedule in now["schedules"]] == ["0 3 * * *"]

    # And the old run is what it was
    kept = treadle("show", str(old["id"])).data
    assert [step["name"] for step in kept["steps"]] == [CREATE]
    assert kept["state"] == "done"
