"""Runs whose driver is in a SLURM job: followed, left alone, found again."""

from __future__ import annotations

import json
import signal
import subprocess
from pathlib import Path

import psutil
import pytest

from treadle.testing.cluster import wait_until
from treadle.testing.command import Command
from treadle.testing.slurm import DevelopmentSlurm

pytestmark = pytest.mark.integration


@pytest.fixture
def command(
    treadle: Command, on_slurm: dict[str, str], tmp_path: Path, request: pytest.FixtureRequest
) -> Command:
    """The command line, with a workflow and a dataset called as the test."""
    found = Command(treadle.home, variables=on_slurm)
    name = request.node.name
    package = {"pkg_name": "treadle-tasks-mock", "version": "0.1.0"}
    gate = {"wait_for_file": str(tmp_path / "gate"), "wait_seconds": 120}
    steps = [
        {"task": {**package, "name": "Create Items"}, "args_non_parallel": {"count": 2}},
        {"task": {**package, "name": "Act on Item"}, "args_parallel": gate},
    ]
    workflow = tmp_path / "workflow.json"
    workflow.write_text(json.dumps({"name": name, "task_list": steps}))
    found("workflow", "import", str(workflow))
    found("dataset", "create", name, "--dir", str(tmp_path / "data"))
    return found


def words(name: str) -> list[str]:
    return ["run", name, "--dataset", name, "--cluster", "slurm", "--driver", "job"]


def latest(command: Command, name: str) -> int:
    """Return the run of a workflow."""
    [run] = [run["id"] for run in command("runs").data["runs"] if run["workflow"] == name] or [0]
    return int(run)


def driver_of(command: Command, run: int) -> psutil.Process:
    """Return the process that drives a run in its job."""
    words = ["-m", "treadle", "resume", str(run)]
    drivers = (p for p in psutil.process_iter(["cmdline"]) if (p.info["cmdline"] or [])[2:] == words)
    [found] = [driver for driver in drivers if driver.environ()["TREADLE_HOME"] == str(command.home)]
    return found


def test_whoever_stops_to_look_does_not_stop_the_run_and_finds_it_again(
    command: Command, slurm: DevelopmentSlurm, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    name = request.node.name
    with subprocess.Popen(
        command.words(*words(name), as_json=False),
        env=command.environment,
        stderr=subprocess.PIPE,
        text=True,
    ) as terminal:
        assert terminal.stderr is not None
        assert "is driven by SLURM job" in terminal.stderr.readline()
        run = latest(command, name)
        wait_until(lambda: command("show", str(run)).data["state"] == "running", 60)
        terminal.send_signal(signal.SIGINT)
        assert f"Run {run} goes on." in terminal.stderr.read()
    assert terminal.returncode == 130
    (tmp_path / "gate").touch()
    followed = command("follow", str(run)).data
    assert followed["state"] == "done"
    assert [step["done"] for step in followed["steps"]] == [step["units"] for step in followed["steps"]]
    wait_until(lambda: slurm.run("squeue", "--noheader").stdout == "", 60)


def test_a_driver_whose_job_ends_is_missed_and_the_run_goes_on_with_another(
    command: Command, slurm: DevelopmentSlurm, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    name = request.node.name
    with subprocess.Popen(
        command.words(*words(name), as_json=False),
        env=command.environment,
        stderr=subprocess.PIPE,
        text=True,
    ) as terminal:
        assert terminal.stderr is not None
        job = terminal.stderr.readline().split()[-1]
        run = latest(command, name)
        wait_until(lambda: command("show", str(run)).data["state"] == "running", 60)
        driver_of(command, run).kill()
        said = terminal.stderr.read()
    assert terminal.returncode == 1
    assert f"Run {run} has lost its driver. SLURM job {job} " in said
    assert f"treadle resume {run}" in said
    (tmp_path / "gate").touch()
    assert command("resume", str(run), "--driver", "job").data["state"] == "done"
    wait_until(lambda: slurm.run("squeue", "--noheader").stdout == "", 60)


def test_a_cluster_without_jobs_has_none_for_a_driver(
    command: Command, request: pytest.FixtureRequest
) -> None:
    name = request.node.name
    refused = command("run", name, "--dataset", name, "--driver", "job", code=2, as_json=False)
    assert "has no jobs that a driver could be in" in refused.stderr
    assert latest(command, name) == 0
