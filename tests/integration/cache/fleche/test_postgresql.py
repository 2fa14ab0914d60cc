"""fleche's calls in PostgreSQL, read by connections that cannot write."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import sqlalchemy as sa
from fleche.call import DigestedCall
from fleche.digest import Digest as OldDigest
from fleche.storage.sql import Sql

from treadle.cache.fleche.engines import has_tables, reading_engine
from treadle.cache.fleche.sql import SqlOldCalls
from treadle.cache.keys.digest import Digest
from treadle.errors import CacheUnavailable
from treadle.testing.postgresql import PostgresqlServer

pytestmark = pytest.mark.integration

VALUE = "a" * 64


@pytest.fixture
def url(postgresql: PostgresqlServer) -> Iterator[str]:
    yield postgresql.create("fleche_calls")
    postgresql.drop("fleche_calls")


def test_records_are_read_and_nothing_is_written(url: str) -> None:
    assert not has_tables(url)
    written = Sql(url)
    call = DigestedCall("f", {"x": OldDigest(VALUE)}, OldDigest(VALUE), {"tags": {"a": [1]}}, "m", "2")
    key = Digest(written.save(call))
    written.engine.dispose()

    calls = SqlOldCalls(url.replace("+psycopg", ""))
    [found] = calls.find(name="f", module="m")

    assert has_tables(url)
    assert (found.key, found.version, found.result, found.metadata) == (key, "2", VALUE, {"tags": {"a": [1]}})
    assert calls.load(key) == found
    engine = reading_engine(url)
    with engine.connect() as connection, pytest.raises(sa.exc.InternalError, match="read-only"):
        connection.execute(sa.text("DELETE FROM arguments"))
    engine.dispose()
    calls.close()


def test_a_server_that_does_not_answer_is_unavailable() -> None:
    with pytest.raises(CacheUnavailable, match="cannot be read"):
        SqlOldCalls("postgresql+psycopg://nobody@127.0.0.1:1/none").load(Digest(VALUE))
