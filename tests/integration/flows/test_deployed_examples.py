"""The examples as deployments of a clone: Prefect's own command deploys them, Treadle's worker runs them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.integration

FLOWS = ["montage", "nightly upkeep", "plate", "shell commands", "sweep", "watch folder"]


def test_all_examples_are_deployed_where_the_clone_is(deployments: Any) -> None:
    for flow in FLOWS:
        found = deployments.ask(f"/deployments/name/{flow}/example")
        assert found["work_pool_name"] == "treadle"
        [step] = found["pull_steps"]
        assert step == {
            "prefect.deployments.steps.set_working_directory": {"directory": str(deployments.clone)}
        }
        assert found["enforce_parameter_schema"]
        assert not any(schedule["active"] for schedule in found["schedules"])


def test_every_example_is_deployed() -> None:
    clone = Path(__file__).parents[3]
    named = (clone / "deployments" / "prefect.yaml").read_text()
    assert [
        path.name for path in sorted((clone / "flows").glob("*.py")) if f"flows/{path.name}:" not in named
    ] == []


def test_deployed_example_is_run_by_the_worker(deployments: Any, examples: Any) -> None:
    run = deployments.start("shell commands", name="deployed", folder=str(examples.folder))
    assert deployments.ended(run).startswith("COMPLETED")
    assert (examples.folder / "deployed" / "SHA256SUMS").exists()


def test_arrivals_start_a_deployment_once_even_if_the_watch_forgets(deployments: Any, examples: Any) -> None:
    folder = examples.folder / "incoming"
    (folder / "first").mkdir(parents=True)
    (folder / "first" / "image").write_text("pixels")
    (folder / "second.part").write_text("still being copied")
    (folder / "empty").mkdir()
    watch = {
        "folder": str(folder),
        "deployment": "shell commands/example",
        "parameter": "folder",
        "settle_seconds": 0.2,
        "poll_seconds": 0.1,
        "arrivals": 1,
    }
    before = {run["id"] for run in deployments.runs("shell commands")}

    assert deployments.ended(deployments.start("watch folder", **watch)).startswith("COMPLETED")

    [started] = [run for run in deployments.runs("shell commands") if run["id"] not in before]
    assert started["parameters"]["folder"] == str(folder / "first")
    assert deployments.ended(started["id"]).startswith("COMPLETED")

    (folder / ".arrivals.jsonl").write_text('{"name": "fir')  # as a crash would leave it
    for file in (folder / "first").iterdir():
        if file.name != "image":
            examples.python("-c", f"import shutil; shutil.rmtree({str(file)!r})")
    examples.call("watch_folder", **watch)
    assert [run["id"] for run in deployments.runs("shell commands") if run["id"] not in before] == [
        started["id"]
    ]
