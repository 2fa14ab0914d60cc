"""`treadle doctor` on a real SLURM, and on what is left where parts of it are away."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from treadle.clusters.slurm import doctor
from treadle.clusters.slurm.doctor import trial
from treadle.model.findings import Verdict
from treadle.model.overlay import Overlay
from treadle.model.profile import ClusterProfile
from treadle.testing.cluster import wait_until
from treadle.testing.command import Command
from treadle.testing.slurm import DevelopmentSlurm

pytestmark = pytest.mark.integration

ON_SLURM = ("doctor", "--cluster", "slurm")
OF_THE_SITE = ["SLURM commands", "SLURM controller", "SLURM accounting", "partitions", "time of jobs"]
OF_THE_NODE = ["trial job", "shared folder", "interpreter on the node", "way to this machine", "clocks"]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home with a profile whose jobs the default partition takes."""
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    describe(home)
    return home


def describe(home: Path, *lines: str) -> None:
    profile = ["[clusters.slurm]", 'job_time = "00:05:00"', *lines]
    (home / "treadle.toml").write_text("\n".join(profile))


@pytest.fixture
def treadle(home: Path, slurm: DevelopmentSlurm) -> Command:
    return Command(home, slurm.environment)


def found_by(command: Command, *, code: int) -> dict[str, dict[str, Any]]:
    findings = command(*ON_SLURM, code=code, timeout_seconds=300).data["findings"]
    return {finding["check"]: finding for finding in findings}


def verdicts(found: dict[str, dict[str, Any]], checks: list[str]) -> list[str]:
    return [found[check]["verdict"] for check in checks]


def names(slurm: DevelopmentSlurm) -> list[str]:
    jobs = slurm.run("squeue", "--noheader", "--format=%j").stdout.split()
    return [name for name in jobs if name.startswith("treadle-doctor-")]


def test_a_site_in_order_is_told_so_and_nothing_is_left(
    treadle: Command, home: Path, slurm: DevelopmentSlurm
) -> None:
    found = found_by(treadle, code=0)

    assert verdicts(found, OF_THE_SITE + OF_THE_NODE) == ["ok"] * 10
    assert found["trial job"]["text"].endswith(tuple(f"ran on {node}" for node in slurm.nodes))
    assert "short (default), long" in found["partitions"]["text"]
    assert {path.name for path in home.iterdir()} == {"ledger.sqlite", "treadle.toml"}
    wait_until(lambda: names(slurm) == [], 30)


def test_a_partition_that_is_not_there_is_named_and_no_job_is_submitted(
    treadle: Command, home: Path, slurm: DevelopmentSlurm
) -> None:
    describe(home, "[clusters.slurm.defaults]", 'partition = "fast"')
    found = found_by(treadle, code=1)
    assert verdicts(found, OF_THE_SITE) == ["ok", "ok", "ok", "failed", "not checked"]
    assert "no partition 'fast'" in found["partitions"]["text"]
    assert "short, long" in found["partitions"]["remedy"]
    assert verdicts(found, OF_THE_NODE) == ["not checked"] * 5
    assert names(slurm) == []


def test_jobs_that_no_partition_would_ever_run_are_named_and_the_trial_is_made(
    treadle: Command, home: Path
) -> None:
    (home / "treadle.toml").unlink()
    found = found_by(treadle, code=1)
    assert verdicts(found, [*OF_THE_SITE, *OF_THE_NODE]) == [*["ok"] * 4, "failed", *["ok"] * 5]
    assert "Jobs of 01:00:00 would wait for ever in short" in found["time of jobs"]["text"]


def test_a_shared_folder_that_is_not_there_is_named(treadle: Command, home: Path) -> None:
    describe(home, 'shared_folder = "/nowhere/at/all"')
    found = found_by(treadle, code=1)
    assert found["shared folder"]["verdict"] == "failed"
    assert "/nowhere/at/all" in found["shared folder"]["text"]
    assert "shared_folder" in found["shared folder"]["remedy"]
    assert found["trial job"]["verdict"] == "not checked"
    assert not Path("/nowhere").exists()


@pytest.mark.parametrize(
    ("python", "told"),
    [("/nowhere/python", "There is no /nowhere/python on n"), ("/bin/false", "does not work on n")],
)
def test_an_interpreter_that_a_node_does_not_have_is_named(
    treadle: Command, home: Path, python: str, told: str
) -> None:
    describe(home, f'python = "{python}"')
    found = found_by(treadle, code=1)
    assert found["interpreter on the node"]["verdict"] == "failed"
    assert told in found["interpreter on the node"]["text"]
    assert found["shared folder"]["verdict"] == "ok"


def test_an_interpreter_without_treadle_is_named_and_the_rest_is_checked(
    treadle: Command, home: Path, tmp_path: Path
) -> None:
    bare = tmp_path / "bare"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", bare], check=True)
    describe(home, f'python = "{bare}/bin/python"')
    found = found_by(treadle, code=1)
    assert found["interpreter on the node"]["verdict"] == "failed"
    assert "No module named 'treadle'" in found["interpreter on the node"]["detail"]
    assert verdicts(found, ["way to this machine", "clocks"]) == ["ok", "ok"]


def test_an_address_that_is_not_of_this_machine_is_named(treadle: Command, home: Path) -> None:
    describe(home, 'host = "203.0.113.7"')
    found = found_by(treadle, code=1)
    assert verdicts(found, ["trial job", "way to this machine", "clocks"]) == ["ok", "failed", "not checked"]
    assert "203.0.113.7" in found["way to this machine"]["text"]


def test_a_controller_that_is_away_is_told_at_once(treadle: Command, slurm: DevelopmentSlurm) -> None:
    slurm.stop_controller()
    try:
        found = found_by(treadle, code=1)
    finally:
        slurm.start_controller()
    assert found["SLURM commands"]["verdict"] == "ok"
    assert found["SLURM controller"]["verdict"] == "failed"
    assert "DOWN" in found["SLURM controller"]["detail"]
    assert verdicts(found, OF_THE_NODE) == ["not checked"] * 5


def test_accounting_that_is_away_is_told_and_the_trial_is_made(
    treadle: Command, slurm: DevelopmentSlurm
) -> None:
    slurm.stop_accounting()
    try:
        found = found_by(treadle, code=1)
    finally:
        slurm.start_accounting()
    assert found["SLURM accounting"]["verdict"] == "failed"
    assert found["SLURM accounting"]["detail"]
    assert verdicts(found, OF_THE_NODE) == ["ok"] * 5


def test_a_job_that_slurm_refuses_is_told_in_its_words(treadle: Command, slurm: DevelopmentSlurm) -> None:
    slurm.limit_submissions(0)
    try:
        found = found_by(treadle, code=1)
    finally:
        slurm.limit_submissions(None)
    assert found["trial job"]["verdict"] == "failed"
    assert "Job violates accounting/QOS policy" in found["trial job"]["detail"]


def test_a_job_that_waits_too_long_is_given_up_and_cancelled(
    slurm: DevelopmentSlurm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in slurm.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(trial, "QUEUE_SECONDS", 0.5)
    profile = ClusterProfile(defaults=Overlay(directives=("--begin=now+1hour",)))

    found = {finding.check: finding for finding in doctor.examine_cluster(profile, tmp_path)}

    assert found["trial job"].verdict is Verdict.NOT_CHECKED
    assert "BeginTime" in found["trial job"].text
    assert found["clocks"].verdict is Verdict.NOT_CHECKED
    assert list(tmp_path.iterdir()) == []
    wait_until(lambda: names(slurm) == [], 30)


def test_ctrl_c_leaves_neither_a_job_nor_a_folder(
    treadle: Command, home: Path, slurm: DevelopmentSlurm
) -> None:
    describe(home, "[clusters.slurm.defaults]", 'directives = ["--begin=now+1hour"]')
    with subprocess.Popen(
        treadle.words(*ON_SLURM), env=treadle.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as command:
        try:
            wait_until(lambda: names(slurm) != [], 60)
            command.send_signal(signal.SIGINT)
            command.communicate(timeout=60)
        finally:
            command.kill()
    assert command.returncode == 130
    wait_until(lambda: names(slurm) == [], 30)
    assert {path.name for path in home.iterdir()} == {"ledger.sqlite", "treadle.toml"}


def test_a_host_that_submits_jobs_and_is_not_reached_is_named(treadle: Command, home: Path) -> None:
    describe(home, "[clusters.slurm.ssh]", 'host = "127.0.0.1"', "port = 1")
    found = found_by(treadle, code=1)
    assert found["SLURM commands"]["verdict"] == "failed"
    assert "refused" in found["SLURM commands"]["detail"]
    assert verdicts(found, OF_THE_SITE[1:] + OF_THE_NODE) == ["not checked"] * 9
