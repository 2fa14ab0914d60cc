"""What doctor concludes from what SLURM and a trial job tell."""

from __future__ import annotations

import asyncio
import json
import ssl
import sys
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from treadle.clusters.slurm.address import driver_address
from treadle.clusters.slurm.doctor import probe, site
from treadle.clusters.slurm.doctor.listener import listening
from treadle.clusters.slurm.doctor.telling import (
    CLOCKS,
    DISTRIBUTIONS,
    INTERPRETER,
    JOB,
    NETWORK,
    NO_FOLDER,
    NO_INTERPRETER,
    NOT_WRITABLE,
    SHARED,
    Told,
    judge,
)
from treadle.clusters.slurm.doctor.trial import TIME_LIMIT_SECONDS, trial_shape
from treadle.clusters.slurm.transport import Completed
from treadle.clusters.slurm.verdict import JobCause, JobEnd
from treadle.model.findings import Finding, Verdict
from treadle.model.overlay import Overlay
from treadle.model.profile import ClusterProfile

PARTITIONS = """\
PartitionName=short AllowGroups=ALL Default=YES MaxTime=00:10:00 State=UP TotalNodes=2
PartitionName=long AllowGroups=ALL Default=NO MaxTime=7-00:00:00 State=UP TotalNodes=2
PartitionName=old AllowGroups=ALL Default=NO MaxTime=UNLIMITED State=DOWN TotalNodes=2
"""
ANSWER: dict[str, Any] = {
    "host": "n1",
    "python": ".".join(map(str, sys.version_info[:3])),
    "executable": sys.executable,
    "import_error": None,
    "versions": {name: version(name) for name in DISTRIBUTIONS},
    "network_error": None,
}


class Answers:
    """A transport with these answers, by the first two words of a command."""

    def __init__(self, **answers: Completed) -> None:
        self._answers = answers

    async def run(
        self, words: Sequence[str], stdin: bytes | None = None, *, variables: Mapping[str, str] | None = None
    ) -> Completed:
        del stdin, variables
        return self._answers.get(words[0], Completed(0, f"slurm 22.05.8 ({words[0]})", ""))

    async def close(self) -> None: ...


def told(answer: dict[str, Any] | None = None, **changed: Any) -> dict[str, Finding]:
    known: dict[str, Any] = {
        "job_id": "17",
        "profile": ClusterProfile(),
        "shared": "/shared",
        "end": None,
        "answer": answer,
        "said": None,
        "address": "10.0.0.1:4000",
        "ahead_seconds": 0.2,
    }
    return {found.check: found for found in judge(Told(**(known | changed)))}


def ended(status: int, cause: JobCause = JobCause.FAILED) -> JobEnd:
    return JobEnd("17", cause.upper(), cause, node="n1", exit_code=status, elapsed_seconds=1)


def partitions(**overlays: str) -> Finding:
    profile = ClusterProfile(**{part: Overlay(partition=name) for part, name in overlays.items()})
    return site.judge_partitions(PARTITIONS, profile)


def test_a_node_with_all_that_is_needed_is_in_order() -> None:
    found = told(ANSWER)
    assert {name: finding.verdict for name, finding in found.items()} == dict.fromkeys(
        (JOB, SHARED, INTERPRETER, NETWORK, CLOCKS), Verdict.OK
    )
    assert "job 17 ran on n1" in found[JOB].text


@pytest.mark.parametrize(
    ("status", "check", "text"),
    [
        (NO_FOLDER, SHARED, "n1 does not see /shared."),
        (NOT_WRITABLE, SHARED, "n1 may not write to /shared."),
        (NO_INTERPRETER, INTERPRETER, f"There is no {sys.executable} on n1."),
    ],
)
def test_a_node_that_cannot_write_tells_by_its_exit_status(status: int, check: str, text: str) -> None:
    found = told(end=ended(status))
    assert (found[check].verdict, found[check].text) == (Verdict.FAILED, text)
    assert found[check].remedy
    assert found[JOB].verdict is Verdict.OK
    assert NETWORK not in found


def test_an_answer_that_is_not_to_be_seen_is_the_fault_of_the_folder() -> None:
    found = told(end=ended(0, JobCause.COMPLETED))
    assert found[SHARED].verdict is Verdict.FAILED
    assert "not to be seen here" in found[SHARED].text


def test_what_an_interpreter_says_before_it_fails_is_shown() -> None:
    found = told(end=ended(2), said="Unknown option: -P")
    assert found[INTERPRETER].verdict is Verdict.FAILED
    assert found[INTERPRETER].detail.splitlines() == ["Unknown option: -P", ended(2).explanation]


@pytest.mark.parametrize(
    ("end", "remedy"),
    [(ended(3), "prologue"), (ended(0, JobCause.TIMEOUT), "more time"), (ended(0, JobCause.NODE_FAIL), "n1")],
)
def test_a_job_that_ended_before_its_program_says_why(end: JobEnd, remedy: str) -> None:
    found = told(end=end)
    assert list(found) == [JOB]
    assert (found[JOB].verdict, found[JOB].text) == (Verdict.FAILED, end.explanation)
    assert remedy in found[JOB].remedy


def test_another_version_on_the_node_is_named_with_both() -> None:
    found = told(ANSWER | {"versions": ANSWER["versions"] | {"dask": "2020.1", "msgpack": None}})[INTERPRETER]
    assert found.verdict is Verdict.FAILED
    assert f"dask 2020.1 there and {version('dask')} here" in found.text
    assert "msgpack None there" in found.text
    assert "treadle" not in found.text.partition("versions:")[2]


def test_a_module_that_is_missing_on_the_node_is_named() -> None:
    found = told(ANSWER | {"import_error": "treadle: ModuleNotFoundError"})[INTERPRETER]
    assert (found.verdict, found.detail) == (Verdict.FAILED, "treadle: ModuleNotFoundError")


def test_a_node_that_does_not_reach_the_driver_says_why_and_leaves_clocks_open() -> None:
    found = told(ANSWER | {"network_error": "TimeoutError: timed out"}, ahead_seconds=None)
    assert (found[NETWORK].verdict, found[NETWORK].detail) == (Verdict.FAILED, "TimeoutError: timed out")
    assert "n1 does not reach 10.0.0.1:4000" in found[NETWORK].text
    assert CLOCKS not in found


@pytest.mark.parametrize(
    ("ahead", "verdict", "text"),
    [(4.9, Verdict.OK, "4.9 s ahead of"), (-60.0, Verdict.FAILED, "60.0 s behind")],
)
def test_clocks_may_differ_by_some_seconds(ahead: float, verdict: Verdict, text: str) -> None:
    found = told(ANSWER, ahead_seconds=ahead)[CLOCKS]
    assert found.verdict is verdict
    assert text in found.text


@pytest.mark.parametrize(
    ("overlays", "verdict", "text"),
    [
        ({}, Verdict.OK, "short (default), long, old"),
        ({"defaults": "long"}, Verdict.OK, "of the profile: long"),
        ({"force": "short,long"}, Verdict.OK, "of the profile: short,long"),
        ({"gpu": "fast"}, Verdict.FAILED, "no partition 'fast'"),
        ({"force": "short,fast"}, Verdict.FAILED, "no partition 'fast'"),
        ({"defaults": "old"}, Verdict.FAILED, "'old', which the profile names, is DOWN"),
    ],
)
def test_the_partitions_of_a_profile_must_be_there_and_up(
    overlays: dict[str, str], verdict: Verdict, text: str
) -> None:
    found = partitions(**overlays)
    assert found.verdict is verdict
    assert text in found.text
    assert ("short, long, old" in found.remedy) is (verdict is Verdict.FAILED)


def test_a_site_without_default_partition_wants_one_in_the_profile() -> None:
    text = PARTITIONS.replace("Default=YES", "Default=NO")
    assert "no default partition" in site.judge_partitions(text, ClusterProfile()).text
    profile = ClusterProfile(defaults=Overlay(partition="long"))
    assert site.judge_partitions(text, profile).verdict is Verdict.OK


@pytest.mark.parametrize(
    ("partition", "verdict", "text"),
    [
        (
            None,
            Verdict.FAILED,
            "Jobs of 01:00:00 would wait for ever in short, which gives 00:10:00 at most.",
        ),
        ("long", Verdict.OK, "01:00:00, which long can give"),
        ("short,long", Verdict.OK, "short,long"),
        ("old", Verdict.OK, "old"),
    ],
)
def test_jobs_must_not_ask_for_more_time_than_their_partition_gives(
    partition: str | None, verdict: Verdict, text: str
) -> None:
    found = site.judge_time(PARTITIONS, ClusterProfile(defaults=Overlay(partition=partition)))
    assert found.verdict is verdict
    assert text in found.text
    assert ("job_time" in found.remedy) is (verdict is Verdict.FAILED)


def test_commands_that_are_missing_are_named() -> None:
    missing = Completed(127, "", "sacct: not found on PATH")
    found = asyncio.run(site.commands(Answers(sacct=missing, scancel=missing)))
    assert (found.verdict, found.text) == (Verdict.FAILED, "Not on PATH: sacct, scancel.")


def test_commands_without_a_configuration_say_so_in_their_own_words() -> None:
    broken = Completed(1, "", "Could not establish a configuration source")
    found = asyncio.run(site.commands(Answers(squeue=broken)))
    assert (found.verdict, found.detail) == (Verdict.FAILED, broken.stderr)
    assert "SLURM_CONF" in found.remedy


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        (Completed(0, "", ""), Verdict.OK),
        (Completed(1, "", "Slurm accounting storage is disabled"), Verdict.WARNING),
        (Completed(1, "", "sacct: error: Problem talking to the database"), Verdict.FAILED),
    ],
)
def test_a_site_without_accounting_is_no_failure_but_one_that_does_not_answer_is(
    answer: Completed, verdict: Verdict
) -> None:
    found = asyncio.run(site.accounting(Answers(sacct=answer)))
    assert found.verdict is verdict
    assert bool(found.remedy) is (verdict is not Verdict.OK)


def test_the_trial_asks_for_one_unit_and_no_more_time_than_it_takes() -> None:
    profile = ClusterProfile(
        defaults=Overlay(partition="long", account="lab"), target_cpus_per_job=64, job_time="12:00:00"
    )
    shape = trial_shape(profile)
    assert (shape.cpus, shape.slots, shape.time_seconds) == (1, 1, TIME_LIMIT_SECONDS)
    assert (shape.partition, shape.account) == ("long", "lab")


def test_the_address_of_the_profile_is_the_one_that_nodes_are_told() -> None:
    assert driver_address(ClusterProfile(host="driver.site")) == "driver.site"
    assert driver_address(ClusterProfile(interface="lo")) == "127.0.0.1"
    assert driver_address(ClusterProfile())


def call(folder: Path, question: dict[str, Any]) -> str | None:
    return probe.network_error(folder, question)


def test_a_job_with_the_certificate_and_the_secret_is_heard_and_nobody_else(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with listening("127.0.0.1", "the secret", tmp_path) as listener:
            question = {"host": listener.host, "port": listener.port, "secret": "another"}
            assert "ValueError" in str(await asyncio.to_thread(call, tmp_path, question))
            stranger = await asyncio.to_thread(without_certificate, listener.port)
            assert listener.ahead_seconds is None
            question["secret"] = "the secret"
            assert await asyncio.to_thread(call, tmp_path, question) is None
            assert abs(listener.ahead_seconds or 99.0) < 5.0
            assert "refused" in stranger
        assert "ConnectionRefusedError" in str(await asyncio.to_thread(call, tmp_path, question))

    asyncio.run(scenario())
    assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o600}


def without_certificate(port: int) -> str:
    import socket

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    message = json.dumps({"secret": "the secret", "time": 0}).encode() + b"\n"
    try:
        with (
            socket.create_connection(("127.0.0.1", port), 20) as plain,
            context.wrap_socket(plain) as channel,
        ):
            channel.sendall(message)
            return channel.recv(100).decode() or "refused"
    except OSError:
        return "refused"


def test_a_module_and_a_distribution_that_are_not_there_are_told() -> None:
    assert probe.version("no-such-distribution") is None
    assert probe.version("dask") == version("dask")
    assert probe.import_error(["json"]) is None
    assert "no_such_module" in str(probe.import_error(["json", "no_such_module"]))
