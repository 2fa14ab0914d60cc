"""A ledger on PostgreSQL: making it, and what can be wrong with the server or its database."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from psycopg import sql

from treadle.errors import LedgerError, SchemaTooNew, StorageFull
from treadle.ledger import Ledger, migrations, people, workflows
from treadle.ledger.tables import metadata
from treadle.model.workflow import Workflow
from treadle.testing.postgresql import PostgresqlServer

NUMBERS = itertools.count(1)

OPEN_AND_ASK = """
from treadle.ledger import Ledger, people

def go(url, number):
    with Ledger(url) as ledger, ledger.reading() as tx:
        print(people.default_project(tx))
"""


@pytest.fixture
def database() -> str:
    """Name of a database that does not exist yet."""
    return f"site_{next(NUMBERS)}"


@pytest.fixture
def empty(postgresql: PostgresqlServer, database: str) -> str:
    """URL of an empty database."""
    return postgresql.create(database)


def refused(url: str) -> LedgerError:
    with pytest.raises(LedgerError, match="cannot be reached, or does not let Treadle in") as caught:
        Ledger(url)
    assert "TREADLE_LEDGER_URL" in caught.value.remedy
    return caught.value


def test_the_migrations_make_the_schema_that_the_queries_know(empty: str) -> None:
    with Ledger(empty) as ledger, ledger.reading() as tx:
        assert (people.local_user(tx), people.default_project(tx)) == (1, 1)
        context = MigrationContext.configure(
            tx, opts={"version_table": migrations.VERSION_TABLE, "compare_type": True}
        )
        assert compare_metadata(context, metadata) == []


def test_several_processes_open_an_empty_database_at_once(empty: str, race: Callable[..., list[str]]) -> None:
    assert race(OPEN_AND_ASK, empty, processes=3) == ["1\n"] * 3


def test_a_database_of_another_program_is_refused_and_kept(
    postgresql: PostgresqlServer, empty: str, database: str
) -> None:
    postgresql.execute(sql.SQL("CREATE TABLE flow_run (id text)"), database=database)
    with pytest.raises(LedgerError, match="another program"):
        Ledger(empty)
    postgresql.execute(sql.SQL("DROP TABLE flow_run"), database=database)
    with Ledger(empty) as ledger, ledger.reading() as tx:
        assert people.default_project(tx) == 1


def test_a_ledger_of_a_newer_treadle_is_refused(
    postgresql: PostgresqlServer, empty: str, database: str
) -> None:
    Ledger(empty).close()
    postgresql.execute(sql.SQL("UPDATE ledger_version SET version_num = '9999'"), database=database)
    with pytest.raises(SchemaTooNew, match="9999") as caught:
        Ledger(empty)
    assert postgresql.password not in str(caught.value)


def test_a_wrong_password_is_refused_and_never_shown(postgresql: PostgresqlServer, empty: str) -> None:
    error = refused(empty.replace(postgresql.password, "hunter2"))
    assert "password authentication failed" in error.detail
    assert "hunter2" not in str(error) + error.detail
    assert "treadle:***@" in error.what


def test_a_database_that_is_missing_is_named(postgresql: PostgresqlServer, database: str) -> None:
    assert f'database "{database}" does not exist' in refused(postgresql.url(database)).detail


@pytest.mark.parametrize("place", ["127.0.0.1:1/ledger", "/ledger?host=/nowhere"])
def test_a_server_that_is_away_is_named(place: str) -> None:
    error = refused(f"postgresql+psycopg://ana:hunter2@{place}")
    assert "ana:***@" in error.what
    assert "hunter2" not in str(error) + error.detail


def test_a_connection_that_the_server_ended_fails_its_transaction_and_no_later_one(
    postgresql: PostgresqlServer, empty: str, database: str
) -> None:
    end_all = sql.SQL("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = {}").format(
        sql.Literal(database)
    )

    def write_while_it_ends() -> None:
        with ledger.writing() as tx:
            workflows.save_workflow(tx, Workflow(name="half"), replace=False)
            postgresql.execute(end_all)
            workflows.save_workflow(tx, Workflow(name="lost"), replace=False)

    with Ledger(empty) as ledger:
        with pytest.raises(LedgerError, match="cannot be reached"):
            write_while_it_ends()
        with ledger.writing() as tx:
            workflows.save_workflow(tx, Workflow(name="kept"), replace=False)
        postgresql.execute(end_all)
        with ledger.reading() as tx:
            assert [entry.name for entry in workflows.list_workflows(tx)] == ["kept"]


def test_a_user_without_rights_is_told_that_nothing_may_be_written(
    postgresql: PostgresqlServer, empty: str, database: str
) -> None:
    Ledger(empty).close()
    guest = sql.Identifier(f"guest_of_{database}")
    postgresql.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD 'guest'").format(guest))
    postgresql.execute(
        sql.SQL("GRANT SELECT ON ALL TABLES IN SCHEMA public TO {}").format(guest), database=database
    )
    url = empty.replace(f"treadle:{postgresql.password}", f"guest_of_{database}:guest")
    with (
        Ledger(url) as ledger,
        pytest.raises(StorageFull, match="may not be written"),
        ledger.writing() as tx,
    ):
        workflows.save_workflow(tx, Workflow(name="lost"), replace=False)


def test_a_url_that_names_no_driver_takes_the_one_that_comes_with_treadle(empty: str) -> None:
    with Ledger(empty.replace("postgresql+psycopg:", "postgresql:")) as ledger, ledger.reading() as tx:
        assert people.default_project(tx) == 1
