"""Units forked from a warm interpreter: they cannot tell, and where it would harm they are not forked."""

from __future__ import annotations

import json
import os
import re
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from treadle.execute import warm
from treadle.execute.batch import Batch, run_batch
from treadle.execute.logs import read_log
from treadle.execute.pool import shared_pool
from treadle.model.records import UnitRecord
from treadle.model.states import Cause, UnitState
from treadle.testing.cluster import wait_until

pytestmark = pytest.mark.integration
Package = Any

FORKED = """
def forked():
    with open("/proc/self/cmdline", "rb") as words:
        return b"zygote" in words.read().split(bytes(1))
"""

PROBE = """
import collections.abc, gc, json, locale, logging, os, resource, signal, sys, tempfile, threading, time
import warnings
print(json.dumps({
    "name": __name__, "file": __file__, "globals": sorted(globals()), "spec": __spec__,
    "loader": type(__loader__).__name__, "builtins": repr(__builtins__),
    "main": sys.modules["__main__"].__dict__ is globals(),
    "argv": [sys.argv[0], *sys.argv[1::2]], "orig_argv": [*sys.orig_argv[:2], *sys.orig_argv[2::2]],
    "path": sys.path, "flags": list(sys.flags), "executable": sys.executable, "prefix": sys.prefix,
    "hooks": [sys.excepthook is sys.__excepthook__, sys.displayhook is sys.__displayhook__],
    "meta_path": [getattr(finder, "__name__", type(finder).__name__) for finder in sys.meta_path],
    "streams": [[s.fileno(), s.encoding, s.errors, s.line_buffering, s.mode, s.isatty(), s.name]
                for s in (sys.stdin, sys.stdout, sys.stderr)],
    "recursion": sys.getrecursionlimit(), "gc": [gc.isenabled(), gc.get_threshold()],
    "handlers": [str(signal.getsignal(s)) for s in sorted(signal.valid_signals())],
    "blocked": sorted(signal.pthread_sigmask(signal.SIG_BLOCK, [])),
    "wakeup": signal.set_wakeup_fd(-1),
    "descriptors": [f for f in range(3, 256) if os.path.exists(f"/proc/self/fd/{f}")],
    "stdin": os.readlink("/proc/self/fd/0"),
    "limits": [resource.getrlimit(getattr(resource, n)) for n in dir(resource) if n.startswith("RLIMIT_")],
    "umask": os.umask(0), "nice": os.nice(0), "affinity": sorted(os.sched_getaffinity(0)),
    "leads": [os.getsid(0) == os.getpid(), os.getpgid(0) == os.getpid()],
    "oom": open("/proc/self/oom_score_adj").read(), "comm": open("/proc/self/comm").read(),
    "threads": [t.name for t in threading.enumerate()], "tasks": len(os.listdir("/proc/self/task")),
    "logging": [logging.root.level, len(logging.root.handlers), sorted(logging.root.manager.loggerDict)],
    "warnings": repr(warnings.filters), "locale": locale.setlocale(locale.LC_ALL),
    "tempdir": tempfile.gettempdir(), "children": resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime,
    "young": time.process_time() < 1.0,
    "folder": os.listdir("."),
    "environment": dict(os.environ),
}))
"""


def log_of(record: UnitRecord) -> str:
    if record.log_file is None:
        return ""
    return read_log(Path(record.log_file), record.log_offset, record.log_length)


def both_ways(batch: Batch) -> tuple[UnitRecord, UnitRecord]:
    """Run the batch's unit twice as a fork, of which the latter counts, and once as a fresh process."""
    run_batch(batch)
    [forked] = run_batch(batch)
    [fresh] = run_batch(replace(batch, calls=tuple(replace(call, fresh=True) for call in batch.calls)))
    return forked, fresh


def zygotes() -> set[int]:
    """Return the process ids of this worker's zygotes."""
    launcher = psutil.Process(shared_pool().launcher.pid)
    return {child.pid for child in launcher.children() if "zygote" in child.cmdline()}


@pytest.fixture
def forked(package: Package) -> Iterator[Package]:
    """Give a package whose module `told` says whether a process is a fork."""
    package.install(told=FORKED)
    return package


def test_a_unit_cannot_tell_that_it_was_forked(package: Package, tmp_path: Path) -> None:
    forked, fresh = both_ways(package.batch(tmp_path / "logs", PROBE, {}))
    assert zygotes()
    assert json.loads(log_of(forked)) == json.loads(log_of(fresh))
    assert forked.exit_code == fresh.exit_code == 0


@pytest.mark.parametrize(
    "ending",
    [
        "sys.exit()",
        "sys.exit(3)",
        "sys.exit(256 + 4)",
        "sys.exit(True)",
        "sys.exit('a last word')",
        "sys.exit(('a', 'tuple'))",
        "raise ValueError('no such well')",
        "raise SystemExit(5)",
        "raise KeyboardInterrupt",
        "1 / 0",
        "os._exit(6)",
        "os.kill(os.getpid(), signal.SIGTERM)",
        "os.kill(os.getpid(), signal.SIGKILL)",
        "os.kill(os.getpid(), signal.SIGINT); time.sleep(9)",
        "atexit.register(print, 'at exit'); print('before')",
        "atexit.register(lambda: sys.exit(9))",
        "threading.Thread(target=lambda: (time.sleep(0.1), print('thread'))).start(); print('main')",
        "threading.Thread(target=lambda: time.sleep(60), daemon=True).start()",
        "kept = open('/proc/self/fd/1', 'w'); kept.write('not flushed')",
        "sys.stdout.write('no line break'); sys.stderr.write('nor here')",
        "sys.stdout = open('/dev/full', 'w'); print('lost')",
        "sys.stdout.close()",
        "globals().update(last=type('Last', (), {'__del__': lambda self: print('deleted')})())",
        "sys.excepthook = lambda *args: print('hook', args[0].__name__); raise ValueError",
        "import no_such_module",
        "warnings.warn('beware')",
        "logging.warning('unconfigured')",
        "import io; kept = io.TextIOWrapper(io.FileIO('/dev/full', 'w')); kept.write('lost')",
        "threading.current_thread().name = 'other'; threading._register_atexit(print, 'late')",
        "import pickle; Here = type('Here', (), {}); pickle.loads(pickle.dumps(Here()))",
    ],
)
def test_forked_units_end_as_fresh_ones_do(package: Package, tmp_path: Path, ending: str) -> None:
    script = f"""
        import atexit, logging, os, signal, sys, threading, time, warnings
        print("begin", flush=True)
        {ending}
        """
    forked, fresh = both_ways(package.batch(tmp_path / "logs", script))
    assert (forked.exit_code, forked.cause) == (fresh.exit_code, fresh.cause)
    assert _comparable(log_of(forked)) == _comparable(log_of(fresh))


def _comparable(text: str) -> str:
    return re.sub(r"0x[0-9a-f]+", "", text)


def test_no_two_units_draw_the_same_numbers_unless_their_task_says_so(
    package: Package, tmp_path: Path
) -> None:
    package.install(
        generators="""
        import random
        unseeded, chosen = random.Random(), random.Random(7)
        """
    )
    script = f"""
        import json, os, random, tempfile, uuid
        from {package.folder.name}.generators import chosen, unseeded
        print(json.dumps([
            random.random(), unseeded.random(), str(uuid.uuid4()), str(uuid.uuid1()), tempfile.mktemp(),
            os.urandom(8).hex(), chosen.random(),
        ]))
        """
    drawn = [
        json.loads(log_of(record))
        for record in run_batch(package.batch(tmp_path / "logs", script, {}, {}, {}))
    ]
    for *different, same in zip(*drawn, strict=True):
        values = [*different, same]
        assert len(set(values)) == 3 or values == [drawn[0][-1]] * 3


def test_what_units_still_had_to_import_is_imported_before_the_next(package: Package, tmp_path: Path) -> None:
    package.install(
        early=f"open({str(tmp_path / 'early')!r}, 'a').write('.')",
        late=f"open({str(tmp_path / 'late')!r}, 'a').write('.')",
    )
    name = package.folder.name
    script = f"""
        import {name}.early
        def work():
            import {name}.late
        work()
        """
    run_batch(package.batch(tmp_path / "logs", script, *({},) * 6))
    assert (tmp_path / "early").read_text() == "."  # in the zygote
    assert (tmp_path / "late").read_text() == ".."  # in the first unit, then in the zygote


THREAD = "import threading, time; threading.Thread(target=time.sleep, args=(600,), daemon=True).start()"


@pytest.mark.parametrize(
    ("module", "before", "words"),
    [
        (THREAD, "pass", "threads"),
        ("import socket; kept = socket.socketpair()", "pass", "socket:"),
        ("kept = open(__file__)", "pass", "unsafe.py open"),
        ("", "import os; os.environ['MODE'] = 'x'", "sets variables"),
        ("", "import tensorflow", "tensorflow"),
    ],
)
def test_what_must_not_be_forked_runs_as_fresh_processes(
    forked: Package, tmp_path: Path, caplog: pytest.LogCaptureFixture, *, module: str, before: str, words: str
) -> None:
    forked.install(unsafe=module)
    name = forked.folder.name
    script = f"""
        from {name}.told import forked
        try:
            {before}
        except ImportError:
            pass
        import {name}.unsafe
        print(forked())
        """
    batch = forked.batch(tmp_path / "logs", script, {}, {})
    assert [log_of(record) for record in run_batch(batch)] == ["False\n"] * 2
    [line] = [record.getMessage() for record in caplog.records if "task_not_forkable" in record.getMessage()]
    assert words in line
    assert batch.calls[0].command[1] in line


def test_a_preload_that_ends_the_interpreter_leads_to_fresh_processes(
    forked: Package, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    forked.install(
        fatal="from .told import forked\nimport os, sys\nif forked(): print('oh', flush=True); os._exit(1)"
    )
    script = f"import {forked.folder.name}.fatal; print('fine')"
    assert log_of(run_batch(forked.batch(tmp_path / "logs", script))[0]) == "fine\n"
    assert "said last: oh" in caplog.text


@pytest.mark.parametrize(("deed", "words"), [("os.abort()", "SIGABRT"), ("time.sleep(600)", "hung")])
def test_a_fork_that_crashes_or_hangs_where_a_fresh_process_does_not_is_the_last_of_its_task(
    forked: Package, tmp_path: Path, caplog: pytest.LogCaptureFixture, deed: str, words: str
) -> None:
    script = f"""
        import os, time
        from {forked.folder.name}.told import forked
        print("forked" if forked() else "fresh", flush=True)
        if forked():
            {deed}
        """
    batch = forked.batch(tmp_path / "logs", script, {}, {}, timeout_seconds=2)
    records = run_batch(batch)
    assert [(record.state, log_of(record)) for record in records] == [(UnitState.DONE, "fresh\n")] * 2
    [line] = [record.getMessage() for record in caplog.records if "task_not_forkable" in record.getMessage()]
    assert words in line
    whole = Path(str(records[0].log_file)).read_text()
    assert whole == "forked\nfresh\nfresh\n"


def test_a_crash_that_a_fresh_process_has_too_says_nothing_against_forking(
    forked: Package, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    batch = forked.batch(tmp_path / "logs", "import os; print('here', flush=True); os.abort()", {}, {})
    first, second = run_batch(batch)
    assert first.exit_code == second.exit_code == -signal.SIGABRT
    assert Path(str(first.log_file)).read_text() == "here\n" * 3
    assert "not_forkable" not in caplog.text


def test_a_zygote_that_has_grown_large_is_replaced_by_one_for_the_next_task(
    forked: Package, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = f"from {forked.folder.name}.told import forked; print(forked())"
    run_batch(forked.batch(tmp_path / "logs", script))
    first = zygotes()
    monkeypatch.setattr(warm, "LARGEST_BYTES", 1)
    [record] = run_batch(forked.batch(tmp_path / "logs", script))
    assert log_of(record) == "True\n"
    assert len(first) == 1
    assert not first & zygotes()


def test_units_of_different_variables_have_different_zygotes(forked: Package, tmp_path: Path) -> None:
    """Libraries read their thread limits when they are imported."""
    script = f"""
        import os
        from {forked.folder.name}.told import forked
        print(forked(), os.environ["OMP_NUM_THREADS"])
        """
    batch = forked.batch(tmp_path / "logs", script, {}, {})
    calls = tuple(replace(call, cpus=call.index + 1) for call in batch.calls)
    records = run_batch(replace(batch, calls=calls))
    assert [log_of(record) for record in records] == ["True 1\n", "True 2\n"]
    assert len(zygotes()) == 2


def test_a_killed_zygote_is_replaced(forked: Package, tmp_path: Path) -> None:
    batch = forked.batch(tmp_path / "logs", f"from {forked.folder.name}.told import forked; print(forked())")
    run_batch(batch)
    [zygote] = zygotes()
    processes = [psutil.Process(zygote), *psutil.Process(zygote).children()]
    os.kill(zygote, signal.SIGKILL)
    psutil.wait_procs(processes, timeout=10)  # a keeper that has not ended yet would take a unit and lose it
    [record] = run_batch(batch)
    assert (record.state, log_of(record)) == (UnitState.DONE, "True\n")


def test_an_idle_zygote_ends_and_the_next_unit_has_a_new_one(
    forked: Package, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is not idle while a unit runs, however long."""
    script = f"""
        import json, os, sys, time
        from {forked.folder.name}.told import forked
        time.sleep(json.load(open(sys.argv[2]))["seconds"])
        print(forked(), os.getppid())
        """
    short, long = {"seconds": 0}, {"seconds": 2.5}
    batch = forked.batch(tmp_path / "logs", script, short, long)
    with monkeypatch.context() as patched:
        patched.setattr(warm, "IDLE_SECONDS", 1.0)
        first, second = run_batch(batch)
    assert log_of(first) == log_of(second)
    wait_until(lambda: not psutil.Process(shared_pool().launcher.pid).children())
    [third] = run_batch(replace(batch, calls=batch.calls[:1]))
    assert [record.state for record in (first, second, third)] == [UnitState.DONE] * 3
    assert [log_of(record).split()[0] for record in (second, third)] == ["True"] * 2
    assert log_of(second) != log_of(third)


def test_memory_of_a_forked_unit_is_its_own(package: Package, tmp_path: Path) -> None:
    script = """
        import json, sys
        held = bytearray(json.load(open(sys.argv[2]))["bytes"])
        """
    hog, small = run_batch(package.batch(tmp_path / "logs", script, {"bytes": 150_000_000}, {"bytes": 1}))
    assert 150_000_000 < hog.peak_memory_bytes < 250_000_000
    assert small.peak_memory_bytes < 60_000_000
    assert small.cause is not Cause.OUT_OF_MEMORY
