"""Files that others damaged, cannot be written, or were left by processes that died."""

from __future__ import annotations

import json
import logging
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

from treadle.cache.keys.digest import Digest
from treadle.cache.storages.files import FileCalls, FileValues
from treadle.cache.storages.folder import Folder
from treadle.cache.values.buffers import LARGE_BYTES
from treadle.cache.values.keyring import Keyring
from treadle.errors import CacheUnavailable, NotCached, UnknownName
from treadle.testing.cache import call_record, digest_of_text

VALUE = {"measured": list(range(100))}


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """Let no process's file grow further, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def all_files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


def test_a_damaged_file_is_kept_aside_for_whoever_looks_into_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    storage = FileValues(tmp_path)
    address = storage.save(VALUE)
    Path(storage.path(address)).write_bytes(b"broken")

    with pytest.raises(NotCached):
        storage.load(address)

    [aside] = (tmp_path / ".treadle" / "quarantine").iterdir()
    assert aside.read_bytes() == b"broken"
    assert str(aside) in warnings(caplog)[0]
    assert storage.troubles.counts == {"damaged": 1}


def test_only_the_first_damage_of_a_process_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for number in range(3):
        storage = FileValues(tmp_path)  # opened anew, as by each task
        address = storage.save(number)
        Path(storage.path(address)).write_bytes(b"broken")
        with pytest.raises(NotCached):
            storage.load(address)

    assert len(warnings(caplog)) == 1


def test_children_of_a_damaged_value_are_none(tmp_path: Path) -> None:
    storage = FileValues(tmp_path)
    address = storage.save([bytearray(3000)])
    path = Path(storage.path(address))
    path.write_bytes(path.read_bytes()[:100])

    assert list(storage.children(address)) == []
    assert not storage.contains(address)


def test_many_children_are_read_from_a_long_header(tmp_path: Path) -> None:
    storage = FileValues(tmp_path)
    address = storage.save([bytearray((number,)) * 2000 for number in range(40)])

    assert len(storage.children(address)) == 40


@pytest.mark.parametrize("keyring", [Keyring([b"other"]), Keyring([b"new", b"other"])], ids=["other", "new"])
def test_what_was_signed_with_another_key_is_a_miss(tmp_path: Path, keyring: Keyring) -> None:
    address = FileValues(tmp_path, keyring=Keyring([b"old"])).save(VALUE)
    storage = FileValues(tmp_path, keyring=keyring)

    with pytest.raises(NotCached):
        storage.load(address)
    assert storage.load(storage.save(VALUE)) == VALUE


def test_keys_can_be_changed_in_turn(tmp_path: Path) -> None:
    address = FileValues(tmp_path, keyring=Keyring([b"old"])).save(VALUE)
    both = FileValues(tmp_path, keyring=Keyring([b"new", b"old"]))
    later = both.save("later")

    assert both.load(address) == VALUE
    assert FileValues(tmp_path, keyring=Keyring([b"new"])).load(later) == "later"


def test_without_a_signature_nothing_is_unpickled(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    address = FileValues(tmp_path).save(_Touches(str(mark)))
    keyless, keyed = FileValues(tmp_path), FileValues(tmp_path, keyring=Keyring([b"key"]))

    with pytest.raises(NotCached):
        keyed.load(address)
    assert not mark.exists()
    FileValues(tmp_path).save(_Touches(str(mark)))
    keyless.load(address)
    assert mark.exists()  # it would have been run


class _Touches:
    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (Path(self.path),)


@pytest.mark.parametrize("mode", [0o777, 0o770], ids=["everybody", "group"])
def test_what_others_can_write_is_not_unpickled(tmp_path: Path, mode: int) -> None:
    address = FileValues(tmp_path).save(VALUE)
    if mode == 0o770:
        _give_to_another_group(tmp_path)
    tmp_path.chmod(mode)

    with pytest.raises(CacheUnavailable, match="secret key"):
        FileValues(tmp_path).load(address)
    assert FileValues(tmp_path, trusted=True).load(address) == VALUE
    assert FileValues(tmp_path, allow=()).load(address) == VALUE
    with pytest.raises(NotCached):  # it is not signed
        FileValues(tmp_path, keyring=Keyring([b"key"])).load(address)


def _give_to_another_group(path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root gives files to any group")
    os.chown(path, -1, 54_321)


def test_what_belongs_to_another_user_is_not_unpickled(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root gives files to another user")
    address = FileValues(tmp_path).save(VALUE)
    os.chown(tmp_path, 54_321, -1)

    with pytest.raises(CacheUnavailable, match="user 54321"):
        FileValues(tmp_path).load(address)


def test_records_are_read_from_anywhere(tmp_path: Path) -> None:
    storage = FileCalls(tmp_path)
    storage.save(call_record())
    tmp_path.chmod(0o777)

    assert storage.load(digest_of_text("call")) == storage.load(digest_of_text("call"))


def test_names_that_are_not_allowed_are_not_called(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    address = FileValues(tmp_path).save(_Touches(str(mark)))

    with pytest.raises(NotCached) as caught:
        FileValues(tmp_path, allow=["os.*"]).load(address)

    assert "pathlib" in caught.value.detail
    assert not mark.exists()


def test_a_value_whose_class_is_gone_is_sound_but_not_cached(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    storage = FileValues(tmp_path, codec="pickle")
    address = storage.save(_Touches("x").__class__)
    monkeypatch.delattr(sys.modules[__name__], "_Touches")

    with pytest.raises(NotCached):
        storage.load(address)
    assert storage.contains(address)
    assert "_Touches" in warnings(caplog)[0]


OF_A_SCRIPT = """
import sys
from treadle.cache.keys.digest import Digest
from treadle.cache.storages.files import FileValues

class Sample:
    def __init__(self, size):
        self.size = size

values = FileValues(sys.argv[1], codec=sys.argv[2])
if len(sys.argv) == 3:
    print(values.save(Sample(3)))
else:
    print(values.load(Digest(sys.argv[3])).size)
"""


@pytest.mark.parametrize("codec", ["pickle", "cloudpickle", "dill"])
def test_values_of_a_scripts_own_classes_are_there_when_it_runs_again(tmp_path: Path, codec: str) -> None:
    script = tmp_path / "script.py"
    script.write_text(OF_A_SCRIPT)

    def run(*words: str) -> str:
        command = [sys.executable, str(script), str(tmp_path / "values"), codec, *words]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    assert run(run()) == "3"


def test_a_value_of_more_pieces_than_a_system_writes_at_once_is_kept(tmp_path: Path) -> None:
    arrays = {number: np.full(LARGE_BYTES, number % 250, np.uint8) for number in range(600)}
    values = FileValues(tmp_path, depth=None)

    loaded = cast("dict[int, Any]", values.load(values.save(arrays)))

    assert all((loaded[number] == array).all() for number, array in arrays.items())


def test_an_unknown_serialiser_is_named_at_once(tmp_path: Path) -> None:
    with pytest.raises(UnknownName, match="'cloudpikle'") as caught:
        FileValues(tmp_path, codec="cloudpikle")
    assert "cloudpickle" in caught.value.remedy


def test_a_full_disk_is_told_and_leaves_nothing(tmp_path: Path) -> None:
    values, calls = FileValues(tmp_path), FileCalls(tmp_path)
    calls.save(call_record("kept"))
    before = len(all_files(tmp_path))
    with files_of_at_most(64):
        with pytest.raises(CacheUnavailable, match="cannot be written"):
            values.save(VALUE)
        with pytest.raises(CacheUnavailable, match="cannot be written"):
            calls.save(call_record("lost"))

    assert len(all_files(tmp_path)) == before
    assert calls.contains(digest_of_text("kept"))
    assert values.load(values.save(VALUE)) == VALUE


def test_a_file_in_place_of_the_folder_is_told(tmp_path: Path) -> None:
    root = tmp_path / "file"
    root.write_text("")
    storage = FileValues(root)

    with pytest.raises(CacheUnavailable, match="cannot be written"):
        storage.save(VALUE)
    with pytest.raises(NotCached):
        storage.load(digest_of_text("any"))
    assert list(storage.entries()) == []


@pytest.fixture
def public_folder() -> Iterator[Path]:
    """A folder that other users reach, as they do not reach pytest's."""
    with tempfile.TemporaryDirectory(prefix="treadle-tests-") as folder:
        yield Path(folder)


def test_a_folder_that_may_not_be_written_is_read(public_folder: Path) -> None:
    """As another user, for root may write anything."""
    address = FileValues(public_folder).save(VALUE)
    FileCalls(public_folder).save(call_record())
    damaged = FileValues(public_folder).save("damaged")
    Path(FileValues(public_folder).path(damaged)).write_bytes(b"broken")
    for path in [public_folder, *public_folder.rglob("*")]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    program = f"""
import json, logging, os
logging.basicConfig(format="%(message)s")
from treadle.cache.keys.digest import Digest
from treadle.cache.storages.files import FileCalls, FileValues
from treadle.errors import CacheUnavailable, NotCached
from treadle.testing.cache import call_record, digest_of_text
if os.geteuid() == 0:
    os.setegid(54321), os.seteuid(54321)
values, calls = FileValues({str(public_folder)!r}, trusted=True), FileCalls({str(public_folder)!r})
said = [values.load(Digest({str(address)!r})), calls.load(digest_of_text("call")).name]
calls.touch([digest_of_text("call")])
for act in (lambda: values.save("new"), lambda: calls.save(call_record("new")),
            lambda: calls.evict(digest_of_text("call")), lambda: values.load(Digest({str(damaged)!r}))):
    try:
        act()
    except (CacheUnavailable, NotCached) as error:
        said.append(type(error).__name__)
print(json.dumps(said))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    unavailable = ["CacheUnavailable"] * 3
    assert json.loads(done.stdout) == [VALUE, "measure", *unavailable, "NotCached"]
    assert "stays there" in done.stderr


def test_a_process_killed_while_it_writes_leaves_nothing_that_is_read(tmp_path: Path) -> None:
    program = f"""
import os, signal
from treadle.cache.storages import folder
from treadle.cache.storages.files import FileCalls, FileValues
from treadle.testing.cache import call_record
write = os.writev
def die_within(descriptor, parts):
    write(descriptor, [b"".join(parts)[:50]])
    os.kill(os.getpid(), signal.SIGKILL)
os.writev = die_within
if os.fork() == 0:
    FileCalls({str(tmp_path)!r}).save(call_record())
os.wait()
FileValues({str(tmp_path)!r}).save({VALUE!r})
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    values, calls = FileValues(tmp_path), FileCalls(tmp_path)

    assert done.returncode == -signal.SIGKILL, done.stderr
    assert len(all_files(tmp_path)) == 2
    assert list(values.entries()) == list(calls.entries()) == []
    assert calls.starting_with("") == []
    calls.save(call_record())
    assert values.load(values.save(VALUE)) == VALUE

    assert values.sweep() == calls.sweep() == 0  # they could still be written to
    assert values.sweep(older_than=-1) == calls.sweep(older_than=-1) == 50
    assert len(all_files(tmp_path)) == 2


def test_processes_that_save_the_same_value_do_not_disturb_each_other(tmp_path: Path) -> None:
    program = f"""
from treadle.cache.storages.files import FileValues
storage = FileValues({str(tmp_path)!r})
for number in range(150):
    value = [number % 10, bytearray(2000 + number % 10)]
    address = storage.save(value)
    if number % 7 == 0:
        storage.evict(address)
    else:
        try:
            assert storage.load(address) == value
        except KeyError:
            pass
assert not storage.troubles.counts
"""
    command = [sys.executable, "-W", "error", "-c", program]
    running = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(3)]
    said = [process.communicate()[1] for process in running]

    assert [process.returncode for process in running] == [0, 0, 0], said
    assert not (tmp_path / ".treadle" / "quarantine").exists()
    assert not list(tmp_path.rglob("*.tmp"))


def test_a_load_is_noted_as_a_use(tmp_path: Path) -> None:
    storage = FileValues(tmp_path)
    address = storage.save(VALUE)
    old = time.time() - 1000
    os.utime(storage.path(address), (old, old))

    storage.load(address)
    [entry] = storage.entries()
    assert entry.used > old + 900
    assert entry.saved == pytest.approx(old, abs=1)


def test_saving_again_makes_a_value_young(tmp_path: Path) -> None:
    """So that garbage collection leaves it to the call that is about to be recorded."""
    storage = FileValues(tmp_path)
    address = storage.save(VALUE)
    old = time.time() - 1000
    os.utime(storage.path(address), (old, old))

    storage.save(VALUE)

    [entry] = storage.entries()
    assert entry.saved > old + 900


def test_an_empty_file_is_written_again(tmp_path: Path) -> None:
    """A power cut leaves such a file of one that was renamed but not flushed."""
    storage = FileValues(tmp_path)
    address = storage.save(VALUE)
    Path(storage.path(address)).write_bytes(b"")

    assert storage.load(storage.save(VALUE)) == VALUE
    assert storage.troubles.counts == {}


def test_files_of_others_are_left_alone(tmp_path: Path) -> None:
    storage = FileValues(tmp_path)
    address = storage.save(VALUE)
    folder = Path(storage.path(address)).parent
    for name in ("README", ".hidden", "f" * 61, "F" * 62 + ".lock"):
        (folder / name).write_text("")
    (tmp_path / str(address)).write_text("fleche's")

    assert [entry.digest for entry in storage.entries()] == [address]
    assert storage.evict(address) > 0
    assert (tmp_path / str(address)).read_text() == "fleche's"


def test_no_folder_has_more_than_4096_entries_below_a_million(tmp_path: Path) -> None:
    folder = Folder(tmp_path, "values")
    firsts = {Path(folder.path(digest_of_text(str(number)))).parent.name for number in range(5000)}

    assert len(firsts) == 256


def test_a_home_folder_is_expanded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))

    assert FileValues("~/cache").root == str(tmp_path / "cache")


def test_a_record_counts_as_written_when_its_call_was_made(tmp_path: Path) -> None:
    storage = FileCalls(tmp_path)
    storage.save(call_record(created=1_234_567_890.5))

    [entry] = storage.entries()

    assert entry.saved == 1_234_567_890.5
    assert entry.used > entry.saved


@pytest.mark.parametrize("created", [-5.0, float("nan"), 1e300])
def test_a_record_of_an_impossible_time_is_kept(tmp_path: Path, created: float) -> None:
    storage = FileCalls(tmp_path)
    record = call_record(created=created)
    storage.save(record)

    assert storage.load(record.key).result == record.result


def test_a_file_of_a_later_treadle_is_left_where_it_is(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    storage = FileValues(tmp_path)
    address = storage.save(VALUE)
    path = Path(storage.path(address))
    path.write_bytes(path.read_bytes()[:8] + b"\x07\x07" + path.read_bytes()[10:])

    with pytest.raises(NotCached, match="format 7"):
        storage.load(address)
    assert path.exists()
    assert warnings(caplog) == []


def test_a_record_under_another_calls_key_is_damage(tmp_path: Path) -> None:
    storage = FileCalls(tmp_path)
    storage.save(call_record("a"))
    storage.save(call_record("b"))
    Path(storage.path(digest_of_text("a"))).rename(storage.path(digest_of_text("b")))

    with pytest.raises(NotCached):
        storage.load(digest_of_text("b"))


def test_bytes_of_an_unpickled_array_belong_to_its_caller(tmp_path: Path) -> None:
    np = pytest.importorskip("numpy")
    storage = FileValues(tmp_path, compress=True)
    array = np.zeros(100_000)
    address = storage.save(array)
    loaded = storage.load(address)
    loaded[:] = 1

    assert np.array_equal(storage.load(address), array)
    assert loaded.flags.aligned


def test_a_storage_says_nothing_of_its_keys(tmp_path: Path) -> None:
    storage = FileValues(tmp_path, keyring=Keyring([b"very secret"]))

    with files_of_at_most(10), pytest.raises(CacheUnavailable) as caught:
        storage.save(VALUE)
    assert "secret" not in f"{caught.value} {caught.value.detail}"
    assert Digest.parse("A" * 64) == "a" * 64
