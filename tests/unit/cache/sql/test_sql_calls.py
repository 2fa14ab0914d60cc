"""Records in SQLite and PostgreSQL: what goes in comes out, whatever processes and damage do meanwhile."""

from __future__ import annotations

import logging
import os
import pickle
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from treadle.cache.keys.digest import Digest
from treadle.cache.records import CallRecord
from treadle.cache.storages import mounts
from treadle.cache.storages.ports import Template
from treadle.cache.storages.sql.calls import SqlCalls
from treadle.cache.storages.sql.database import AWAY_SECONDS, Database
from treadle.cache.storages.sql.tables import CALLS
from treadle.cache.values.keyring import Keyring
from treadle.errors import CacheRefused, CacheUnavailable, NotCached, SettingsInvalid

MakeRecord = Callable[..., CallRecord]
MakeDigest = Callable[[int], Digest]


def test_a_record_comes_back_as_it_was(calls: SqlCalls, make_record: MakeRecord) -> None:
    record = make_record(version=2, metadata={"runtime": {"walltime": 0.5}}, x=3, y=4)
    calls.save(record)

    assert calls.load(record.key) == record
    assert calls.contains(record.key)
    assert calls.starting_with(record.key[:63]) == [record.key]


def test_what_is_not_there_is_a_miss(calls: SqlCalls, digest: MakeDigest) -> None:
    with pytest.raises(NotCached):
        calls.load(digest(1))

    assert not calls.contains(digest(1))
    assert calls.evict(digest(1)) == 0
    assert calls.load_many([digest(1)]) == {}
    assert calls.starting_with("0") == calls.starting_with("no digest") == []


def test_a_record_replaces_that_of_its_key(
    calls: SqlCalls, make_record: MakeRecord, digest: MakeDigest
) -> None:
    calls.save(make_record(1, x=1, y=1))
    newer = make_record(1, created=5000.0, result=7, x=2)
    calls.save(newer)

    assert calls.load(newer.key) == newer
    assert list(calls.find(Template(arguments={"y": digest(1)}))) == []
    assert list(calls.find(Template(arguments={"x": digest(2)}))) == [newer]


def test_evicting_frees_what_it_says(calls: SqlCalls, make_record: MakeRecord, digest: MakeDigest) -> None:
    calls.save(make_record(1, x=1))
    calls.save(make_record(2, x=1))
    (size,) = [entry.size for entry in calls.entries() if entry.digest == digest(1)]

    assert calls.evict(digest(1)) == size > 0
    assert [record.key for record in calls.find(Template(arguments={"x": digest(1)}))] == [digest(2)]
    assert [entry.digest for entry in calls.entries()] == [digest(2)]


def test_a_commit_with_a_lost_lease_changes_nothing(
    calls: SqlCalls, make_record: MakeRecord, digest: MakeDigest
) -> None:
    lost = calls.leases.acquire(digest(1), seconds=0)
    held = calls.leases.acquire(digest(1), seconds=30)
    assert lost is not None
    assert held is not None
    calls.save(make_record(1, result=1), lease=held)

    with pytest.raises(CacheRefused, match="lease"):
        calls.save(make_record(1, result=2), lease=lost)

    assert calls.load(digest(1)) == make_record(1, result=1)
    calls.leases.release(held)
    with pytest.raises(CacheRefused):
        calls.save(make_record(1, result=2), lease=held)


def test_many_records_are_read_in_few_statements(
    calls: SqlCalls, make_record: MakeRecord, digest: MakeDigest
) -> None:
    for number in range(1, 21):
        calls.save(make_record(number))

    found = calls.load_many(digest(number) for number in range(600))

    assert sorted(found) == [digest(number) for number in range(1, 21)]
    assert all(found[digest(number)] == make_record(number) for number in range(1, 21))


def test_uses_are_noted_and_written_before_they_are_counted(calls: SqlCalls, make_record: MakeRecord) -> None:
    calls.save(make_record(1))
    calls.save(make_record(2))
    began = time.time()
    calls.touch([make_record(1).key])

    used = {entry.digest: entry.used for entry in calls.entries()}

    assert used[make_record(1).key] >= began > used[make_record(2).key]
    assert [entry.saved for entry in calls.entries()] == [1001.0, 1002.0]


def test_uses_are_written_when_the_storage_goes(tmp_path: Path, make_record: MakeRecord) -> None:
    stored = SqlCalls(tmp_path / "calls.db")
    stored.save(make_record(1))
    began = time.time()
    stored.touch([make_record(1).key])
    del stored

    again = SqlCalls(tmp_path / "calls.db")
    assert [entry.used >= began for entry in again.entries()] == [True]
    again.close()


@pytest.mark.parametrize("change", ["truncate", "alter", "swap", "sign otherwise"])
def test_a_damaged_record_is_a_miss_and_put_aside(
    tmp_path: Path, make_record: MakeRecord, caplog: pytest.LogCaptureFixture, change: str
) -> None:
    file = tmp_path / "calls.db"
    key = make_record(1).key
    stored = SqlCalls(file, Keyring([b"secret"]))
    for number in (1, 2):
        stored.save(make_record(number, x=1))
    if change == "sign otherwise":
        forger = SqlCalls(file, Keyring([b"guess"]))
        forger.save(make_record(1, result=666, x=1))
        forger.close()
    with sqlite3.connect(file) as past_the_storage:
        (whole,) = past_the_storage.execute(
            "SELECT record FROM treadle_calls WHERE key = ?", [key.raw]
        ).fetchone()
        (other,) = past_the_storage.execute(
            "SELECT record FROM treadle_calls WHERE key != ?", [key.raw]
        ).fetchone()
        changed = {"truncate": whole[:-1], "alter": whole[:-1] + b"!", "swap": other}.get(change, whole)
        past_the_storage.execute("UPDATE treadle_calls SET record = ? WHERE key = ?", [changed, key.raw])
    past_the_storage.close()

    with caplog.at_level(logging.WARNING, logger="treadle.cache"):
        found = list(stored.find(Template(name="simulate")))
        with pytest.raises(NotCached):
            stored.load(key)

    assert found == [make_record(2, x=1)]
    (warning,) = caplog.records
    assert key in warning.getMessage()
    assert str(file) in warning.getMessage()
    assert not stored.contains(key)
    with stored.database.reading() as cursor:
        cursor.execute("SELECT key, record FROM treadle_quarantine")
        assert cursor.fetchall() == [(key.raw, changed)]
    stored.save(make_record(1))
    assert stored.load(key) == make_record(1)
    stored.close()


def test_names_that_no_database_takes_are_found_again(calls: SqlCalls, make_record: MakeRecord) -> None:
    odd = make_record(1, name="nul\0 and \udc80", x=1)
    like = make_record(2, name="nul? and ?", x=1)
    calls.save(odd)
    calls.save(like)

    assert list(calls.find(Template(name=odd.name))) == [odd]
    assert list(calls.find(Template(name=like.name))) == [like]


def test_it_may_be_sent_to_another_process(tmp_path: Path, make_record: MakeRecord) -> None:
    stored = SqlCalls(tmp_path / "calls.db", Keyring([b"secret"]))
    stored.save(make_record(1))
    sent = pickle.loads(pickle.dumps(stored))  # noqa: S301  (written just now)

    assert sent.load(make_record(1).key) == make_record(1)
    for opened in (stored, sent):
        opened.close()


def test_parent_and_fork_go_on_each_with_its_own_connection(calls: SqlCalls, make_record: MakeRecord) -> None:
    calls.save(make_record(1))
    is_shared = calls.database.place != "sqlite://"
    child = os.fork()
    if child == 0:
        calls.save(make_record(2))
        os._exit(0 if calls.contains(make_record(1).key) == is_shared else 1)
    _, status = os.waitpid(child, 0)
    calls.save(make_record(3))

    assert os.waitstatus_to_exitcode(status) == 0
    assert calls.contains(make_record(2).key) == is_shared
    assert calls.load(make_record(1).key) == make_record(1)


def test_a_file_lets_readers_and_a_writer_work_side_by_side(tmp_path: Path, make_record: MakeRecord) -> None:
    stored = SqlCalls(tmp_path / "calls.db")
    stored.save(make_record(1))

    with stored.database.writing(), stored.database.reading() as cursor:
        cursor.execute("PRAGMA journal_mode")
        assert cursor.fetchone() == ("wal",)
        assert stored.contains(make_record(1).key)
    stored.close()


def test_on_a_network_file_system_there_is_no_write_ahead_log(
    tmp_path: Path, make_record: MakeRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = tmp_path / "mounts"
    table.write_text(f"server:/a\\040b {tmp_path} nfs4 rw 0 0\nignored / ext4 rw 0 0\n")
    monkeypatch.setattr(mounts, "MOUNTS", table)
    stored = SqlCalls(tmp_path / "deep" / "calls.db")
    stored.save(make_record(1))

    with stored.database.reading() as cursor:
        cursor.execute("PRAGMA journal_mode")
        assert cursor.fetchone() == ("delete",)
    assert stored.load(make_record(1).key) == make_record(1)
    stored.close()


def test_what_a_newer_treadle_made_is_left_alone(tmp_path: Path, make_record: MakeRecord) -> None:
    stored = SqlCalls(tmp_path / "calls.db")
    stored.save(make_record(1))
    with stored.database.writing() as cursor:
        cursor.execute("UPDATE treadle_schema SET version = 99 WHERE name = 'calls'")
    stored.close()

    with pytest.raises(CacheUnavailable, match="newer Treadle"):
        stored.load(make_record(1).key)
    stored.close()


def test_the_database_s_trouble_is_the_cache_s(tmp_path: Path, make_record: MakeRecord) -> None:
    file = tmp_path / "calls.db"
    file.write_text("This is no database, though it is as long as the head of one. " * 10)
    stored = SqlCalls(file)
    stored.touch([make_record(1).key])

    for act in (lambda: stored.save(make_record(1)), lambda: stored.load(make_record(1).key)):
        with pytest.raises(CacheUnavailable, match=r"calls\.db") as error:
            act()
        assert "not a database" in error.value.detail
    stored.close()
    assert stored.troubles.counts == {"unwritten uses": 1}


def test_a_server_that_does_not_answer_is_asked_once_for_many_calls(make_record: MakeRecord) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        stored = SqlCalls(f"postgresql://me@127.0.0.1:{port}/calls?connect_timeout=2&gssencmode=disable")
        for _ in range(20):
            with pytest.raises(CacheUnavailable, match=r"127\.0\.0\.1"):
                stored.load(make_record(1).key)
        silent.setblocking(False)
        silent.accept()[0].close()
        with pytest.raises(BlockingIOError):
            silent.accept()


READ_ALL = """
import sys
from treadle.cache.storages.ports import Template
from treadle.cache.storages.sql.calls import SqlCalls
from treadle.errors import CacheUnavailable

stored = SqlCalls(sys.argv[1])
records = list(stored.find(Template()))
try:
    stored.save(records[0])
except CacheUnavailable as error:
    print(len(records), error.detail)
"""


def test_a_file_that_somebody_keeps_locked_is_read_and_waited_for_once(
    tmp_path: Path, make_record: MakeRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "calls.db"
    stored = SqlCalls(file)
    stored.save(make_record(1))
    database = Database(file, CALLS, busy_seconds=0.2)

    def write() -> None:
        with database.writing() as cursor:
            cursor.execute("DELETE FROM treadle_calls")

    other = sqlite3.connect(file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(CacheUnavailable) as first:
        write()
    with database.reading() as cursor:
        assert cursor.execute("SELECT count(*) FROM treadle_calls").fetchone() == (1,)
    other.execute("COMMIT")
    with pytest.raises(CacheUnavailable) as again:  # it is free by now: nobody has asked
        write()
    assert [error.value.detail for error in (first, again)] == ["database is locked"] * 2

    later = time.monotonic() + AWAY_SECONDS
    monkeypatch.setattr("treadle.cache.storages.sql.database.time.monotonic", lambda: later)
    write()
    other.close()


@pytest.mark.parametrize("in_use", [False, True])
def test_a_colleague_s_file_is_read_where_nothing_may_be_written(
    make_record: MakeRecord, in_use: bool
) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        owner = SqlCalls(folder / "calls.db")
        owner.save(make_record(1))
        if not in_use:
            owner.close()
        for file in folder.iterdir():
            file.chmod(0o444)
        folder.chmod(0o555)
        nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"] if os.geteuid() == 0 else []
        done = subprocess.run(
            [*nobody, sys.executable, "-c", READ_ALL, str(folder / "calls.db")],
            check=False, capture_output=True, text=True, cwd="/",
        )  # fmt: skip
        folder.chmod(0o755)
        owner.close()

    assert done.stdout == "1 attempt to write a readonly database\n", done.stderr


@pytest.mark.parametrize(
    "url", ["sqlite://", "sqlite:///", "sqlite:///:memory:", ":memory:", "sqlite+pysqlite://"]
)
def test_a_database_in_memory_leaves_no_file(
    url: str, tmp_path: Path, make_record: MakeRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    calls, record = SqlCalls(url), make_record()
    calls.save(record)

    assert calls.load(record.key) == record
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("driver", ["", "+psycopg", "+psycopg2"])
def test_postgresql_is_known_whatever_driver_its_url_names(driver: str) -> None:
    assert SqlCalls(f"postgresql{driver}://me:hidden@host/db").database.place == "postgresql://host/db"


def test_a_password_with_an_at_sign_is_not_taken_for_a_host() -> None:
    with pytest.raises(SettingsInvalid, match="Write %40") as caught:
        SqlCalls("postgresql://me:hid@den@host/db")
    assert "den" not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    ["postgresql://me@[host/db", "mysql+pymysql://host/db", "no such://x", "postgresql+asyncpg://host/db"],
)
def test_other_databases_are_refused(url: str) -> None:
    with pytest.raises(SettingsInvalid):
        SqlCalls(url)
