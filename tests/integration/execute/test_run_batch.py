"""Units run as fresh processes, and whatever happens to one is in its record."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from treadle.execute.batch import Batch, UnitCall, run_batch
from treadle.execute.environment import without_own
from treadle.execute.journal import read_journals
from treadle.execute.logs import read_log
from treadle.execute.pool import shared_pool
from treadle.execute.worker import worker_name
from treadle.model.records import UnitRecord
from treadle.model.states import Cause, UnitState

pytestmark = pytest.mark.integration
MakeBatch = Callable[..., Batch]


def log_of(record: UnitRecord) -> str:
    assert record.log_file is not None
    return read_log(Path(record.log_file), record.log_offset, record.log_length)


def with_command(batch: Batch, *command: str) -> Batch:
    return replace(batch, calls=(replace(batch.calls[0], command=command),))


def test_arguments_go_in_and_output_comes_out(make_batch: MakeBatch) -> None:
    batch = make_batch(
        """
        import json, sys
        assert sys.argv[1::2] == ["--args-json", "--out-json"]
        args = json.load(open(sys.argv[2]))
        json.dump({"image_list_updates": [{"zarr_url": args["zarr_url"]}]}, open(sys.argv[4], "w"))
        """,
        {"zarr_url": "/data/a"},
        {"zarr_url": "/data/ü"},
    )
    records = run_batch(batch)
    assert [record.index for record in records] == [0, 1]
    assert [record.state for record in records] == [UnitState.DONE] * 2
    assert records[1].output == {"image_list_updates": [{"zarr_url": "/data/ü"}]}
    assert [record.error for record in records] == [None, None]


def test_a_unit_cannot_be_told_from_a_fresh_process(make_batch: MakeBatch) -> None:
    """Compared with what the standard library starts: argv, flags, signals, descriptors, environment."""
    batch = make_batch(
        """
        import json, os, resource, signal, sys
        print(json.dumps({
            "name": __name__, "file": __file__, "argv": [sys.argv[0], *sys.argv[1::2]], "path": sys.path[:1],
            "flags": list(sys.flags), "executable": sys.executable, "prefix": sys.prefix,
            "ignored": [s for s in signal.valid_signals() if signal.getsignal(s) is signal.SIG_IGN],
            "blocked": sorted(signal.pthread_sigmask(signal.SIG_BLOCK, [])),
            "descriptors": [f for f in range(3, 256) if os.path.exists(f"/proc/self/fd/{f}")],
            "stdin": os.readlink("/proc/self/fd/0"),
            "files": resource.getrlimit(resource.RLIMIT_NOFILE), "umask": os.umask(0), "nice": os.nice(0),
            "leads": [os.getsid(0) == os.getpid(), os.getpgid(0) == os.getpid()],
            "environment": {k: v for k, v in os.environ.items() if not k.endswith("_THREADS")},
        }))
        sys.exit(7)
        """
    )
    [record] = run_batch(batch)
    fresh = subprocess.run(
        [*batch.calls[0].command, "--args-json", "x", "--out-json", "y"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        env=without_own(os.environ),
        start_new_session=True,
        check=False,
    )
    assert json.loads(log_of(record)) == json.loads(fresh.stdout)
    assert record.exit_code == fresh.returncode == 7
    assert record.cause is Cause.FAILED


def test_both_streams_are_in_the_log_in_the_order_they_were_written(make_batch: MakeBatch) -> None:
    batch = make_batch(
        """
        import os
        for number in range(3):
            os.write(1, b"out %d\\n" % number)
            os.write(2, b"err %d\\n" % number)
        """,
        {},
        {},
    )
    first, second = run_batch(batch)
    assert log_of(first) == log_of(second) == "out 0\nerr 0\nout 1\nerr 1\nout 2\nerr 2\n"
    assert first.log_file == second.log_file
    assert sorted(file.name for file in Path(batch.log_folder).iterdir()) == [
        f"000-step.{worker_name()}-1.index",
        f"000-step.{worker_name()}-1.log",
        f"journal-{worker_name()}.jsonl",
    ]


def test_the_out_file_is_fresh_each_time_and_the_scratch_folder_goes(make_batch: MakeBatch) -> None:
    batch = make_batch(
        """
        import os, sys
        sys.exit(9) if os.path.exists(sys.argv[4]) else open(sys.argv[4], "w").write("null")
        open("left behind", "w").write("x")
        """
    )
    assert [run_batch(batch)[0].state for _ in range(3)] == [UnitState.DONE] * 3
    left = shared_pool().launcher.scratch.rglob("*")
    assert [file for file in left if not file.is_dir()] == []
    assert shared_pool().launcher.scratch.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize(
    "mess",
    [
        "open('file', 'w')",
        "os.makedirs('a/b')",
        "os.symlink('/', 'root')",
        "os.chmod('.', 0o500)",
        "shutil.rmtree(here)",
        "os.rename(here, here + '.away')",
        "os.rename(here, here + '.away'); os.mkdir(here); open(here + '/file', 'w')",
        "os.rename(here, here + '.away'); os.symlink(os.path.dirname(__file__), here)",
    ],
)
def test_every_unit_begins_in_an_empty_folder_of_its_own(make_batch: MakeBatch, mess: str) -> None:
    batch = make_batch(
        f"""
        import os, shutil, sys
        here = os.getcwd()
        print(os.path.dirname(sys.argv[2]) == here, os.listdir(here), oct(os.stat(here).st_mode), flush=True)
        {mess}
        """,
        {},
        {},
        {},
    )
    assert [log_of(record) for record in run_batch(batch)] == ["True ['args.json'] 0o40700\n"] * 3
    assert Path(batch.calls[0].command[1]).exists(), "what a link led to is untouched"


def test_a_unit_that_dies_of_a_signal_says_which(make_batch: MakeBatch) -> None:
    [record] = run_batch(make_batch("import os; print('so far', flush=True); os.kill(os.getpid(), 9)"))
    assert (record.state, record.cause, record.exit_code) == (UnitState.FAILED, Cause.FAILED, -9)
    assert record.error == "Killed by signal 9 (SIGKILL).\nso far"


def test_a_failing_unit_leaves_the_others_of_its_batch_alone(make_batch: MakeBatch) -> None:
    batch = make_batch(
        """
        import json, sys
        if json.load(open(sys.argv[2]))["fail"]:
            raise ValueError("no such well")
        """,
        {"fail": False},
        {"fail": True},
        {"fail": False},
    )
    good, bad, after = run_batch(batch)
    assert (good.state, after.state) == (UnitState.DONE, UnitState.DONE)
    assert bad.error is not None
    assert bad.error.endswith("ValueError: no such well")


def test_invalid_output_fails_its_unit_only(make_batch: MakeBatch) -> None:
    batch = make_batch(
        """
        import json, sys
        open(sys.argv[4], "w").write(json.load(open(sys.argv[2]))["out"])
        """,
        {"out": '{"surprise": 1}'},
        {"out": "{}"},
    )
    bad, good = run_batch(batch)
    assert (bad.cause, bad.exit_code) == (Cause.INVALID_OUTPUT, 0)
    assert "surprise" in (bad.error or "")
    assert good.state is UnitState.DONE


def test_an_init_call_is_validated_as_one(make_batch: MakeBatch) -> None:
    script = """
        import sys
        open(sys.argv[4], "w").write('{"parallelization_list": [{"zarr_url": "/data/a"}]}')
        """
    batch = make_batch(script)
    [init] = run_batch(replace(batch, calls=(replace(batch.calls[0], is_init=True),)))
    [unit] = run_batch(batch)
    assert (init.state, unit.cause) == (UnitState.DONE, Cause.INVALID_OUTPUT)


def test_a_command_that_cannot_run_is_told_apart_from_one_that_fails(
    make_batch: MakeBatch, tmp_path: Path
) -> None:
    garbage = tmp_path / "garbage"
    garbage.write_bytes(b"\0\1\2")
    garbage.chmod(0o755)
    orphan = tmp_path / "orphan"
    orphan.write_text("#!/no/such/interpreter\n")
    orphan.chmod(0o755)
    expected = {
        str(tmp_path / "missing"): "not an executable file",
        str(garbage): "Exec format error",
        str(orphan): "No such file or directory",
        f"{sys.executable};rm": "characters that none may hold",
    }
    for command, words in expected.items():
        [record] = run_batch(with_command(make_batch(""), command))
        assert (record.state, record.cause) == (UnitState.FAILED, Cause.COMMAND_INVALID)
        assert words in (record.error or "")
        assert record.worker == worker_name()


def test_no_shell_sees_the_command(make_batch: MakeBatch) -> None:
    batch = make_batch("import sys; print(sys.argv[1])")
    [record] = run_batch(with_command(batch, *batch.calls[0].command, "~ %HOME% a  b"))
    assert log_of(record) == "~ %HOME% a  b\n"


def test_environment_and_thread_limits_reach_the_unit(
    make_batch: MakeBatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TREADLE_SECRET", "hush")
    batch = make_batch(
        """
        import os
        print(os.environ["OMP_NUM_THREADS"], os.environ["EXTRA"], os.environ.get("TREADLE_SECRET"))
        """,
        environment={"EXTRA": "more"},
    )
    [record] = run_batch(replace(batch, calls=(replace(batch.calls[0], cpus=3),)))
    assert log_of(record) == "3 more None\n"


def test_what_a_unit_used_is_its_own(make_batch: MakeBatch) -> None:
    """A quarter gigabyte here is not in the unit's figure, a tenth there is, also in a child it waits for."""
    ballast = bytearray(os.urandom(1)) * 250_000_000
    batch = make_batch(
        """
        import json, subprocess, sys, time
        kind = json.load(open(sys.argv[2]))["kind"]
        hog = "x = bytearray(b'x') * 100_000_000"
        burn = "import time\\nwhile time.process_time() < 0.5: pass"
        if kind == "hog": exec(hog)
        if kind == "child": subprocess.run([sys.executable, "-c", hog + "\\n" + burn], check=True)
        if kind == "sleep": time.sleep(0.5)
        """,
        *({"kind": kind} for kind in ("null", "hog", "child", "sleep")),
    )
    null, hog, child, sleep = run_batch(batch)
    assert len(ballast) == 250_000_000
    assert null.peak_memory_bytes < 60_000_000
    assert 100_000_000 < hog.peak_memory_bytes < 200_000_000
    assert 100_000_000 < child.peak_memory_bytes < 200_000_000
    assert child.cpu_seconds >= 0.5
    assert sleep.seconds >= 0.5 > sleep.cpu_seconds
    assert null.started_at < sleep.started_at


def test_threads_of_one_worker_run_units_at_once(make_batch: MakeBatch) -> None:
    """Each unit waits for the other: one after the other they would wait for ever."""
    batch = make_batch(
        """
        import json, os, sys, time
        args = json.load(open(sys.argv[2]))
        open(args["mine"], "w").close()
        while not os.path.exists(args["other"]): time.sleep(0.01)
        print(args["mine"])
        """
    )
    files = [str(Path(batch.log_folder) / name) for name in ("a", "b")]
    batches = [
        replace(batch, calls=(replace(batch.calls[0], args={"mine": mine, "other": other}),))
        for mine, other in (files, reversed(files))
    ]
    with ThreadPoolExecutor(2) as pool:
        records = [record for records in pool.map(run_batch, batches) for record in records]
    assert [log_of(record) for record in records] == [f"{file}\n" for file in files]


def test_a_log_that_cannot_be_kept_fails_the_unit_with_a_clear_text(make_batch: MakeBatch) -> None:
    batch = make_batch("print('hello')")
    store = Path(batch.log_folder, f"000-step.{worker_name()}-1.log")
    store.mkdir()
    [record] = run_batch(batch)
    assert (record.state, record.cause, record.exit_code) == (UnitState.FAILED, Cause.FAILED, None)
    assert f"could not run the unit: Is a directory ({store})" in (record.error or "")


def test_no_unit_runs_where_its_end_could_not_be_written_down(make_batch: MakeBatch) -> None:
    batch = replace(make_batch("open('/dev/null')", {}, {}), log_folder="/no/such/folder")
    records = run_batch(batch)
    assert [(record.index, record.cause, record.exit_code) for record in records] == [
        (0, Cause.FAILED, None),
        (1, Cause.FAILED, None),
    ]
    assert "could not open its journal: No such file or directory (/no/such/folder/" in (
        records[0].error or ""
    )


def test_the_journal_has_what_was_returned(make_batch: MakeBatch) -> None:
    batch = make_batch("import sys; sys.exit(3)", {}, {})
    batch = replace(batch, position=4, calls=tuple(replace(call, attempt=2) for call in batch.calls))
    records = run_batch(batch)
    assert [record.attempt for record in records] == [2, 2]
    assert list(read_journals(Path(batch.log_folder))) == [(4, record) for record in records]


def test_a_full_disk_fails_the_unit_with_a_clear_text(
    make_batch: MakeBatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = make_batch("")

    def full(path: Path, _: str) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    monkeypatch.setattr(Path, "write_text", full)
    [record] = run_batch(batch)
    assert (record.state, record.cause) == (UnitState.FAILED, Cause.FAILED)
    assert "No space left on device (" in (record.error or "")


def test_any_program_may_be_a_task(make_batch: MakeBatch) -> None:
    [record] = run_batch(with_command(make_batch(""), "echo", "two words"))
    assert log_of(record).startswith("two words --args-json /")
    assert isinstance(record, UnitRecord)
    assert UnitCall(0, ("echo",), {}).cpus == 1
