"""The development SLURM is a real one, behaves as one when it is hurt, and leaves nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from treadle.errors import ClusterError
from treadle.testing.cluster import wait_until
from treadle.testing.slurm import DevelopmentSlurm

pytestmark = pytest.mark.integration

Submit = Callable[..., str]

MEMORY = (
    "import time; held = bytearray({size}); held[::4096] = b'x' * len(held[::4096]); time.sleep({seconds})"
)


@pytest.fixture
def submit(slurm: DevelopmentSlurm, tmp_path: Path) -> Submit:
    """Submit a Python program as a job and return its id; it prints to `<id>.out` in the test's folder."""

    def submit(program: str, *options: str) -> str:
        script = tmp_path / "job.sh"
        script.write_text(f"#!/bin/sh\nexec '{sys.executable}' - <<'END'\n{program}\nEND\n")
        done = slurm.run("sbatch", "--parsable", f"--output={tmp_path}/%j.out", *options, str(script))
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    return submit


def queued_state(slurm: DevelopmentSlurm, job: str) -> str:
    return slurm.run("squeue", "--noheader", "--states=all", f"--jobs={job}", "--format=%T").stdout.strip()


def accounted(slurm: DevelopmentSlurm, job: str, fields: str) -> list[str]:
    """Return the fields of a job's line, and then of its steps' lines, as sacct has them."""
    said = slurm.run("sacct", "--parsable2", "--noheader", f"--jobs={job}", f"--format={fields}").stdout
    return said.splitlines()


def processes_of(folder: Path) -> list[psutil.Process]:
    """Return every process with the folder in its command or environment, or at work in it."""
    found = []
    for process in psutil.process_iter():
        try:
            words = [*process.cmdline(), *process.environ().values(), process.cwd()]
        except (psutil.NoSuchProcess, psutil.ZombieProcess, psutil.AccessDenied):
            continue
        if process.pid != os.getpid() and any(str(folder) in word for word in words):
            found.append(process)
    return found


def test_four_idle_nodes_in_two_partitions(slurm: DevelopmentSlurm) -> None:
    lines = slurm.run("sinfo", "--noheader", "--Node", "--format=%N %R %T %c %m").stdout.splitlines()
    assert lines == [f"n{n} {'short' if n < 3 else 'long'} idle 4 4000" for n in (1, 2, 3, 4)]


def test_a_job_runs_and_accounting_knows_where_and_with_how_much_memory(
    slurm: DevelopmentSlurm, submit: Submit, tmp_path: Path
) -> None:
    program = MEMORY.format(size=100_000_000, seconds=2)
    job = submit(f"import os; print(os.environ['SLURMD_NODENAME'], flush=True); {program}", "--nodelist=n2")
    wait_until(lambda: "COMPLETED|n2||short" in accounted(slurm, job, "State,NodeList,MaxRSS,Partition"))
    _, step, *_ = accounted(slurm, job, "State,NodeList,MaxRSS")
    state, node, most = step.split("|")
    assert (state, node) == ("COMPLETED", "n2")
    assert 100_000_000 < int(most.removesuffix("K")) * 1024 < 300_000_000
    assert (tmp_path / f"{job}.out").read_text() == "n2\n"


def test_a_job_that_exceeds_its_memory_is_ended(slurm: DevelopmentSlurm, submit: Submit) -> None:
    job = submit(MEMORY.format(size=200_000_000, seconds=600), "--mem=50M")
    wait_until(lambda: queued_state(slurm, job) not in {"PENDING", "RUNNING", "COMPLETING"})
    assert queued_state(slurm, job) == ("OUT_OF_MEMORY" if slurm.limits_memory else "FAILED")


def test_devices_are_given_to_one_job_each(slurm: DevelopmentSlurm, tmp_path: Path) -> None:
    words = ["srun", "--partition=long", "--gres=gpu:1"]
    told = slurm.run(*words, sys.executable, "-c", "import os; print(os.environ['CUDA_VISIBLE_DEVICES'])")
    assert told.stdout == "0\n"
    refused = slurm.run("sbatch", "--partition=long", "--gres=gpu:3", f"--output={tmp_path}/o", "--wrap=true")
    assert "Requested node configuration is not available" in refused.stderr


def test_jobs_of_a_node_that_dies_end_as_its_failure(slurm: DevelopmentSlurm, submit: Submit) -> None:
    job = submit("import time; time.sleep(600)", "--nodelist=n1", "--no-requeue")
    wait_until(lambda: queued_state(slurm, job) == "RUNNING")
    slurm.kill_node("n1")
    try:
        wait_until(lambda: queued_state(slurm, job) == "NODE_FAIL")
        assert slurm.status()["nodes"]["n1"].startswith("down")
        assert not job_processes(slurm, job)
    finally:
        slurm.revive_node("n1")
    assert slurm.status()["nodes"]["n1"] == "idle"


def test_processes_may_outlive_their_nodes_daemon(slurm: DevelopmentSlurm, submit: Submit) -> None:
    job = submit("import time; time.sleep(600)", "--nodelist=n1", "--no-requeue")
    wait_until(lambda: queued_state(slurm, job) == "RUNNING" and bool(job_processes(slurm, job)))
    slurm.kill_node("n1", leave_jobs=True)
    try:
        wait_until(lambda: queued_state(slurm, job) == "NODE_FAIL")
        assert job_processes(slurm, job)
    finally:
        slurm.revive_node("n1")
    wait_until(lambda: not job_processes(slurm, job))


def job_processes(slurm: DevelopmentSlurm, job: str) -> list[psutil.Process]:
    found = []
    for process in processes_of(slurm.folder):
        try:
            if process.environ().get("SLURM_JOB_ID") == job:
                found.append(process)
        except (psutil.NoSuchProcess, psutil.ZombieProcess):
            continue
    return found


def test_commands_fail_while_the_controller_is_away_and_jobs_run_on(
    slurm: DevelopmentSlurm, submit: Submit
) -> None:
    job = submit("import time; time.sleep(600)")
    wait_until(lambda: queued_state(slurm, job) == "RUNNING")
    slurm.stop_controller()
    try:
        assert slurm.status()["daemons"]["slurmctld"] is None
        away = slurm.run("scontrol", "ping")
        assert "DOWN" in away.stdout
        assert job_processes(slurm, job)
    finally:
        slurm.start_controller()
    assert queued_state(slurm, job) == "RUNNING"
    slurm.run("scancel", job)
    wait_until(lambda: queued_state(slurm, job) == "CANCELLED")


def test_accounting_fails_while_its_daemon_is_away_and_is_told_later(
    slurm: DevelopmentSlurm, submit: Submit
) -> None:
    slurm.stop_accounting()
    try:
        job = submit("pass")
        wait_until(lambda: queued_state(slurm, job) == "COMPLETED")
        away = slurm.run("sacct", f"--jobs={job}")
        assert away.returncode != 0
        assert "Connection refused" in away.stderr
    finally:
        slurm.start_accounting()
    wait_until(lambda: "COMPLETED|short" in accounted(slurm, job, "State,Partition"))


def test_a_jobs_time_can_be_over_before_the_minute_that_a_limit_is_at_least(
    slurm: DevelopmentSlurm, submit: Submit
) -> None:
    job = submit("import time; time.sleep(600)", "--time=1")
    wait_until(lambda: queued_state(slurm, job) == "RUNNING")
    slurm.expire_job(job)
    wait_until(lambda: queued_state(slurm, job) == "TIMEOUT", 40)


def test_an_urgent_job_preempts_another(slurm: DevelopmentSlurm, submit: Submit) -> None:
    job = submit(
        "import time; time.sleep(600)", "--nodelist=n4", "--partition=long", "--exclusive", "--no-requeue"
    )
    wait_until(lambda: queued_state(slurm, job) == "RUNNING")
    urgent = submit("pass", "--nodelist=n4", "--partition=long", "--qos=urgent")
    wait_until(lambda: queued_state(slurm, urgent) == "COMPLETED")
    assert queued_state(slurm, job) == "PREEMPTED"


def test_one_job_too_many_is_refused(slurm: DevelopmentSlurm, submit: Submit, tmp_path: Path) -> None:
    slurm.limit_submissions(1)
    try:
        job = submit("import time; time.sleep(600)")
        refused = slurm.run("sbatch", f"--output={tmp_path}/o", "--wrap=true")
        assert refused.returncode == 1
        assert "AssocMaxSubmitJobLimit" in refused.stderr
        slurm.run("scancel", job)
    finally:
        slurm.limit_submissions(None)
    submit("pass")


def test_a_second_one_beside_the_first_shares_nothing_and_leaves_nothing(
    slurm: DevelopmentSlurm, slurm_script: Path, tmp_path: Path
) -> None:
    """The second one has no accounting, and is stopped with a job on it."""
    folder = tmp_path / "second"
    with DevelopmentSlurm(slurm_script, folder, nodes=2, accounting=False) as second:
        first_job = slurm.run(
            "sbatch", "--parsable", f"--output={tmp_path}/1", "--wrap=sleep 600"
        ).stdout.strip()
        job = second.run("sbatch", "--parsable", f"--output={tmp_path}/2", "--wrap=sleep 600").stdout.strip()
        wait_until(lambda: queued_state(slurm, first_job) == "RUNNING" == queued_state(second, job))
        assert second.run("squeue", "--noheader", "--format=%A").stdout.split() == [job]
        assert slurm.run("squeue", "--noheader", "--format=%A").stdout.split() == [first_job]
        refused = second.run("sacct")
        assert refused.returncode != 0
        assert "accounting storage is disabled" in refused.stderr
        assert processes_of(folder)
    assert not processes_of(folder)
    assert not folder.exists()
    assert queued_state(slurm, first_job) == "RUNNING"
    slurm.run("scancel", first_job)


OWNER = """
import sys, time
from pathlib import Path
from treadle.testing.slurm import DevelopmentSlurm
with DevelopmentSlurm(Path(sys.argv[1]), Path(sys.argv[2]), nodes=2, accounting=False):
    print("up", flush=True)
    time.sleep(600)
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_it_ends_with_its_owner(slurm_script: Path, tmp_path: Path, number: signal.Signals) -> None:
    folder = tmp_path / "owned"
    words = [sys.executable, "-c", OWNER, str(slurm_script), str(folder)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as owner:
        assert owner.stdout is not None
        assert owner.stdout.readline() == "up\n"
        assert processes_of(folder)
        owner.send_signal(number)
    wait_until(lambda: not folder.exists() and not processes_of(folder))


def test_what_does_not_come_up_is_told_in_its_own_words_and_nothing_is_left(
    slurm_script: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The slurmctld that is found first says no."""
    liar = tmp_path / "slurmctld"
    liar.write_text("#!/bin/sh\necho 'the very reason' >&2\nexit 1\n")
    liar.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    folder = tmp_path / "never"
    with pytest.raises(ClusterError) as raised:
        DevelopmentSlurm(slurm_script, folder, accounting=False).start()
    assert "slurmctld ended at once" in raised.value.what
    assert raised.value.detail == "the very reason"
    assert not folder.exists()
    assert not processes_of(folder)


def test_a_folder_with_something_in_it_is_left_alone(slurm_script: Path, tmp_path: Path) -> None:
    (tmp_path / "thesis").write_text("years of work")
    cluster = DevelopmentSlurm(slurm_script, tmp_path)
    with pytest.raises(ClusterError, match="not empty"):
        cluster.start()
    with pytest.raises(ClusterError, match="no cluster"):
        cluster.stop()
    assert (tmp_path / "thesis").read_text() == "years of work"
