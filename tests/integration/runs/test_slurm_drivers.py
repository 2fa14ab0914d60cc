"""Drivers of runs on SLURM that are killed or told to end: no job outlives them, and runs go on later."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import psutil
import pytest

from treadle.api import Server, client_environment

pytestmark = pytest.mark.integration

UNITS = 8
CANCEL_SECONDS = 10.0
LOOK = (
    "from treadle.runs.workers.reaper import look; from treadle.settings import load_settings; "
    "look(load_settings())"
)


def nothing_is_left(run: Any) -> bool:
    return run.queue() == [] and run.worker_processes() == set()


def test_a_run_whose_driver_was_killed_leaves_no_job_and_goes_on(slurm_run: Any) -> None:
    slurm_run.gate.touch()
    slurm_run.prepare(UNITS, sleep_seconds=0.5, wait_for_file=str(slurm_run.gate))
    with slurm_run.started() as process:
        done = slurm_run.hold(4)
        process.kill()
        process.wait()
        slurm_run.wait_for(lambda: nothing_is_left(slurm_run), 30)
    slurm_run.gate.touch()
    resumed = slurm_run.treadle("resume", str(slurm_run.id)).data
    assert resumed["state"] == "done"
    executions = slurm_run.executions()
    assert len(executions) == UNITS
    assert {name: executions[name] for name in done} == dict.fromkeys(done, 1)
    assert sum(executions.values()) == UNITS + 4
    assert not any((slurm_run.treadle.home / "clusters").iterdir())


def look(run: Any, server: Server) -> None:
    """Look once after runs whose driver died, as is done beside a server."""
    environment = {**run.treadle.environment, **client_environment(server, {})}
    subprocess.run([sys.executable, "-c", LOOK], env=environment, check=True)


def test_run_whose_driver_is_in_a_job_is_left_alone(
    slurm_run: Any, server: Server, configure_slurm: Callable[..., None]
) -> None:
    configure_slurm(**{"driver.time": "00:05:00", "driver.cpus": 1, "driver.memory": 1000})
    slurm_run.gate.touch()
    slurm_run.prepare(UNITS, sleep_seconds=0.5, wait_for_file=str(slurm_run.gate))
    with slurm_run.started("--driver", "job"):
        slurm_run.hold(2)
        look(slurm_run, server)
        look(slurm_run, server)
        assert slurm_run.treadle("show", str(slurm_run.id)).data["state"] == "running"
        slurm_run.gate.touch()
        assert slurm_run.outcome()["state"] == "done"
    slurm_run.wait_for(lambda: nothing_is_left(slurm_run), 30)


def test_jobs_of_a_driver_that_died_with_its_helper_are_ended_by_who_looks_after_the_dead(
    slurm_run: Any, server: Server, configure_slurm: Callable[..., None]
) -> None:
    """Its jobs that run end by themselves; those that wait in the queue do not."""
    configure_slurm(max_jobs=6, target_cpus_per_job=1)
    slurm_run.prepare(12, wait_for_file=str(slurm_run.gate))
    with slurm_run.started("--partition", "short", "--cpus", "4") as process:
        slurm_run.wait_for(lambda: len(slurm_run.executions()) == 2)
        slurm_run.wait_for(lambda: slurm_run.queue("PENDING"))
        for child in psutil.Process(process.pid).children():
            if "treadle.clusters.slurm.reaper" in child.cmdline():
                child.kill()
        process.kill()
        process.wait()
    slurm_run.wait_for(lambda: slurm_run.worker_processes() == set(), 60)

    look(slurm_run, server)  # tells Prefect
    look(slurm_run, server)  # settles the rest

    assert slurm_run.queue() == []
    run = slurm_run.treadle("show", str(slurm_run.id)).data
    assert run["state"] == "failed"
    assert f"treadle resume {slurm_run.id}" in run["error"]
    assert {job["state"] is None for job in run["jobs"]} == {False}
    slurm_run.gate.touch()
    assert slurm_run.treadle("resume", str(slurm_run.id)).data["state"] == "done"


@pytest.mark.parametrize("how", ["command", "interrupt"])
def test_a_cancelled_run_is_over_within_ten_seconds_and_goes_on_when_resumed(
    how: str, slurm_run: Any, configure_slurm: Callable[..., None]
) -> None:
    """Some of its jobs run, others wait in the queue."""
    configure_slurm(max_jobs=6, target_cpus_per_job=1)
    slurm_run.prepare(12, wait_for_file=str(slurm_run.gate))
    with slurm_run.started("--partition", "short", "--cpus", "4") as process:
        slurm_run.wait_for(lambda: len(slurm_run.executions()) == 2)
        slurm_run.wait_for(lambda: slurm_run.queue("PENDING"))
        if how == "command":
            slurm_run.treadle("cancel", str(slurm_run.id), timeout_seconds=CANCEL_SECONDS)
        else:
            process.send_signal(signal.SIGINT)
        outcome = slurm_run.outcome(code=130, seconds=CANCEL_SECONDS)
        assert nothing_is_left(slurm_run)
    assert outcome["state"] == "cancelled"
    slurm_run.gate.touch()
    assert slurm_run.treadle("resume", str(slurm_run.id)).data["state"] == "done"
