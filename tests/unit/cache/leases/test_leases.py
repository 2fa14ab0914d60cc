"""Leases: one holder at a time, tokens that grow, and an end for those who no longer answer."""

from __future__ import annotations

import itertools
import os
import pickle
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from treadle.cache.keys.digest import Digest
from treadle.cache.leases.memory import MemoryLeases
from treadle.cache.leases.sql import LEASES, SqlLeases
from treadle.cache.storages import mounts
from treadle.cache.storages.ports import Lease, Leases
from treadle.cache.storages.sql.database import Database
from treadle.errors import CacheRefused, CacheUnavailable
from treadle.testing.postgresql import PostgresqlServer

KEY = Digest("01" * 32)
OTHER = Digest("02" * 32)
VALUE = Digest("aa" * 32)
NUMBERS = itertools.count(1)


@dataclass
class Hand:
    """A clock that is set by hand."""

    time: float = 1_000_000.0

    def __call__(self) -> float:
        return self.time


@pytest.fixture
def clock() -> Hand:
    return Hand()


@pytest.fixture(params=["memory", "file", "in memory", "postgresql"])
def leases(request: pytest.FixtureRequest, clock: Hand, tmp_path: Path) -> Iterator[Leases]:
    """Leases of each kind, on a clock set by hand; PostgreSQL's goes as it likes."""
    if request.param == "memory":
        yield MemoryLeases(clock=clock)
        return
    if request.param == "postgresql":
        server: PostgresqlServer = request.getfixturevalue("postgresql")
        name = f"leases_{next(NUMBERS)}"
        with_database = SqlLeases(Database(server.create(name), LEASES))
        yield with_database
        with_database.database.close()
        server.drop(name)
        return
    url = "sqlite://" if request.param == "in memory" else tmp_path / "cache" / "leases.sqlite"
    database = Database(url, LEASES)
    yield SqlLeases(database, clock=clock)
    database.close()


def pass_seconds(leases: Leases, clock: Hand, seconds: float) -> None:
    clock.time += seconds
    if isinstance(leases, SqlLeases) and leases.database.dialect == "postgresql":
        with leases.database.writing() as cursor:
            late = leases.database.statement("UPDATE treadle_leases SET until = until - :seconds")
            cursor.execute(late, {"seconds": seconds})


def take(leases: Leases, key: Digest = KEY, seconds: float = 30) -> Lease:
    lease = leases.acquire(key, seconds=seconds)
    assert lease is not None
    return lease


def test_a_call_has_one_holder(leases: Leases) -> None:
    lease = take(leases)

    assert lease.key == KEY
    assert leases.acquire(KEY, seconds=30) is None
    assert leases.holds(lease)
    assert leases.acquire(OTHER, seconds=30) is not None


def test_tokens_grow_also_after_a_release(leases: Leases) -> None:
    tokens = []
    for _ in range(3):
        lease = take(leases)
        tokens.append(lease.token)
        leases.release(lease)
        assert not leases.holds(lease)

    assert tokens == sorted(set(tokens))


def test_what_is_not_renewed_in_time_is_taken_over(leases: Leases, clock: Hand) -> None:
    late = take(leases)
    pass_seconds(leases, clock, 29)
    assert leases.acquire(KEY, seconds=30) is None

    pass_seconds(leases, clock, 2)
    successor = take(leases)

    assert successor.token > late.token
    assert not leases.holds(late)
    assert leases.renew([late, successor], seconds=30) == {KEY}
    leases.release(late)
    assert leases.holds(successor)


def test_who_was_late_keeps_what_nobody_took(leases: Leases, clock: Hand) -> None:
    lease = take(leases)
    pass_seconds(leases, clock, 100)

    assert leases.holds(lease)
    assert leases.renew([lease], seconds=30) == {KEY}
    assert leases.acquire(KEY, seconds=30) is None


def test_renewal_prolongs_from_now_on(leases: Leases, clock: Hand) -> None:
    first, second = take(leases), take(leases, OTHER)
    pass_seconds(leases, clock, 20)

    assert leases.renew([first], seconds=30) == {KEY}
    pass_seconds(leases, clock, 20)

    assert leases.acquire(KEY, seconds=30) is None
    assert take(leases, OTHER).token > second.token


def test_calls_that_run_keep_their_values(leases: Leases, clock: Hand) -> None:
    lease = leases.acquire(KEY, seconds=30, keeping=[VALUE, OTHER])
    assert lease is not None
    assert leases.kept() == {VALUE, OTHER}

    leases.renew([lease], seconds=30)
    assert leases.kept() == {VALUE, OTHER}
    pass_seconds(leases, clock, 31)
    assert leases.kept() == set()

    leases.release(lease)
    assert leases.kept() == set()


def test_one_of_many_threads_gets_the_lease(leases: Leases) -> None:
    with ThreadPoolExecutor(16) as pool:
        found = list(pool.map(lambda _: leases.acquire(KEY, seconds=30), range(64)))

    assert sum(lease is not None for lease in found) == 1


def test_a_clock_that_was_set_back_blocks_nobody(tmp_path: Path, clock: Hand) -> None:
    leases = SqlLeases(Database(tmp_path / "leases.sqlite", LEASES), clock=clock)
    before = take(leases)
    clock.time -= 0.5
    assert leases.acquire(KEY, seconds=30) is None

    clock.time -= 3600
    after = take(leases)

    assert after.token > before.token
    assert not leases.holds(before)
    leases.database.close()


def test_processes_share_leases_by_the_file(tmp_path: Path) -> None:
    file = tmp_path / "leases.sqlite"
    leases = SqlLeases.at(file)
    lease = take(leases)
    again = pickle.loads(pickle.dumps(leases))  # noqa: S301  (written just now)

    assert again.acquire(KEY, seconds=30) is None
    assert again.holds(lease)
    for opened in (leases, again):
        opened.database.close()


def test_a_lease_of_a_database_that_was_thrown_away_is_lost(tmp_path: Path) -> None:
    file = tmp_path / "leases.sqlite"
    leases = SqlLeases.at(file)
    before = take(leases)
    leases.database.close()
    for part in tmp_path.iterdir():
        part.unlink()

    other = take(leases, OTHER)

    assert other.token == before.token
    assert not leases.holds(before)
    leases.release(before)
    assert leases.renew([before, other], seconds=30) == {OTHER}
    leases.database.close()


@pytest.mark.parametrize("kind", ["memory", "file"])
def test_a_fork_does_not_hang_on_what_its_parent_held(tmp_path: Path, kind: str) -> None:
    leases = MemoryLeases() if kind == "memory" else SqlLeases.at(tmp_path / "leases.sqlite")
    take(leases)

    child = os.fork()
    if child == 0:
        taken = leases.acquire(KEY, seconds=30)
        os._exit(0 if (taken is not None) == (kind == "memory") else 1)
    _, status = os.waitpid(child, 0)

    assert os.waitstatus_to_exitcode(status) == 0
    if isinstance(leases, SqlLeases):
        leases.database.close()


def test_machines_cannot_wait_for_each_other_on_a_network_file_system(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = tmp_path / "mounts"
    table.write_text(f"/dev/sda1 / ext4 rw 0 0\nserver:/export {tmp_path} nfs4 rw 0 0\n")
    monkeypatch.setattr(mounts, "MOUNTS", table)
    leases = SqlLeases.at(tmp_path / "leases.sqlite")
    lease = take(leases)
    assert leases.acquire(KEY, seconds=30) is None
    with leases.database.writing() as cursor:
        cursor.execute("UPDATE treadle_leases SET host = 'elsewhere', until = 0")
        cursor.execute("PRAGMA journal_mode")
        assert cursor.fetchone() == ("delete",)

    with pytest.raises(CacheRefused, match="PostgreSQL"):
        leases.acquire(KEY, seconds=30)

    assert leases.holds(lease)
    leases.database.close()


def test_a_folder_that_cannot_be_written_is_told_of(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    leases = SqlLeases.at(tmp_path / "file" / "leases.sqlite")

    with pytest.raises(CacheUnavailable, match=r"leases\.sqlite"):
        leases.acquire(KEY, seconds=30)
