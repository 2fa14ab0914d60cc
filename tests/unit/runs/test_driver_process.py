"""Drivers as processes: detached, users of the server, and ended no earlier than they must."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from treadle.compile.identity import is_alive, is_driver, is_gone, process_id
from treadle.runs.workers.process import USERS_LOCK, Ending, remove_old_logs, start_detached

OBEDIENT = "print('ready', flush=True); import time; time.sleep(600)"
STUBBORN = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {OBEDIENT}"

Start = Callable[[str], tuple[str, subprocess.Popen[bytes]]]


def until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts a program as a driver is; it is ready then."""
    started = []

    def begin(program: str) -> tuple[str, subprocess.Popen[bytes]]:
        log = tmp_path / "drivers" / "one.log"
        name, process = start_detached(
            [sys.executable, "-c", program],
            environment=os.environ,
            folder=tmp_path,
            log_file=log,
            server_folder=tmp_path,
        )
        started.append(process)
        until(lambda: "ready" in log.read_text())
        return name, process

    yield begin
    for process in started:
        process.kill()
        process.wait()


def test_a_driver_has_a_session_and_a_name_of_its_own(start: Start) -> None:
    name, process = start(OBEDIENT)

    assert os.getsid(process.pid) == process.pid
    assert (is_driver(name), process_id(name), is_alive(name), is_gone(name)) == (
        True,
        process.pid,
        True,
        False,
    )
    process.kill()
    until(lambda: is_gone(name))
    assert not is_alive(name)


def test_a_driver_is_a_user_of_the_server_until_it_ends(start: Start, tmp_path: Path) -> None:
    lock = os.open(tmp_path / USERS_LOCK, os.O_RDWR | os.O_CREAT, 0o600)

    def is_unused() -> bool:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    _, process = start(OBEDIENT)
    assert not is_unused()

    process.kill()
    until(is_unused)
    _, late = start(OBEDIENT)  # the server is ending: it is not kept from that
    assert late.poll() is None
    os.close(lock)


def test_whoever_ends_by_itself_in_time_is_left_alone(start: Start) -> None:
    name, process = start(OBEDIENT)
    ending = Ending(name, by_itself=600, grace=600)

    ending.press()
    ending.press()

    assert not ending.has_told
    assert process.poll() is None


@pytest.mark.parametrize(("program", "number"), [(OBEDIENT, signal.SIGTERM), (STUBBORN, signal.SIGKILL)])
def test_whoever_does_not_end_is_told_and_then_killed(
    start: Start, program: str, number: signal.Signals
) -> None:
    name, process = start(program)
    ending = Ending(name, by_itself=0, grace=1)

    def has_ended() -> bool:
        ending.press()
        return process.poll() is not None

    until(has_ended)

    assert process.returncode == -number
    assert ending.has_told


def test_a_process_that_only_has_the_number_is_not_touched(start: Start) -> None:
    name, process = start(OBEDIENT)
    of_another = name.rpartition("-")[0] + "-1"

    Ending(of_another, by_itself=0, grace=0).press()

    assert process.poll() is None


def test_logs_of_long_ago_are_removed(tmp_path: Path) -> None:
    old, new = tmp_path / "old.log", tmp_path / "new.log"
    for log in (old, new):
        log.touch()
    os.utime(old, (0, 0))

    remove_old_logs(tmp_path)

    assert [log.name for log in tmp_path.iterdir()] == ["new.log"]
