"""The cluster of SLURM jobs keeps the contract, and what it promises beyond, on a real SLURM."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from treadle.clusters import Cluster
from treadle.clusters.slurm.cluster import SlurmCluster
from treadle.errors import WorkerLost, WorkersUnavailable
from treadle.model.resources import Resources
from treadle.testing.cluster import ClusterContract, wait_for_file, wait_until
from treadle.testing.slurm import DevelopmentSlurm
from treadle.testing.slurm_cluster import (
    JOBS_OF_DRIVER,
    RememberingBook,
    doomed_driver,
    small_profile,
    worker_pids,
)

pytestmark = pytest.mark.integration


@pytest.fixture(autouse=True)
def use_slurm(slurm: DevelopmentSlurm, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name, value in slurm.environment.items():
        monkeypatch.setenv(name, value)
    yield
    assert slurm.jobs() == []


def opened(folder: Path, *, slots: int = 1, max_jobs: int = 1, **more: object) -> SlurmCluster:
    return SlurmCluster("slurm", small_profile(slots=slots, max_jobs=max_jobs, **more), folder)


class TestSlurmCluster(ClusterContract):
    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path: Path) -> None:
        self.folder = tmp_path

    def new_cluster(self, slots: int) -> Cluster:
        return opened(self.folder, slots=slots)

    def lose_worker(self, cluster: Cluster) -> None:  # noqa: ARG002 - there is one
        [worker] = worker_pids(self.folder)
        os.kill(worker, signal.SIGKILL)


def test_closing_leaves_no_job_no_process_and_no_file(slurm: DevelopmentSlurm, tmp_path: Path) -> None:
    before = set(psutil.Process().children(recursive=True))
    with opened(tmp_path, max_jobs=3) as cluster:
        pool = cluster.pool()
        pool.expect("test", 3)
        futures = [pool.submit(time.sleep, 600) for _ in range(3)]
        wait_until(lambda: any(future.running() for future in futures))
        assert len(slurm.jobs()) == 3
    assert slurm.jobs() == []
    assert worker_pids(tmp_path) == []
    assert set(psutil.Process().children(recursive=True)) == before
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("exports", "found"), [({}, "ours"), ({"TREADLE_HOME": "theirs"}, "theirs")])
def test_workers_find_the_home_folder_unless_the_profile_names_another(
    tmp_path: Path, exports: dict[str, str], found: str
) -> None:
    profile = small_profile(slots=1, max_jobs=1, exports=exports)
    with SlurmCluster("slurm", profile, tmp_path, home=Path("ours")) as cluster:
        assert cluster.pool().submit(os.getenv, "TREADLE_HOME").result(60) == found


def test_a_cancelled_job_is_told_by_its_number_and_who_did_it_and_another_takes_its_place(
    slurm: DevelopmentSlurm, tmp_path: Path
) -> None:
    book = RememberingBook()
    with opened(tmp_path) as cluster:
        cluster.report_to(book)
        running = cluster.pool().submit(time.sleep, 600)
        wait_until(running.running)
        [job] = slurm.jobs()
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
    book = RememberingBook()
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


def test_a_worker_has_its_files_where_the_profile_says_and_leaves_none(tmp_path: Path) -> None:
    local = tmp_path / "local"
    local.mkdir()
    with opened(tmp_path / "clusters", local_directory=str(local)) as cluster:
        assert cluster.pool().submit(abs, -1).result(60) == 1
        assert [path.name.startswith("treadle-worker-") for path in local.iterdir()] == [True]
    assert list(local.iterdir()) == []


def test_a_driver_that_is_killed_leaves_no_job_behind(slurm: DevelopmentSlurm, tmp_path: Path) -> None:
    """Two run, six are pending."""
    with doomed_driver(small_profile(max_jobs=JOBS_OF_DRIVER), tmp_path):
        wait_until(lambda: len(slurm.jobs()) == JOBS_OF_DRIVER)
    wait_until(lambda: slurm.jobs() == [] and worker_pids(tmp_path) == [], 30)
