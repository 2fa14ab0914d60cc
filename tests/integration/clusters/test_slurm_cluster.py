"""The cluster of SLURM jobs keeps the contract, and what it promises beyond, on a real SLURM."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from treadle.clusters import Cluster
from treadle.clusters.port import JobOver, JobStarted
from treadle.clusters.slurm.cluster import SlurmCluster
from treadle.errors import WorkerLost, WorkersUnavailable
from treadle.model.profile import ClusterProfile
from treadle.model.resources import Resources
from treadle.testing.cluster import ClusterContract, wait_for_file, wait_until
from treadle.testing.slurm import DevelopmentSlurm

pytestmark = pytest.mark.integration

PROFILE = {"host": "127.0.0.1", "poll_seconds": 0.5, "poll_seconds_max": 2, "job_time": "00:05:00"}


class Book:
    """Remembers what it is told."""

    def __init__(self) -> None:
        self.jobs: list[JobStarted] = []
        self.ends: dict[str, JobOver] = {}

    def started(self, job: JobStarted) -> None:
        self.jobs.append(job)

    def over(self, job: JobOver) -> None:
        self.ends[job.id] = job


@pytest.fixture(autouse=True)
def use_slurm(slurm: DevelopmentSlurm, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name, value in slurm.environment.items():
        monkeypatch.setenv(name, value)
    yield
    assert jobs(slurm) == []


def jobs(slurm: DevelopmentSlurm) -> list[str]:
    """Return the ids of all jobs in the queue."""
    return slurm.run("squeue", "--noheader", "--format=%A").stdout.split()


def opened(folder: Path, *, slots: int = 1, max_jobs: int = 1, **more: object) -> SlurmCluster:
    values = {**PROFILE, "max_jobs": max_jobs, "target_cpus_per_job": slots, **more}
    return SlurmCluster("slurm", ClusterProfile.model_validate(values), folder)


def worker_processes(folder: Path) -> list[psutil.Process]:
    """Return the workers of clusters whose files are in a folder."""
    return [
        process
        for process in psutil.process_iter(["cmdline"])
        if "treadle.clusters.slurm.worker" in (words := process.info["cmdline"] or [])
        and any(word.startswith(f"{folder}/") for word in words)
    ]


class TestSlurmCluster(ClusterContract):
    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path: Path) -> None:
        self.folder = tmp_path

    def new_cluster(self, slots: int) -> Cluster:
        return opened(self.folder, slots=slots)

    def lose_worker(self, cluster: Cluster) -> None:  # noqa: ARG002 - there is one
        [worker] = worker_processes(self.folder)
        worker.kill()


def test_closing_leaves_no_job_no_process_and_no_file(slurm: DevelopmentSlurm, tmp_path: Path) -> None:
    before = set(psutil.Process().children(recursive=True))
    with opened(tmp_path, max_jobs=3) as cluster:
        pool = cluster.pool()
        pool.expect("test", 3)
        futures = [pool.submit(time.sleep, 600) for _ in range(3)]
        wait_until(lambda: any(future.running() for future in futures))
        assert len(jobs(slurm)) == 3
    assert jobs(slurm) == []
    assert worker_processes(tmp_path) == []
    assert set(psutil.Process().children(recursive=True)) == before
    assert list(tmp_path.iterdir()) == []


def test_a_cancelled_job_is_told_by_its_number_and_who_did_it_and_another_takes_its_place(
    slurm: DevelopmentSlurm, tmp_path: Path
) -> None:
    book = Book()
    with opened(tmp_path) as cluster:
        cluster.report_to(book)
        running = cluster.pool().submit(time.sleep, 600)
        wait_until(running.running)
        [job] = jobs(slurm)
        slurm.run("scancel", job)
        lost = running.exception(60)
        assert isinstance(lost, WorkerLost)
        assert lost.blameless
        assert f"job {job} " in str(lost)
        assert "cancelled by" in str(lost)
        assert cluster.pool().submit(abs, -1).result(60) == 1
    assert book.jobs[0].id == job
    assert book.ends[job].state.startswith("CANCELLED")


def test_when_a_node_fails_the_batch_goes_to_another(slurm: DevelopmentSlurm, tmp_path: Path) -> None:
    with opened(tmp_path) as cluster:
        pool = cluster.pool(Resources(partition="long"))
        running = pool.submit(time.sleep, 600)
        wait_until(running.running)
        node = slurm.run("squeue", "--noheader", "--format=%N").stdout.strip()
        slurm.kill_node(node)
        try:
            lost = running.exception(60)
            assert isinstance(lost, WorkerLost)
            assert lost.blameless
            assert node in str(lost)
            assert pool.submit(abs, -1).result(60) == 1
        finally:
            slurm.revive_node(node)


def test_jobs_that_end_before_their_worker_is_ready_are_given_up_with_their_own_words(tmp_path: Path) -> None:
    broken = opened(tmp_path, python="/bin/false", exports={"PYTHONHOME": "/nowhere"})
    with broken as cluster:
        future = cluster.pool().submit(abs, -1)
        error = future.exception(120)
    assert isinstance(error, WorkersUnavailable)
    assert "3 jobs in a row" in error.what


def test_what_slurm_will_never_take_is_an_error_at_once_with_its_own_words(tmp_path: Path) -> None:
    with opened(tmp_path) as cluster:
        error = cluster.pool(Resources(partition="nowhere")).submit(abs, -1).exception(60)
    assert error is not None
    assert "nvalid partition" in f"{error} {getattr(error, 'detail', '')}"


def test_where_the_queue_is_full_the_work_waits_and_is_done_in_the_end(
    slurm: DevelopmentSlurm, tmp_path: Path
) -> None:
    slurm.limit_submissions(1)
    try:
        with opened(tmp_path, max_jobs=3) as cluster:
            pool = cluster.pool()
            pool.expect("test", 30)
            futures = [pool.submit(abs, -number) for number in range(30)]
            assert [future.result(60) for future in futures] == list(range(30))
    finally:
        slurm.limit_submissions(None)


def test_while_the_controller_is_away_work_goes_on_and_nothing_is_taken_for_dead(
    slurm: DevelopmentSlurm, tmp_path: Path
) -> None:
    book = Book()
    with opened(tmp_path, max_jobs=2) as cluster:
        cluster.report_to(book)
        pool = cluster.pool()
        gate = tmp_path / "gate"
        running = pool.submit(wait_for_file, str(gate))
        wait_until(running.running)
        slurm.stop_controller()
        try:
            assert not book.ends
            gate.touch()
            assert running.result(60) == str(gate)
            assert pool.submit(abs, -1).result(60) == 1
        finally:
            slurm.start_controller()
        assert not book.ends
    assert len(book.jobs) == 1
    assert set(book.ends) == {book.jobs[0].id}


def test_two_shapes_are_two_pools_and_equal_ones_share(tmp_path: Path) -> None:
    with opened(tmp_path) as cluster:
        small, again = cluster.pool(Resources()), cluster.pool(Resources())
        large = cluster.pool(Resources(cpus=2))
        assert small is again
        assert large is not small
        assert large.submit(os.getenv, "SLURM_CPUS_PER_TASK").result(60) == "2"
        assert small.submit(os.getenv, "SLURM_CPUS_PER_TASK").result(60) == "1"


DRIVER = """
import sys, time
from pathlib import Path
from treadle.clusters.slurm.cluster import SlurmCluster
from treadle.model.profile import ClusterProfile
from treadle.model.resources import Resources
profile = ClusterProfile.model_validate_json(sys.argv[1])
with SlurmCluster("slurm", profile, Path(sys.argv[2])) as cluster:
    pool = cluster.pool(Resources(partition="short", cpus=4))
    pool.expect("test", 8)
    futures = [pool.submit(time.sleep, 600) for _ in range(8)]
    while not any(future.running() for future in futures):
        time.sleep(0.05)
    print("running", flush=True)
    time.sleep(600)
"""


def test_a_driver_that_is_killed_leaves_no_job_behind(slurm: DevelopmentSlurm, tmp_path: Path) -> None:
    """Two run, six are pending."""
    values = {**PROFILE, "max_jobs": 8}
    profile = ClusterProfile.model_validate(values).model_dump_json()
    words = [sys.executable, "-c", DRIVER, profile, str(tmp_path)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as driver:
        assert driver.stdout is not None
        assert driver.stdout.readline() == "running\n"
        wait_until(lambda: len(jobs(slurm)) == 8)
        driver.send_signal(signal.SIGKILL)
    wait_until(lambda: jobs(slurm) == [] and worker_processes(tmp_path) == [], 30)
