"""`treadle exec`: commands with the home's server."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from treadle.testing.command import Command

pytestmark = pytest.mark.integration


def test_a_command_finds_the_server_and_its_status_is_passed_on(treadle: Command) -> None:
    text = (
        "import json, os, sys\n"
        "from prefect.client.orchestration import get_client\n"
        "with get_client(sync_client=True) as client:\n"
        "    print(json.dumps([client.read_flow_runs(limit=1) is not None, os.environ['TREADLE_HOME']]))\n"
        "sys.exit(7)\n"
    )
    done = treadle("exec", "python", "-c", text, code=7, as_json=False)
    assert json.loads(done.stdout) == [True, str(treadle.home)]


def test_options_of_the_command_are_its_own(treadle: Command) -> None:
    done = treadle("exec", "prefect", "flow-run", "ls", "--limit", "1", as_json=False)
    assert "Flow Runs" in done.stdout


def test_the_secret_is_in_no_command_line(treadle: Command) -> None:
    text = "import os; print(os.environ['PREFECT_API_AUTH_STRING']); print(open('/proc/self/cmdline').read())"
    secret, words = treadle("exec", "python", "-c", text, as_json=False).stdout.splitlines()[:2]
    assert secret.startswith("treadle:")
    assert secret not in words


@pytest.mark.parametrize("words", [["no-such-command"], []])
def test_a_command_that_cannot_be_run_is_a_wrong_call(treadle: Command, words: list[str]) -> None:
    assert "Error:" in treadle("exec", *words, code=2, as_json=False).stderr


def test_a_killed_command_ends_as_a_shell_says(treadle: Command) -> None:
    treadle("exec", "sh", "-c", "kill -9 $$", code=137, as_json=False)


def test_sigterm_reaches_the_command(treadle: Command, tmp_path: Path) -> None:
    text = (
        "import pathlib, signal, sys, time\n"
        "signal.signal(signal.SIGTERM, lambda *_: sys.exit(5))\n"
        f"pathlib.Path({str(tmp_path / 'ready')!r}).touch()\n"
        "while True: time.sleep(0.05)\n"
    )
    words = treadle.words("exec", sys.executable, "-c", text, as_json=False)
    process = subprocess.Popen(words, env=treadle.environment)
    deadline = time.monotonic() + 60
    while not (tmp_path / "ready").exists():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 5
