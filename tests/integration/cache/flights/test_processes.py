"""Single flight among processes: one runs, and one that is killed or suspended holds nobody up for long."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from treadle.cache.flights import run_once
from treadle.cache.keys.digest import Digest
from treadle.cache.leases.sql import LEASES, SqlLeases
from treadle.cache.storages.ports import Lease
from treadle.cache.storages.sql.database import Database
from treadle.testing.postgresql import PostgresqlServer

pytestmark = pytest.mark.integration

KEY = Digest("01" * 32)
LEASE_SECONDS = 2.0
SECONDS = 60.0
BUSY_SECONDS = 4.0

CALLERS = """
import sys, threading, time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from treadle.cache.flights import run_once
from treadle.cache.keys.digest import Digest
from treadle.cache.leases.sql import LEASES, SqlLeases
from treadle.cache.storages.sql.database import Database

folder, url, callers, threads = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
seconds = float(sys.argv[5])
leases = SqlLeases(Database(url, LEASES))
kept = folder / "kept"


def note(file, line="x"):
    with (folder / file).open("a") as lines:
        lines.write(line + "\\n")


def lookup():
    return kept.read_text() if kept.exists() else None


def compute(lease):
    note("runs", str(lease.token))
    deadline = time.monotonic() + 60
    while len((folder / "asked").read_text().splitlines()) < callers or (folder / "hold").exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    if not leases.holds(lease):
        return "refused"
    new = folder / f"new-{lease.token}"
    new.write_text(f"by {lease.token}")
    new.rename(kept)
    return lookup()


def call(_):
    note("asked")
    return run_once(Digest("01" * 32), leases, lookup, compute, lease_seconds=seconds)


print("ready", flush=True)
sys.stdin.readline()
with ThreadPoolExecutor(threads) as pool:
    print(*pool.map(call, range(threads)), sep=",", flush=True)
"""

Caller = subprocess.Popen[str]
Start = Callable[..., Caller]


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A database for leases, of each kind in turn."""
    if request.param == "sqlite":
        yield str(tmp_path / "leases.sqlite")
        return
    server: PostgresqlServer = request.getfixturevalue("postgresql")
    yield server.create("leases_of_processes")
    server.drop("leases_of_processes")


@pytest.fixture
def start(tmp_path: Path, url: str) -> Iterator[Start]:
    """Start a process that makes the call when it is told to; none outlives the test."""
    children: list[Caller] = []

    def start_one(*, callers: int = 1, threads: int = 1, seconds: float = 30) -> Caller:
        arguments = [str(tmp_path), url, str(callers), str(threads), str(seconds)]
        child = subprocess.Popen(
            [sys.executable, "-c", CALLERS, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        children.append(child)
        return child

    yield start_one
    for child in children:
        child.kill()
        child.communicate()


def go(child: Caller) -> None:
    assert child.stdin is not None
    assert child.stdout is not None
    assert child.stdout.readline() == "ready\n"
    child.stdin.write("\n")
    child.stdin.flush()


def wait_until(is_true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SECONDS
    while not is_true():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def lines(file: Path) -> list[str]:
    return file.read_text().split() if file.exists() else []


def take_over(folder: Path, url: str) -> str:
    """Make the call that another process holds, with a body that keeps nothing but says its token."""
    leases = SqlLeases(Database(url, LEASES))
    tokens: list[int] = []

    def compute(lease: Lease | None) -> str:
        assert lease is not None
        tokens.append(lease.token)
        (folder / "kept").write_text("by the successor")
        return "by the successor"

    try:
        return run_once(KEY, leases, lambda: None, compute, lease_seconds=LEASE_SECONDS)
    finally:
        leases.database.close()


def test_eight_processes_of_eight_threads_run_the_body_once(start: Start, tmp_path: Path) -> None:
    children = [start(callers=64, threads=8) for _ in range(8)]
    for child in children:
        go(child)
    results = {
        result for child in children for result in child.communicate(timeout=SECONDS)[0].strip().split(",")
    }

    assert len(lines(tmp_path / "runs")) == 1
    assert len(results) == 1


def test_after_a_kill_the_next_runs(start: Start, tmp_path: Path, url: str) -> None:
    (tmp_path / "hold").touch()
    holder = start(seconds=LEASE_SECONDS)
    go(holder)
    wait_until(lambda: len(lines(tmp_path / "runs")) == 1)

    os.kill(holder.pid, signal.SIGKILL)
    killed = time.monotonic()
    result = take_over(tmp_path, url)

    # A caller looks again after half a second at most, so it needs the lease and a second; unit tests hold it
    # to that by a clock of their own. What is added here is for a machine that is busy with something else.
    assert result == "by the successor"
    assert time.monotonic() - killed < LEASE_SECONDS + 1 + BUSY_SECONDS


def test_a_living_holder_is_waited_for_beyond_its_lease(start: Start, tmp_path: Path) -> None:
    (tmp_path / "hold").touch()
    holder, waiter = start(callers=2, seconds=0.5), start(callers=2, seconds=0.5)
    go(holder)
    wait_until(lambda: len(lines(tmp_path / "runs")) == 1)
    go(waiter)
    wait_until(lambda: len(lines(tmp_path / "asked")) == 2)
    later = time.monotonic() + 1.5
    wait_until(lambda: time.monotonic() > later)

    (tmp_path / "hold").unlink()
    results = [child.communicate(timeout=SECONDS)[0].strip() for child in (holder, waiter)]

    assert len(lines(tmp_path / "runs")) == 1
    assert len(set(results)) == 1


def test_what_a_suspended_holder_brings_late_is_refused(start: Start, tmp_path: Path, url: str) -> None:
    (tmp_path / "hold").touch()
    holder = start(seconds=LEASE_SECONDS)
    go(holder)
    wait_until(lambda: len(lines(tmp_path / "runs")) == 1)

    os.kill(holder.pid, signal.SIGSTOP)
    assert take_over(tmp_path, url) == "by the successor"
    (tmp_path / "hold").unlink()
    os.kill(holder.pid, signal.SIGCONT)
    said, _ = holder.communicate(timeout=SECONDS)

    assert said == "refused\n"
    assert (tmp_path / "kept").read_text() == "by the successor"
