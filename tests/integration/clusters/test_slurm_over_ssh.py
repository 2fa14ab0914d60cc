"""The cluster of SLURM jobs keeps the contract where another machine submits them, over a real SSH."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from treadle.clusters import Cluster
from treadle.clusters.slurm.cluster import SlurmCluster
from treadle.errors import HostUnreachable
from treadle.model.profile import ClusterProfile
from treadle.testing.cluster import ClusterContract, wait_for_file, wait_until
from treadle.testing.slurm import DevelopmentSlurm
from treadle.testing.slurm_cluster import (
    JOBS_OF_DRIVER,
    RememberingBook,
    doomed_driver,
    small_profile,
    worker_pids,
)
from treadle.testing.ssh import LoopbackSsh

pytestmark = pytest.mark.integration


@pytest.fixture(autouse=True)
def know_no_slurm(slurm: DevelopmentSlurm, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in slurm.environment:
        monkeypatch.delenv(name, raising=False)
    yield
    assert slurm.jobs() == []


def profile(submitting: LoopbackSsh, *, known_hosts: Path | None = None, **values: object) -> ClusterProfile:
    ssh = {
        "host": submitting.host,
        "port": submitting.port,
        "user": submitting.user,
        "key_file": str(submitting.key_file),
        "known_hosts": str(known_hosts or submitting.known_hosts),
    }
    return small_profile(**{"ssh": ssh, **values})


class TestSlurmOverSsh(ClusterContract):
    @pytest.fixture(autouse=True)
    def _place(self, submitting: LoopbackSsh, tmp_path: Path) -> None:
        self.submitting = submitting
        self.folder = tmp_path

    def new_cluster(self, slots: int) -> Cluster:
        return SlurmCluster("remote", profile(self.submitting, slots=slots), self.folder)

    def lose_worker(self, cluster: Cluster) -> None:  # noqa: ARG002 - there is one
        [worker] = worker_pids(self.folder)
        os.kill(worker, signal.SIGKILL)


def test_a_host_whose_key_is_not_known_is_refused_and_the_remedy_named(
    submitting: LoopbackSsh, tmp_path: Path
) -> None:
    unknown = tmp_path / "known_hosts"
    unknown.touch()
    cluster = SlurmCluster("remote", profile(submitting, known_hosts=unknown), tmp_path / "clusters")
    with pytest.raises(HostUnreachable) as raised, cluster:
        pass
    assert submitting.host in raised.value.what
    assert "known hosts" in raised.value.remedy
    assert "Host key verification failed" in raised.value.detail
    assert list((tmp_path / "clusters").iterdir()) == []
    assert unknown.read_text() == ""


def test_while_the_way_is_cut_nothing_is_taken_for_dead_and_all_work_is_done_when_it_is_back(
    submitting: LoopbackSsh, slurm: DevelopmentSlurm, tmp_path: Path
) -> None:
    """One function ends meanwhile; another needs a job that can only be submitted afterwards."""
    book = RememberingBook()
    gates = [tmp_path / "first", tmp_path / "second"]
    with SlurmCluster("remote", profile(submitting, max_jobs=2), tmp_path / "clusters") as cluster:
        cluster.report_to(book)
        pool = cluster.pool()
        pool.expect("test", 1)
        first = pool.submit(wait_for_file, str(gates[0]))
        wait_until(first.running)
        submitting.stop()
        try:
            pool.expect("test", 3)
            second, third = (pool.submit(wait_for_file, str(gates[1])) for _ in range(2))
            gates[0].touch()
            assert first.result(60) == str(gates[0])
            wait_until(second.running)
            assert not third.running()
            assert len(slurm.jobs()) == 1
        finally:
            submitting.start()
        wait_until(third.running, 60)
        assert not book.ends
        gates[1].touch()
        assert [second.result(60), third.result(60)] == [str(gates[1])] * 2
    assert len(book.jobs) == 2
    assert book.ends.keys() == {job.id for job in book.jobs}


def test_a_driver_that_is_killed_leaves_no_job_behind(
    submitting: LoopbackSsh, slurm: DevelopmentSlurm, tmp_path: Path
) -> None:
    with doomed_driver(profile(submitting, max_jobs=JOBS_OF_DRIVER), tmp_path):
        wait_until(lambda: len(slurm.jobs()) == JOBS_OF_DRIVER)
    wait_until(lambda: slurm.jobs() == [] and worker_pids(tmp_path) == [], 30)
