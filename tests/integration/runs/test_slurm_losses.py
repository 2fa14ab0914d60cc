"""Runs on SLURM that lose workers: units go to others, what is done stays done, and nothing is left."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import pytest

pytestmark = pytest.mark.integration

UNITS = 8
GREEDY = {"memory_mb": 200, "sleep_seconds": 3}


@contextmanager
def cancelled(run: Any, job: str) -> Iterator[None]:
    run.slurm.run("scancel", job)
    yield


@contextmanager
def node_lost(run: Any, job: str, *, leave_jobs: bool = False) -> Iterator[None]:
    node = run.node_of(job)
    run.slurm.kill_node(node, leave_jobs=leave_jobs)
    try:
        yield
    finally:
        run.slurm.revive_node(node)


@contextmanager
def node_unreachable(run: Any, job: str) -> Iterator[None]:
    """SLURM gives the node up, but the driver still reaches the worker."""
    with node_lost(run, job, leave_jobs=True):
        yield


@contextmanager
def preempted(run: Any, job: str) -> Iterator[None]:
    where = f"--nodelist={run.node_of(job)}"
    words = ("sbatch", "--parsable", "--qos=urgent", "--exclusive", "--partition=long", where)
    urgent = run.slurm.run(*words, "--output=/dev/null", "--wrap=sleep 1").stdout.strip()
    yield
    run.slurm.run("scancel", urgent)


@pytest.mark.parametrize(
    ("fault", "state", "words"),
    [
        (cancelled, "CANCELLED", "was cancelled by "),
        (node_lost, "NODE_FAIL", "because its node failed"),
        (node_unreachable, "NODE_FAIL", "because its node failed"),
        (preempted, "PREEMPTED", "was preempted after 00:00:"),
    ],
)
def test_units_of_a_lost_worker_run_elsewhere_and_none_that_is_done_runs_again(
    fault: Callable[[Any, str], AbstractContextManager[None]], state: str, words: str, slurm_run: Any
) -> None:
    slurm_run.gate.touch()
    slurm_run.prepare(UNITS, sleep_seconds=0.5, wait_for_file=str(slurm_run.gate))
    with slurm_run.started("--partition", "long", "--directive=--exclusive"):  # a node for each job
        done = slurm_run.hold(4)
        workers = slurm_run.worker_processes()
        job = max(slurm_run.queue("RUNNING"), key=int)  # the first is that of the first step
        with fault(slurm_run, job):
            slurm_run.wait_for(lambda: workers - slurm_run.worker_processes())
            slurm_run.gate.touch()
            outcome = slurm_run.outcome()
    assert outcome["state"] == "done"
    assert [step["done"] for step in outcome["steps"]] == [1, UNITS]
    assert slurm_run.jobs()[job].startswith(state)
    executions = slurm_run.executions()
    assert set(executions) == {f"item_{number:04}" for number in range(UNITS)}
    assert {name: executions[name] for name in done} == dict.fromkeys(done, 1)
    assert sum(executions.values()) == UNITS + 2  # those that the job ran
    [told] = re.findall(rf"^SLURM job {job} on n[34] .*", slurm_run.log, re.MULTILINE)
    assert words in told


def test_units_without_enough_memory_get_larger_jobs_as_their_policy_says(
    slurm_run: Any, configure_slurm: Callable[..., None]
) -> None:
    """Their keeper stops those over their own request; SLURM ends what exceeds the job's."""
    configure_slurm(worker_memory=1, target_cpus_per_job=1)
    slurm_run.prepare(1, policy={"retries": {"attempts": 4}}, meta={"mem": 160}, **GREEDY)
    with slurm_run.started():
        outcome = slurm_run.outcome()
    assert outcome["state"] == "done"
    [units] = slurm_run.executions().values()
    asked = sorted(slurm_run.requested_mebibytes().values())
    assert units == len(asked) - 1 > 1  # one job was for the first step
    assert asked[-1] > 160


def test_a_unit_without_enough_memory_says_what_it_had_and_used_and_where(
    slurm_run: Any, configure_slurm: Callable[..., None]
) -> None:
    configure_slurm(worker_memory=1, target_cpus_per_job=1)
    slurm_run.prepare(1, meta={"mem": 250}, **GREEDY)
    with slurm_run.started():
        outcome = slurm_run.outcome(code=1)
    [failure] = outcome["failures"]
    assert failure["cause"] == "out_of_memory"
    [job] = [job for job, state in slurm_run.jobs().items() if state in {"OUT_OF_MEMORY", "FAILED"}]
    for text in (f"SLURM job {job} on n", "MB", "Ask for more: meta mem of the task"):
        assert text in failure["error"]
    shown = slurm_run.treadle("show", str(outcome["id"]), as_json=False).stdout
    assert failure["error"].splitlines()[0] in shown
