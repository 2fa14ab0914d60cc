"""Runs on a SLURM that is away, or takes no jobs, for a while: they wait, lose nothing, and go on."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from treadle.testing.slurm import DevelopmentSlurm

pytestmark = pytest.mark.integration

UNITS = 8
REFUSED = "SLURM refused the job"


def test_a_run_waits_for_a_controller_that_is_away(slurm_run: Any) -> None:
    """A worker dies meanwhile: how, and whether there will be another, SLURM tells when it is back."""
    slurm_run.gate.touch()
    slurm_run.prepare(UNITS, sleep_seconds=0.5, wait_for_file=str(slurm_run.gate))
    with slurm_run.started():
        done = slurm_run.hold(4)
        slurm_run.slurm.stop_controller()
        try:
            psutil.Process(max(slurm_run.worker_processes())).kill()
            slurm_run.gate.touch()
            slurm_run.wait_for(lambda: len(slurm_run.done()) == UNITS - 2)
            slurm_run.wait_for(lambda: "SLURM does not answer" in slurm_run.log)
            shown = slurm_run.treadle("show", str(slurm_run.id)).data
            assert shown["state"] == "running"
            assert [step["failed"] for step in shown["steps"]] == [0, 0]
        finally:
            slurm_run.slurm.start_controller()
        outcome = slurm_run.outcome()
    assert outcome["state"] == "done"
    executions = slurm_run.executions()
    assert {name: executions[name] for name in done} == dict.fromkeys(done, 1)
    assert sum(executions.values()) == UNITS + 2
    assert len(re.findall("SLURM does not answer", slurm_run.log)) == 1
    assert len(re.findall("SLURM answers again", slurm_run.log)) == 1
    assert len(slurm_run.jobs()) <= 4  # that of the first step, two of the second, and one for the lost one
    assert set(Counter(slurm_run.job_names()).values()) == {1}


def test_a_run_waits_for_room_in_the_queue(slurm_run: Any) -> None:
    slurm_run.prepare(UNITS, sleep_seconds=0.5)
    slurm_run.slurm.limit_submissions(0)
    try:
        with slurm_run.started():
            slurm_run.wait_for(lambda: REFUSED in slurm_run.log)
            assert slurm_run.jobs() == {}
            slurm_run.slurm.limit_submissions(None)
            outcome = slurm_run.outcome()
    finally:
        slurm_run.slurm.limit_submissions(None)
    assert outcome["state"] == "done"
    assert set(slurm_run.executions().values()) == {1}
    assert len(re.findall(REFUSED, slurm_run.log)) == 1


def test_a_worker_that_is_lost_while_accounting_is_away_is_mourned_by_the_controller(
    slurm_run: Any, configure_slurm: Callable[..., None]
) -> None:
    configure_slurm(max_jobs=1)
    slurm_run.gate.touch()
    slurm_run.prepare(UNITS, sleep_seconds=0.5, wait_for_file=str(slurm_run.gate))
    with slurm_run.started():
        slurm_run.hold(2)
        workers = slurm_run.worker_processes()
        slurm_run.slurm.stop_accounting()
        try:
            slurm_run.slurm.run("scancel", max(slurm_run.queue("RUNNING"), key=int))
            slurm_run.wait_for(lambda: workers - slurm_run.worker_processes())
            slurm_run.gate.touch()
            outcome = slurm_run.outcome()
        finally:
            slurm_run.slurm.start_accounting()
    assert outcome["state"] == "done"
    assert sum(slurm_run.executions().values()) == UNITS + 2
    assert len(re.findall("accounting does not answer", slurm_run.log)) == 1


def test_a_slurm_without_accounting_tells_by_its_controller_how_jobs_ended(
    slurm_run: Any, slurm_script: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("bare") / "up"
    with DevelopmentSlurm(slurm_script, folder, accounting=False) as bare:
        treadle = replace(slurm_run.treadle, variables=bare.environment)
        run = replace(slurm_run, slurm=bare, treadle=treadle)
        run.gate.touch()
        run.prepare(UNITS, sleep_seconds=0.5, wait_for_file=str(run.gate))
        with run.started():
            run.hold(4)
            workers = run.worker_processes()
            job = max(run.queue("RUNNING"), key=int)
            bare.run("scancel", job)
            run.wait_for(lambda: workers - run.worker_processes())
            run.gate.touch()
            outcome = run.outcome()
        assert run.queue() == []
    assert outcome["state"] == "done"
    assert sum(run.executions().values()) == UNITS + 2
    assert re.search(rf"^SLURM job {job} on n\d was cancelled by ", run.log, re.MULTILINE)
    assert "does not answer" not in run.log
