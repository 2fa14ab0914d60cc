"""The local cluster keeps the contract, and what it promises beyond."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from treadle.clusters import Cluster
from treadle.clusters.local import LocalCluster
from treadle.errors import WorkerLost, WorkersUnavailable
from treadle.execute.batch import Batch, UnitCall, run_batch
from treadle.execute.running import cancel_run
from treadle.model.states import UnitState
from treadle.testing.cluster import ClusterContract, wait_until

pytestmark = pytest.mark.integration


def worker() -> psutil.Process:
    """Return the process of the only worker there is."""
    [found] = [
        child
        for child in psutil.Process().children(recursive=True)
        if "treadle.clusters.worker_process" in child.cmdline()
    ]
    return found


class TestLocalCluster(ClusterContract):
    def new_cluster(self, slots: int) -> Cluster:
        return LocalCluster(slots)

    def lose_worker(self, cluster: Cluster) -> None:  # noqa: ARG002 - there is one
        worker().kill()


def sleeping_batch(folder: Path) -> Batch:
    """Return a batch whose unit starts a child, leaves both process ids in a file, and sleeps."""
    script = folder / "sleeper.py"
    script.write_text(
        "import json, os, subprocess, sys, time\n"
        "args = json.load(open(sys.argv[2]))\n"
        "child = subprocess.Popen(['sleep', '600'], start_new_session=True)\n"
        "open(args['pids'] + '.part', 'w').write(f'{os.getpid()} {child.pid}')\n"
        "os.rename(args['pids'] + '.part', args['pids'])\n"
        "time.sleep(600)\n"
    )
    call = UnitCall(index=0, command=(sys.executable, str(script)), args={"pids": str(folder / "pids")})
    return Batch(run_id=1, position=0, step="sleep", calls=(call,), log_folder=str(folder), environment={})


def pids_in(folder: Path) -> list[int]:
    wait_until((folder / "pids").exists)
    return [int(pid) for pid in (folder / "pids").read_text().split()]


def test_batches_run_on_a_worker_of_that_name(tmp_path: Path) -> None:
    call = UnitCall(index=7, command=("true",), args={})
    batch = Batch(run_id=1, position=0, step="null", calls=(call,), log_folder=str(tmp_path), environment={})
    with LocalCluster(1) as cluster:
        [record] = cluster.submit(run_batch, batch).result(30)
    assert (record.index, record.state, record.worker) == (7, UnitState.DONE, "local-1")


def test_when_a_batch_counts_as_lost_its_units_and_their_children_are_gone(tmp_path: Path) -> None:
    """The child is in a session of its own: killing the unit's process group would miss it."""
    with LocalCluster(1) as cluster:
        future = cluster.submit(run_batch, sleeping_batch(tmp_path))
        pids = pids_in(tmp_path)
        assert all(psutil.pid_exists(pid) for pid in pids)
        worker().kill()
        assert isinstance(future.exception(30), WorkerLost)
        assert not any(psutil.pid_exists(pid) for pid in pids)


def test_a_cancelled_run_ends_at_once_on_a_worker_whose_slots_are_all_busy(tmp_path: Path) -> None:
    with LocalCluster(1) as cluster:
        future = cluster.submit(run_batch, sleeping_batch(tmp_path))
        pids = pids_in(tmp_path)
        cluster.broadcast(cancel_run, 1)
        [record] = future.result(10)
        assert record.state is UnitState.CANCELLED
        assert not any(psutil.pid_exists(pid) for pid in pids)
        assert cluster.submit(abs, -1).result(30) == 1


def test_closing_leaves_no_process_and_no_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    before = set(psutil.Process().children(recursive=True))
    with LocalCluster(1) as cluster:
        cluster.submit(run_batch, sleeping_batch(tmp_path))
        pids = pids_in(tmp_path)
        assert list(tmp_path.glob("treadle-*"))
    assert not any(psutil.pid_exists(pid) for pid in pids)
    assert set(psutil.Process().children(recursive=True)) == before
    assert not list(tmp_path.glob("treadle-*"))


def test_what_a_worker_logs_is_in_the_drivers_log_when_it_has_ended(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    with LocalCluster(1) as cluster:
        cluster.submit(logging.warning, "task_not_forkable file=x").result(30)
    [said] = [message for message in caplog.messages if "worker_said" in message]
    assert said.startswith("worker_said worker=local-1 line=")
    assert "task_not_forkable file=x" in said


def test_a_replaced_worker_takes_over_under_another_name(tmp_path: Path) -> None:
    call = UnitCall(index=0, command=("true",), args={})
    batch = Batch(run_id=1, position=0, step="null", calls=(call,), log_folder=str(tmp_path), environment={})
    with LocalCluster(1) as cluster:
        running = cluster.submit(time.sleep, 600)
        wait_until(running.running)
        worker().kill()
        assert isinstance(running.exception(30), WorkerLost)
        [record] = cluster.submit(run_batch, batch).result(30)
    assert record.worker == "local-2"


def test_a_worker_that_cannot_start_is_reported_with_its_last_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONHOME", "/nowhere")
    with pytest.raises(WorkersUnavailable) as raised, LocalCluster(1):
        pass
    assert "died before it was ready" in raised.value.what
    assert "/nowhere" in raised.value.detail


def test_workers_that_never_come_back_fail_what_waits_for_them(monkeypatch: pytest.MonkeyPatch) -> None:
    with LocalCluster(1) as cluster:
        monkeypatch.setenv("PYTHONHOME", "/nowhere")
        worker().kill()
        futures = [cluster.submit(abs, -number) for number in range(3)]
        assert all(isinstance(future.exception(60), WorkersUnavailable | WorkerLost) for future in futures)
        with pytest.raises(WorkersUnavailable):
            cluster.submit(abs, -1)


def test_secrets_of_the_engine_do_not_reach_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TREADLE_TOKEN", "hush")
    monkeypatch.setenv("PREFECT_API_AUTH_STRING", "hush")
    monkeypatch.setenv("ORDINARY", "seen")
    with LocalCluster(1) as cluster:
        names = ["TREADLE_TOKEN", "PREFECT_API_AUTH_STRING", "ORDINARY"]
        assert [cluster.submit(os.getenv, name).result(30) for name in names] == [None, None, "seen"]


def test_the_users_dask_configuration_is_left_alone() -> None:
    import dask

    with dask.config.set({"distributed.scheduler.allowed-failures": 17}):
        before = dict(dask.config.config["distributed"]["scheduler"])
        with LocalCluster(1) as cluster:
            assert cluster.submit(abs, -1).result(30) == 1
            assert dask.config.config["distributed"]["scheduler"] == before
    assert "OMP_NUM_THREADS" not in os.environ


SCRIPT = """
import sys, time
from treadle.clusters.local import LocalCluster
with LocalCluster(2) as cluster:
    assert cluster.submit(abs, -1).result() == 1
    future = cluster.submit(time.sleep, 600)
    while not future.running(): time.sleep(0.01)
    try:
        print("ready", flush=True)
        future.result()
    except KeyboardInterrupt:
        assert future.running()
        assert cluster.submit(abs, -2).result() == 2
        print("interrupted", flush=True)
"""


def start_script() -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", SCRIPT],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def test_ctrl_c_reaches_the_driver_alone_and_nothing_is_said_on_the_terminal() -> None:
    """As a terminal does it: the signal goes to the whole process group. Needs no `__main__` guard either."""
    with start_script() as driver:
        assert driver.stdout is not None
        assert driver.stdout.readline() == "ready\n"
        os.killpg(driver.pid, signal.SIGINT)
        out, err = driver.communicate(timeout=30)
    assert (out, err, driver.returncode) == ("interrupted\n", "", 0)


def test_a_driver_that_is_killed_takes_its_worker_with_it() -> None:
    with start_script() as driver:
        assert driver.stdout is not None
        assert driver.stdout.readline() == "ready\n"
        children = psutil.Process(driver.pid).children(recursive=True)
        assert children
        driver.kill()
        driver.communicate(timeout=30)
    gone, alive = psutil.wait_procs(children, timeout=10)
    assert not alive
    assert len(gone) == len(children)


def test_it_starts_and_stops_in_a_few_seconds() -> None:
    began = time.monotonic()
    with LocalCluster(2):
        pass
    assert time.monotonic() - began < 10
