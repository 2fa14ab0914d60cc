"""fleche's databases are read as they are found, and nothing is left beside them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fleche.call import DigestedCall
from fleche.digest import Digest as OldDigest
from fleche.storage.sql import Sql

from treadle.cache.fleche.engines import has_tables
from treadle.cache.fleche.sql import SqlOldCalls
from treadle.cache.keys.digest import Digest
from treadle.errors import CacheUnavailable, NotCached

DIGESTS = [Digest(f"{number:064x}") for number in range(700)]


@pytest.fixture
def written(tmp_path: Path) -> Iterator[Sql]:
    calls = Sql(str(tmp_path / "calls.db"))
    yield calls
    calls.engine.dispose()


def _record(number: int, **fields: Any) -> DigestedCall:
    digests = [OldDigest(DIGESTS[number]), OldDigest(DIGESTS[0])]
    return DigestedCall(f"f{number % 2}", {"z": digests[0], "a": digests[1]}, digests[0], **fields)


def test_a_record_is_read_whole(written: Sql, tmp_path: Path) -> None:
    key = Digest(written.save(_record(1, module="m", version=3, metadata={"tags": {"project": ["x", None]}})))

    found = SqlOldCalls(str(tmp_path / "calls.db")).load(key)

    assert (found.key, found.name, found.module, found.version, found.code) == (key, "f1", "m", 3, None)
    assert list(found.arguments.items()) == [("z", DIGESTS[1]), ("a", DIGESTS[0])]
    assert found.result == DIGESTS[1]
    assert found.metadata == {"tags": {"project": ["x", None]}}


@pytest.mark.parametrize("version", ["3", 3, None])
def test_versions_keep_their_type(written: Sql, tmp_path: Path, version: int | str | None) -> None:
    key = Digest(written.save(_record(1, version=version)))

    assert SqlOldCalls(f"sqlite:///{tmp_path}/calls.db").load(key).version == version


def test_many_records_are_read_page_by_page(written: Sql, tmp_path: Path) -> None:
    with written._session_context():
        keys = {Digest(written.save(_record(number))) for number in range(601)}
    calls = SqlOldCalls(str(tmp_path / "calls.db"))

    assert {call.key for call in calls.find()} == keys
    assert len(list(calls.find(name="f0"))) == 301
    assert len(calls.starting_with("")) == 16
    some = min(keys)
    assert calls.starting_with(some[:20]) == [some]


def test_a_reader_sees_what_a_writer_commits(written: Sql, tmp_path: Path) -> None:
    calls = SqlOldCalls(str(tmp_path / "calls.db"))
    keys = []
    for number in range(3):
        keys.append(Digest(written.save(_record(number))))
        assert {call.key for call in calls.find()} == set(keys)


def test_nothing_is_left_beside_a_database_at_rest(written: Sql, tmp_path: Path) -> None:
    key = Digest(written.save(_record(1)))
    written.engine.dispose()
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}

    calls = SqlOldCalls(str(tmp_path / "calls.db"))
    assert calls.load(key).key == key
    assert has_tables(str(tmp_path / "calls.db"))

    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
    assert list(before) == ["calls.db"]


def test_a_missing_record_is_a_miss(written: Sql, tmp_path: Path) -> None:
    del written
    with pytest.raises(NotCached):
        SqlOldCalls(str(tmp_path / "calls.db")).load(DIGESTS[3])


def test_a_missing_database_is_unavailable_and_not_made(tmp_path: Path) -> None:
    with pytest.raises(CacheUnavailable, match=r"calls\.db|cannot be read"):
        SqlOldCalls(str(tmp_path / "calls.db")).load(DIGESTS[3])

    assert list(tmp_path.iterdir()) == []


def test_a_damaged_database_is_unavailable(written: Sql, tmp_path: Path) -> None:
    written.engine.dispose()
    (tmp_path / "calls.db").write_bytes(b"no database" * 200)

    with pytest.raises(CacheUnavailable):
        list(SqlOldCalls(str(tmp_path / "calls.db")).find())


def test_a_database_in_memory_is_refused() -> None:
    with pytest.raises(CacheUnavailable, match="in memory"):
        SqlOldCalls("sqlite:///:memory:")


def test_a_driver_that_is_not_installed_is_named() -> None:
    with pytest.raises(CacheUnavailable, match="no_such_dialect"):
        SqlOldCalls("no_such_dialect://host/calls")
