"""Upkeep of the database itself: giving back what deleted rows took, and the statistics of its planner."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Engine, func, select

from treadle.ledger.tables import metadata


@dataclass(frozen=True, slots=True)
class Compaction:
    """How large the database was and is, in bytes."""

    before_bytes: int
    after_bytes: int


def compact(engine: Engine, *, in_use: bool) -> Compaction:
    """Give back the space of deleted rows and refresh the statistics by which queries are planned.

    Args:
        engine: The database.
        in_use: Somebody writes to it again and again. SQLite's file is then not written anew, as nobody else
            could write meanwhile; PostgreSQL does its work beside others.
    """
    if engine.dialect.name == "sqlite":
        return _compact_sqlite(engine, in_use=in_use)
    return _compact_postgresql(engine)


def _compact_sqlite(engine: Engine, *, in_use: bool) -> Compaction:
    connection = engine.raw_connection()
    try:
        cursor = connection.cursor()

        def ask(pragma: str) -> int:
            cursor.execute(f"PRAGMA {pragma}")
            [value] = cursor.fetchone() or (0,)
            return int(value)

        cursor.execute("PRAGMA query_only = OFF")
        page_bytes, before, free = ask("page_size"), ask("page_count"), ask("freelist_count")
        if free and not in_use:
            cursor.execute("VACUUM")
        cursor.execute("ANALYZE")
        if not in_use:
            cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return Compaction(before * page_bytes, ask("page_count") * page_bytes)
    finally:
        connection.close()


def _compact_postgresql(engine: Engine) -> Compaction:
    size = select(func.pg_database_size(func.current_database()))
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        before = connection.scalars(size).one()
        quote = engine.dialect.identifier_preparer.quote
        for table in metadata.sorted_tables:
            connection.exec_driver_sql(f"VACUUM (ANALYZE) {quote(table.name)}")
        return Compaction(before, connection.scalars(size).one())
