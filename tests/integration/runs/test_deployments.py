"""Deployments of workflows on a real server: their forms, their runs, their schedules."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
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


def start(prefect: httpx2.Client, deployment: str, **parameters: Any) -> httpx2.Response:
    return prefect.post(f"/deployments/{deployment}/create_flow_run", json={"parameters": parameters})


def drive(treadle: Command, server: Server, flow_run: str) -> None:
    """Do what a driver does with a flow run that a worker has taken."""
    subprocess.run(
        [sys.executable, "-P", "-m", "prefect.engine", flow_run],
        env=treadle.environment | client_environment(server),
        check=False,
    )


def test_a_run_of_the_form_has_its_arguments_and_the_workflow_stays_as_it_is(
    bench: Any, treadle: Command, server: Server, prefect: httpx2.Client
) -> None:
    bench.prepare(mock_step(CREATE, count=3), mock_step("Mark Item", attributes={"mark": "stored"}))
    deployed = treadle(
        "deploy", bench.name, "--dataset", bench.name, "--arg", 'Mark Item.attributes={"mark": "deployed"}'
    ).data

    made = start(prefect, deployed["id"], steps={CREATE: {"count": 2}}).raise_for_status().json()
    drive(treadle, server, made["id"])

    flow_run = prefect.get(f"/flow_runs/{made['id']}").json()
    assert flow_run["state_type"] == "COMPLETED", flow_run
