"""Commands run with what they need and no more, in any thread, and no longer than they are waited for."""

from __future__ import annotations

import asyncio
import os
import threading
from concurrent.futures import Future
from pathlib import Path

import psutil
import pytest

from treadle.clusters.slurm.commands import Slurm
from treadle.clusters.slurm.transport import Completed, LocalTransport
from treadle.errors import ControllerAway
from treadle.testing.cluster import wait_until
from treadle.testing.fake_slurm import FakeSlurm


def run(*words: str, stdin: bytes | None = None, variables: dict[str, str] | None = None) -> Completed:
    return asyncio.run(LocalTransport().run(words, stdin, variables=variables or {}))


def test_status_and_streams_come_back() -> None:
    program = "read line; echo \"$line\"; printf 'w\\303\\244hrend\\377' >&2; exit 3"
    done = run("sh", "-c", program, stdin=b"a line\n")
    assert done == Completed(3, "a line\n", "während\ufffd")
    assert run("sh", "-c", "kill -9 $$").status == -9
    assert run("cat").stdout == ""


def test_no_shell_reads_the_words() -> None:
    assert run("printf", "%s|", "$HOME", "a b", "`id`", "*").stdout == "$HOME|a b|`id`|*|"


def test_a_command_that_is_not_there_is_told_as_a_shell_does() -> None:
    assert run("no-such-command").status == 127


def test_nothing_of_a_surrounding_job_and_no_secret_reaches_a_command(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in (
        "SLURM_JOB_ID",
        "SBATCH_PARTITION",
        "SQUEUE_FORMAT",
        "PREFECT_API_AUTH_STRING",
        "PYTHONPATH",
    ):
        monkeypatch.setenv(name, "there")
    monkeypatch.setenv("SLURM_CONF", "/etc/slurm.conf")
    said = run("env", variables={"SLURM_TIME_FORMAT": "%s"}).stdout.splitlines()
    found = dict(line.split("=", 1) for line in said)
    assert found["SLURM_CONF"] == "/etc/slurm.conf"
    assert found["SLURM_TIME_FORMAT"] == "%s"
    assert found["PATH"] == os.environ["PATH"]
    assert "there" not in found.values()


def test_a_command_that_takes_too_long_is_killed_with_all_it_started(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    program = f"sleep 600 & echo $! $$ > {pids}; wait"

    async def run_too_long() -> None:
        command = asyncio.create_task(LocalTransport().run(("sh", "-c", program)))
        await asyncio.to_thread(wait_until, lambda: pids.exists() and len(pids.read_text().split()) == 2)
        command.cancel()
        with pytest.raises(asyncio.CancelledError):
            await command

    asyncio.run(run_too_long())
    wait_until(lambda: not any(psutil.pid_exists(int(pid)) for pid in pids.read_text().split()))


@pytest.mark.timeout(60)
def test_a_command_that_is_cancelled_while_it_starts_is_killed_with_all_it_started() -> None:
    async def start_and_cancel(turns: int) -> None:
        command = asyncio.create_task(LocalTransport().run(("sh", "-c", "sleep 600 & wait")))
        for _ in range(turns):
            await asyncio.sleep(0)
        command.cancel()
        with pytest.raises(asyncio.CancelledError):
            await command

    before = psutil.Process().children(recursive=True)
    for turns in range(8):
        asyncio.run(start_and_cancel(turns))
    assert psutil.Process().children(recursive=True) == before


def test_commands_run_from_an_event_loop_in_another_thread() -> None:
    result: Future[Completed] = Future()
    thread = threading.Thread(target=lambda: result.set_result(run("echo", "there")))
    thread.start()
    thread.join()
    assert result.result().stdout == "there\n"


def test_slurms_programs_are_those_on_path(tmp_path: Path, fake: FakeSlurm) -> None:
    async def submit_and_ask(slurm: Slurm) -> None:
        job = await slurm.submit("#!/bin/sh\necho 'ä'\n", "pool-1")
        fake.jobs[job].start()
        assert (await slurm.queue([job]))[job].node == "n1"
        fake.jobs[job].end("FAILED", "3:0")
        assert (await slurm.ended([job]))[job].exit_code == 3
        fake.seconds = 2
        with pytest.raises(ControllerAway, match="squeue did not answer"):
            await Slurm(LocalTransport({"PATH": str(tmp_path)}), timeout_seconds=0.1).queue([job])

    with fake.programs(tmp_path) as folder:
        asyncio.run(submit_and_ask(Slurm(LocalTransport({"PATH": str(folder)}))))
    assert fake.jobs["1"].script == "#!/bin/sh\necho 'ä'\n"
