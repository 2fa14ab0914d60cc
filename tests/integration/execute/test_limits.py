"""A unit that takes too long, takes too much memory or is not wanted any more ends with all its processes."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from treadle.execute.batch import Batch, run_batch
from treadle.execute.journal import read_journals
from treadle.execute.logs import LogTail, read_log
from treadle.execute.running import cancel_run, cancel_units
from treadle.model.records import UnitRecord
from treadle.model.states import Cause, UnitState
from treadle.testing.cluster import wait_until

pytestmark = pytest.mark.integration
Package = Any

# A unit of three processes that all ignore the request to end: itself, a child, and a grandchild that has
# left the group and the session and has lost its parent. `pids` gets their ids, when all of them ignore it.
STUBBORN = """
import json, os, signal, subprocess, sys, time
args = json.load(open(sys.argv[2]))
signal.signal(signal.SIGTERM, signal.SIG_IGN)

def note():
    with open(args["pids"], "a") as stream:
        stream.write(f"{os.getpid()}\\n")

def sleep():
    note()
    time.sleep(600)

print("here I am", flush=True)
if os.fork() == 0:
    sleep()
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        sleep()
    os._exit(0)
sleep()
"""


@pytest.fixture(params=["forked", "fresh"])
def make_batch(request: pytest.FixtureRequest, package: Package, tmp_path: Path) -> Callable[..., Batch]:
    """Give a function that makes a batch of units, forked or fresh, of a script."""

    def make(script: str, *args: dict[str, Any], **call: Any) -> Batch:
        batch: Batch = package.batch(tmp_path / "logs", script, *args, fresh=request.param == "fresh", **call)
        return batch

    return make


def pids_in(file: Path) -> list[int]:
    wait_until(lambda: file.exists() and len(file.read_text().split()) == 3)
    return [int(pid) for pid in file.read_text().split()]


def alive(pids: list[int]) -> list[int]:
    return [pid for pid in pids if psutil.pid_exists(pid)]


def run_aside(batch: Batch) -> tuple[threading.Thread, list[UnitRecord]]:
    records: list[UnitRecord] = []
    thread = threading.Thread(target=lambda: records.extend(run_batch(batch)))
    thread.start()
    return thread, records


def test_a_unit_that_takes_too_long_is_stopped_with_all_its_processes(
    make_batch: Callable[..., Batch], tmp_path: Path
) -> None:
    pids = tmp_path / "pids"
    batch = make_batch(STUBBORN, {"pids": str(pids)}, timeout_seconds=1.5)
    calls = (*batch.calls, replace(batch.calls[0], index=1, command=("true",), fresh=True))
    slow, sibling = run_batch(replace(batch, calls=calls))
    assert (slow.state, slow.cause) == (UnitState.FAILED, Cause.TIMEOUT)
    assert slow.error == "Stopped: it took longer than its limit of 1.5 s.\nhere I am"
    assert 1.5 < slow.seconds < 10
    assert sibling.state is UnitState.DONE
    assert alive([int(pid) for pid in pids.read_text().split()]) == []


@pytest.mark.parametrize("children", [0, 4])
def test_a_unit_that_takes_too_much_memory_is_stopped_and_its_siblings_go_on(
    make_batch: Callable[..., Batch], children: int
) -> None:
    """What counts is the sum over its processes: no single child exceeds the limit."""
    batch = make_batch(
        """
        import json, os, sys, time
        args = json.load(open(sys.argv[2]))
        print("growing", flush=True)
        size = args["mb"] * 1_000_000 // max(1, args["children"])
        for _ in range(args["children"]):
            if os.fork() == 0:
                break
        else:
            size = 0 if args["children"] else size
        held = b"x" * size
        time.sleep(600 if args["stay"] else 0.3)
        """,
        {"mb": 10, "children": 0, "stay": False},
        {"mb": 400, "children": children, "stay": True},
        {"mb": 10, "children": 0, "stay": False},
        memory_mb=200,
    )
    before, hog, after = run_batch(batch)
    assert (before.state, after.state) == (UnitState.DONE, UnitState.DONE)
    assert (hog.state, hog.cause) == (UnitState.FAILED, Cause.OUT_OF_MEMORY)
    assert hog.peak_memory_bytes > 200_000_000
    peak = -(-hog.peak_memory_bytes // 1_000_000)
    assert hog.error == f"Stopped: it used {peak} MB of memory, more than its limit of 200 MB.\ngrowing"


def test_an_array_that_children_share_is_not_counted_for_each(make_batch: Callable[..., Batch]) -> None:
    [record] = run_batch(
        make_batch(
            """
            import os, time
            shared = b"x" * 100_000_000
            if any(os.fork() == 0 for _ in range(4)):
                time.sleep(0.5)
                os._exit(0)
            for _ in range(4):
                os.wait()
            """,
            memory_mb=250,
        )
    )
    assert (record.state, record.error) == (UnitState.DONE, None)
    assert 100_000_000 < record.peak_memory_bytes < 250_000_000


def test_cpu_time_of_all_processes_counts(make_batch: Callable[..., Batch]) -> None:
    [record] = run_batch(
        make_batch(
            """
            import os, time
            child = os.fork()
            until = time.process_time() + 0.3
            while time.process_time() < until: pass
            if child: os.wait()
            """
        )
    )
    assert record.cpu_seconds >= 0.6


def test_a_cancelled_run_leaves_no_process_and_begins_no_unit(
    make_batch: Callable[..., Batch], tmp_path: Path
) -> None:
    batch = make_batch(STUBBORN, {"pids": str(tmp_path / "a")}, {"pids": str(tmp_path / "b")})
    thread, records = run_aside(batch)
    pids = pids_in(tmp_path / "a")
    assert alive(pids) == pids
    cancel_run(batch.run_id + 1)
    cancel_run(batch.run_id)
    thread.join(10)
    assert alive(pids) == []
    assert [(record.state, record.cause) for record in records] == [
        (UnitState.CANCELLED, Cause.CANCELLED)
    ] * 2
    assert [record.exit_code for record in records] == [-9, None]
    assert (records[0].error or "").startswith("Cancelled after ")
    assert not (tmp_path / "b").exists()
    assert list(read_journals(Path(batch.log_folder))) == []


def test_single_units_can_be_cancelled(make_batch: Callable[..., Batch], tmp_path: Path) -> None:
    batch = make_batch(STUBBORN, {"pids": str(tmp_path / "a")}, {"pids": str(tmp_path / "b")}, {})
    calls = (*batch.calls[:2], replace(batch.calls[2], command=("true",), fresh=True))
    thread, records = run_aside(replace(batch, calls=calls))
    pids_in(tmp_path / "a")
    cancel_units(batch.run_id, batch.position, [0, 1])
    thread.join(10)
    assert [record.cause for record in records] == [Cause.CANCELLED, Cause.CANCELLED, None]


def test_what_a_running_unit_prints_can_be_followed(make_batch: Callable[..., Batch], tmp_path: Path) -> None:
    batch = make_batch(
        """
        import json, os, sys, time
        args = json.load(open(sys.argv[2]))
        print("begin", args["name"], flush=True)
        while not os.path.exists(args["gate"]):
            time.sleep(0.01)
        print("end", args["name"])
        """,
        {"name": "a", "gate": str(tmp_path / "a")},
        {"name": "b", "gate": str(tmp_path / "b")},
    )
    Path(batch.log_folder).mkdir(exist_ok=True)
    tail = LogTail(Path(batch.log_folder))
    thread, records = run_aside(batch)
    heard: list[tuple[int, str]] = []

    def has_heard(unit: int, text: str) -> Callable[[], bool]:
        def look() -> bool:
            heard.extend((piece.unit, piece.text) for piece in tail.read())
            return text in "".join(said for number, said in heard if number == unit)

        return look

    for unit, name in enumerate("ab"):
        wait_until(has_heard(unit, f"begin {name}\n"))
        assert thread.is_alive()
        (tmp_path / name).touch()
    thread.join(10)
    wait_until(has_heard(1, "end b\n"))
    for record, name in zip(records, "ab", strict=True):
        assert record.log_file is not None
        assert read_log(Path(record.log_file), record.log_offset, record.log_length) == (
            f"begin {name}\nend {name}\n"
        )
    files = sorted(file.suffix for file in Path(batch.log_folder).iterdir())
    assert files == [".index", ".jsonl", ".log"]
    assert Path(records[0].log_file or "").stat().st_mode & 0o777 == 0o600
