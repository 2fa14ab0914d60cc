"""Runs on SLURM that take longer than any of their jobs may."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

pytestmark = pytest.mark.integration

UNITS = 56
UNIT_SECONDS = 5
LOSSES = 3


def test_a_run_outlasts_its_jobs_and_a_unit_that_does_not_says_what_to_change(
    slurm_run: Any, configure_slurm: Callable[..., None]
) -> None:
    """Jobs of one minute, twice: units of some seconds for longer than that, and one that never ends."""
    configure_slurm(job_time="00:01:00")
    endless = replace(slurm_run, name=f"{slurm_run.name}-endless", folder=slurm_run.folder / "endless")
    endless.folder.mkdir()
    slurm_run.prepare(UNITS, sleep_seconds=UNIT_SECONDS)
    endless.prepare(1, sleep_seconds=600)
    with slurm_run.started(), endless.started("--partition", "long"):
        expired = expire_each_job(endless)
        lost = endless.outcome(code=1)
        done = slurm_run.outcome()
    assert done["state"] == "done"
    assert done["seconds"] > 60
    executions = slurm_run.executions()
    assert len(executions) == UNITS
    assert set(executions.values()) == {1}
    ends = {job: state for job, state in slurm_run.jobs().items() if job not in expired}
    assert {state.split()[0] for state in ends.values()} <= {"COMPLETED", "CANCELLED"}, ends

    [failure] = lost["failures"]
    assert len(expired) == LOSSES
    assert failure["cause"] == "worker_lost"
    assert f"SLURM job {expired[-1]} on n" in failure["error"]
    assert "reached its time limit: it had 00:" in failure["error"]
    assert "Ask for more time: meta time of the task, --time" in failure["error"]


def expire_each_job(run: Any) -> list[str]:
    """Let the time of each job be over in which the unit has started; return those jobs."""
    expired: list[str] = []
    while len(expired) < LOSSES:
        run.wait_for(lambda: sum(run.executions().values()) == len(expired) + 1)
        [job] = set(run.queue("RUNNING", "long")[-1:]) - set(expired)
        run.slurm.expire_job(job)
        expired.append(job)
    return expired
