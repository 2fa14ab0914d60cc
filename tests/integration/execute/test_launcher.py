"""No unit outlives its worker, whichever of the processes between them is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from treadle.execute.batch import Batch, run_batch
from treadle.execute.journal import wait_until_closed
from treadle.execute.logs import read_log
from treadle.execute.pool import close_shared_pool, shared_pool
from treadle.model.records import UnitRecord
from treadle.model.states import Cause, UnitState
from treadle.testing.cluster import wait_until

pytestmark = pytest.mark.integration
MakeBatch = Callable[..., Batch]
Package = Any

# Leaves three process ids in the file `pids`: its own, a child's, and that of a child which has left the
# process group and the session and has lost its parent.
FAMILY = """
import json, os, subprocess, sys, time
args = json.load(open(sys.argv[2]))
child = subprocess.Popen(["sleep", "600"])
daemon = subprocess.run(
    [sys.executable, "-c", "import subprocess as s;"
     " print(s.Popen(['sleep', '600'], start_new_session=True, stdout=s.DEVNULL).pid)"],
    stdout=subprocess.PIPE, text=True, check=True)
with open(args["pids"] + ".part", "w") as stream:
    stream.write(f"{os.getpid()} {child.pid} {daemon.stdout}")
os.rename(args["pids"] + ".part", args["pids"])
if args["stay"]:
    time.sleep(600)
"""

WORKER = """
import sys
from treadle.execute.batch import Batch, UnitCall, run_batch
from treadle.execute.pool import shared_pool
python, script, pids, folder = sys.argv[1:]
print(shared_pool().launcher.pid, shared_pool().launcher.scratch, flush=True)
call = UnitCall(0, (python, script), {"pids": pids, "stay": True})
run_batch(Batch(1, 0, "step", (call,), folder, {}))
"""


def family(file: Path) -> list[psutil.Process]:
    wait_until(file.exists)
    return [psutil.Process(int(pid)) for pid in file.read_text().split()]


def assert_gone(processes: list[psutil.Process]) -> None:
    wait_until(lambda: not any(_runs(process) for process in processes))


def _runs(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def run_aside(batch: Batch) -> tuple[threading.Thread, list[UnitRecord]]:
    records: list[UnitRecord] = []
    thread = threading.Thread(target=lambda: records.extend(run_batch(batch)))
    thread.start()
    return thread, records


@pytest.mark.parametrize("forked", [True, False])
def test_a_worker_killed_without_warning_takes_its_units_and_all_their_children(
    package: Package, tmp_path: Path, *, forked: bool
) -> None:
    script = (package.folder if forked else tmp_path) / "family.py"
    script.write_text(FAMILY)
    worker = subprocess.Popen(
        [sys.executable, "-c", WORKER, package.python, str(script), str(tmp_path / "pids"), str(tmp_path)],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert worker.stdout is not None
    launcher, scratch = worker.stdout.readline().split()
    processes = [psutil.Process(int(launcher)), *family(tmp_path / "pids")]
    assert all(map(_runs, processes))
    parent = processes[1].parent()
    assert parent is not None
    assert ("zygote" in parent.cmdline()) == forked
    worker.send_signal(signal.SIGKILL)
    worker.communicate(timeout=30)  # standard output ends when the launcher, the last of all, is gone
    assert not any(map(_runs, processes[1:]))
    assert not Path(scratch).exists()
    assert_gone(processes[:1])


def test_what_a_unit_leaves_behind_has_ended_before_its_record_is_there(
    make_batch: MakeBatch, tmp_path: Path
) -> None:
    """Its daemons too, which have a session of their own and no parent."""
    [record] = run_batch(make_batch(FAMILY, {"pids": str(tmp_path / "pids"), "stay": False}))
    assert record.state is UnitState.DONE
    pids = map(int, (tmp_path / "pids").read_text().split())
    assert [pid for pid in pids if psutil.pid_exists(pid)] == []


def test_a_killed_launcher_loses_its_units_and_is_replaced(make_batch: MakeBatch, tmp_path: Path) -> None:
    thread, records = run_aside(make_batch(FAMILY, {"pids": str(tmp_path / "pids"), "stay": True}))
    processes = family(tmp_path / "pids")
    scratch = shared_pool().launcher.scratch
    os.kill(shared_pool().launcher.pid, signal.SIGKILL)
    thread.join(30)
    assert [(record.state, record.cause) for record in records] == [(UnitState.FAILED, Cause.WORKER_LOST)]
    assert_gone(processes)
    [record] = run_batch(make_batch("print('again')"))
    assert record.state is UnitState.DONE
    assert not scratch.exists()


@pytest.mark.parametrize("forked", [True, False])
def test_who_takes_a_run_over_can_wait_until_the_units_of_a_dead_worker_have_ended(
    package: Package, tmp_path: Path, *, forked: bool
) -> None:
    """They have some time to end, in which the same units must not run elsewhere."""
    script = (package.folder if forked else tmp_path) / "family.py"
    script.write_text("import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + FAMILY)
    worker = subprocess.Popen(
        [sys.executable, "-c", WORKER, package.python, str(script), str(tmp_path / "pids"), str(tmp_path)],
        stdout=subprocess.PIPE,
    )
    processes = family(tmp_path / "pids")
    assert not wait_until_closed(tmp_path, 0)
    worker.kill()
    worker.wait()
    assert not wait_until_closed(tmp_path, 0)
    assert _runs(processes[0])
    assert wait_until_closed(tmp_path, 20)
    assert not any(map(_runs, processes))
    worker.communicate()


@pytest.mark.parametrize("victim", ["zygote", "keeper", "launcher"])
def test_whichever_process_is_killed_no_unit_is_left_and_each_has_a_record(
    package: Package, tmp_path: Path, victim: str
) -> None:
    """A forked unit runs again as a fresh process if only what it was forked from has died."""
    script = FAMILY.replace("time.sleep(600)", "time.sleep(0 if os.path.exists(args['again']) else 600)")
    args = {"pids": str(tmp_path / "pids"), "stay": True, "again": str(tmp_path / "again")}
    thread, records = run_aside(package.batch(tmp_path / "logs", script, args))
    processes = family(tmp_path / "pids")
    launcher = psutil.Process(shared_pool().launcher.pid)
    keeper = processes[0].parent()
    assert keeper is not None
    zygote = keeper.parent()
    assert zygote is not None
    assert zygote.parent() == launcher
    (tmp_path / "again").touch()
    {"zygote": zygote, "keeper": keeper, "launcher": launcher}[victim].kill()
    thread.join(30)
    expected = Cause.WORKER_LOST if victim == "launcher" else None
    assert [record.cause for record in records] == [expected]
    assert_gone([*processes, keeper])
    [record] = run_batch(package.batch(tmp_path / "logs", "print('again')"))
    assert record.state is UnitState.DONE


SIBLING = """
import json, os, sys, time
args = json.load(open(sys.argv[2]))
with open("/proc/self/cmdline", "rb") as words:
    print("forked" if b"zygote" in words.read().split(bytes(1)) else "fresh", flush=True)
if not os.path.exists(args["gate"]):
    with open(args["pid"] + ".part", "w") as stream:
        stream.write(str(os.getpid()))
    os.rename(args["pid"] + ".part", args["pid"])
while not os.path.exists(args["gate"]):
    time.sleep(0.02)
"""


@pytest.mark.parametrize("victim", ["zygote", "keeper", "unit"])
def test_a_killed_process_concerns_only_the_units_that_descend_from_it(
    package: Package, tmp_path: Path, victim: str
) -> None:
    # Given two units, forked from one zygote by a keeper each, that wait for a file
    args = [{"pid": str(tmp_path / name), "gate": str(tmp_path / "gate")} for name in ("one", "other")]
    both = package.batch(tmp_path / "logs", SIBLING, *args)
    runs = [run_aside(replace(both, calls=(call,))) for call in both.calls]
    [[one], [other]] = [family(Path(given["pid"])) for given in args]
    keeper = one.parent()
    assert keeper is not None
    zygote = keeper.parent()
    assert zygote is not None
    assert other.parents()[0] != keeper
    assert other.parents()[1] == zygote

    # When the kernel kills one of these processes, as it does when memory runs out
    {"zygote": zygote, "keeper": keeper, "unit": one}[victim].kill()
    assert_gone([one, other] if victim == "zygote" else [one])
    assert _runs(other) is (victim != "zygote")
    (tmp_path / "gate").touch()
    for thread, _ in runs:
        thread.join(60)

    # Then what it took along ran again as a fresh process, but for a unit that was killed itself
    [[first], [second]] = [records for _, records in runs]
    again = (UnitState.DONE, 0, "fresh\n")
    killed = (UnitState.FAILED, -signal.SIGKILL, "forked\n")
    assert _end(first) == (killed if victim == "unit" else again)
    assert _end(second) == (again if victim == "zygote" else (UnitState.DONE, 0, "forked\n"))

    # And units are forked as before
    [third] = run_batch(replace(both, calls=both.calls[:1]))
    assert _end(third) == (UnitState.DONE, 0, "forked\n")


def _end(record: UnitRecord) -> tuple[UnitState, int | None, str]:
    assert record.log_file is not None
    return (
        record.state,
        record.exit_code,
        read_log(Path(record.log_file), record.log_offset, record.log_length),
    )


def test_closing_leaves_neither_processes_nor_files(package: Package, tmp_path: Path) -> None:
    run_batch(package.batch(tmp_path / "logs", "print('hello')"))
    launcher = psutil.Process(shared_pool().launcher.pid)
    processes = launcher.children(recursive=True)
    assert len(processes) == 2, "a zygote and its keeper"
    scratch = shared_pool().launcher.scratch
    descriptors = psutil.Process().num_fds()
    close_shared_pool()
    assert not any(map(_runs, [launcher, *processes]))
    assert not scratch.exists()
    assert psutil.Process().num_fds() < descriptors


def test_units_are_asked_to_end_before_they_are_killed(make_batch: MakeBatch, tmp_path: Path) -> None:
    polite, stubborn = tmp_path / "polite", tmp_path / "stubborn"
    batch = make_batch(
        """
        import json, signal, sys, time
        args = json.load(open(sys.argv[2]))
        def end(*_):
            open(args["file"] + ".asked", "w").close()
            if args["polite"]: sys.exit(0)
        signal.signal(signal.SIGTERM, end)
        open(args["file"], "w").close()
        while True: time.sleep(1)
        """
    )
    call = batch.calls[0]
    runs = [
        run_aside(
            Batch(
                run_id=1,
                position=0,
                step="step",
                calls=(type(call)(0, call.command, {"file": str(file), "polite": file is polite}),),
                log_folder=batch.log_folder,
                environment={},
            )
        )
        for file in (polite, stubborn)
    ]
    wait_until(lambda: polite.exists() and stubborn.exists())
    close_shared_pool()
    for thread, records in runs:
        thread.join(30)
        assert records[0].cause is Cause.WORKER_LOST
    assert Path(f"{polite}.asked").exists()
    assert Path(f"{stubborn}.asked").exists()
