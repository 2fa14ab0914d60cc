"""Collections as Prefect shows them: started, cancelled and retried there."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from treadle.api import Server, serving_deployments
from treadle.settings import Settings
from treadle.testing.command import Command

pytestmark = pytest.mark.integration

DEADLINE = 120
BACKEND = Path(__file__).with_name("waiting_backend.py")


@pytest.fixture(scope="module")
def plugin_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A plugin folder of the settings, with a plugin that cannot be used."""
    folder = tmp_path_factory.mktemp("plugins")
    (folder / "broken.py").write_text("this is no Python\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PLUGIN_FOLDERS", str(folder))
        yield folder


@pytest.fixture(scope="module")
def deployment(server: Server, prefect: httpx2.Client, home: Path, plugin_folder: Path) -> Iterator[str]:
    """Id of the deployment of collections, served as `treadle up` does."""
    del plugin_folder
    with serving_deployments(Settings(home=home, port=0), server):

        def found() -> str | None:
            answer = prefect.get("/deployments/name/Collect a package/collect")
            return str(answer.json()["id"]) if answer.status_code == 200 else None

        yield until(found)


@pytest.fixture
def slow_project(tmp_path: Path) -> Path:
    """A project whose build waits for the file GO in it."""
    folder = tmp_path / "slow"
    folder.mkdir()
    (folder / "pyproject.toml").write_text(
        '[project]\nname = "slow-tasks"\nversion = "1.0"\n'
        '[build-system]\nrequires = []\nbuild-backend = "slow"\nbackend-path = ["."]\n'
    )
    shutil.copy(BACKEND, folder / "slow.py")
    return folder


def until(found: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + DEADLINE
    while not (value := found()):
        assert time.monotonic() < deadline, "it did not come to be"
        time.sleep(0.2)
    return value


def start(prefect: httpx2.Client, deployment: str, **parameters: Any) -> str:
    asked = prefect.post(f"/deployments/{deployment}/create_flow_run", json={"parameters": parameters})
    return str(asked.raise_for_status().json()["id"])


def state(prefect: httpx2.Client, run: str) -> str:
    return str(prefect.get(f"/flow_runs/{run}").json()["state"]["name"])


def completed_by_retry(prefect: httpx2.Client, run: str) -> bool:
    """Press Retry, again where Prefect's worker undid it, being not yet done with cancelling."""
    if state(prefect, run) == "Cancelled":
        again = {"type": "SCHEDULED", "name": "AwaitingRetry"}
        pressed = prefect.post(f"/flow_runs/{run}/set_state", json={"state": again, "force": True})
        pressed.raise_for_status()
    return state(prefect, run) == "Completed"


def message(prefect: httpx2.Client, run: str) -> str:
    return str(prefect.get(f"/flow_runs/{run}").json()["state"]["message"])


def log_of(prefect: httpx2.Client, run: str) -> str:
    rows = prefect.post("/logs/filter", json={"logs": {"flow_run_id": {"any_": [run]}}}).json()
    return "\n".join(row["message"] for row in rows)


def activity_of(treadle: Command, run: str) -> dict[str, Any]:
    entries = treadle("activity", "list").data["activities"]
    return next(entry for entry in entries if entry["prefect_flow_run_id"] == run)


def test_a_collection_of_the_command_line_is_a_flow_run_while_the_server_runs(
    treadle: Command, prefect: httpx2.Client, deployment: str, slow_project: Path
) -> None:
    (slow_project / "GO").touch()

    collected = treadle("collect", str(slow_project)).data

    assert collected["package"]["name"] == "slow-tasks"
    entry = treadle("activity", "list").data["activities"][0]
    run = prefect.get(f"/flow_runs/{entry['prefect_flow_run_id']}").json()
    assert (run["state"]["name"], run["name"]) == ("Completed", str(slow_project))
    assert run["deployment_id"] == deployment
    assert "building the environment" in until(lambda: log_of(prefect, run["id"]))
    artifacts = prefect.post(
        "/artifacts/filter", json={"artifacts": {"flow_run_id": {"any_": [run["id"]]}}}
    ).json()
    shown = {artifact["key"]: artifact["data"] for artifact in artifacts}
    assert shown["collection"] == 100.0
    assert "slow-tasks 1.0" in shown["collected"]
    assert "building the environment" in treadle("activity", "show", str(entry["id"])).data["log"]


def test_a_wrong_parameter_of_the_form_is_refused_by_prefect(prefect: httpx2.Client, deployment: str) -> None:
    answer = prefect.post(
        f"/deployments/{deployment}/create_flow_run",
        json={"parameters": {"source": 3, "editable": "perhaps"}},
    )

    assert answer.status_code == 409
    assert "source" in answer.text


def test_what_cannot_be_collected_fails_there_with_its_reason(
    treadle: Command, prefect: httpx2.Client, deployment: str, tmp_path: Path
) -> None:
    run = start(prefect, deployment, source=str(tmp_path / "nothing"))

    until(lambda: state(prefect, run) == "Failed")

    assert (
        f"There is no folder {tmp_path / 'nothing'}"
        in prefect.get(f"/flow_runs/{run}").json()["state"]["message"]
    )
    assert activity_of(treadle, run)["state"] == "failed"


def test_cancel_ends_a_build_and_retry_collects_after_all(
    treadle: Command, prefect: httpx2.Client, deployment: str, slow_project: Path, home: Path
) -> None:
    (slow_project / "changed.txt").write_text("another content than that of other tests")
    wheels = set((home / "wheels").glob("[!.]*"))
    run = start(prefect, deployment, source=str(slow_project))
    until(lambda: "building the wheel of slow" in log_of(prefect, run))

    prefect.post(f"/flow_runs/{run}/set_state", json={"state": {"type": "CANCELLING"}}).raise_for_status()
    until(lambda: state(prefect, run) == "Cancelled")
    entry = until(lambda: (found := activity_of(treadle, run))["ended_at"] and found)

    assert entry["state"] == "cancelled"
    assert set((home / "wheels").glob("[!.]*")) == wheels

    (slow_project / "GO").touch()
    until(lambda: completed_by_retry(prefect, run))

    assert activity_of(treadle, run)["state"] == "done"


def test_plugins_are_looked_for_when_the_server_starts(
    prefect: httpx2.Client, deployment: str, plugin_folder: Path
) -> None:
    assert deployment
    asked = {"flow_runs": {"name": {"any_": ["plugins at start"]}}}

    (run,) = until(lambda: prefect.post("/flow_runs/filter", json=asked).json())
    until(lambda: state(prefect, run["id"]) == "Completed")

    assert f"{plugin_folder / 'broken.py'}" in until(lambda: log_of(prefect, run["id"]))
