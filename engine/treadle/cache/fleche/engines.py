"""Connections to databases of fleche's, which can only read and create nothing beside them."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.pool import NullPool

from treadle.cache.fleche.sqlite import read_sqlite
from treadle.errors import CacheUnavailable

_POSTGRESQL = "postgresql+psycopg"


def reading_engine(url: str) -> sa.Engine:
    """Open a database for reading.

    Args:
        url: A path, or a URL of SQLAlchemy's.

    Raises:
        CacheUnavailable: Its driver is not installed, or it is no URL.
    """
    parsed = _parsed(url)
    if parsed.get_backend_name() == "sqlite":
        if parsed.database in {None, "", ":memory:"}:
            raise CacheUnavailable("A database in memory has ended with the process that wrote it.")
        file = Path(str(parsed.database)).expanduser()
        return sa.create_engine("sqlite://", creator=lambda: read_sqlite(file), poolclass=NullPool)
    try:
        engine = sa.create_engine(parsed)
    except (ImportError, sa.exc.ArgumentError) as error:
        raise CacheUnavailable(f"fleche's calls in {parsed} cannot be read: {error}.") from error
    return (
        engine.execution_options(postgresql_readonly=True) if engine.dialect.name == "postgresql" else engine
    )


def has_tables(url: str) -> bool:
    """Whether a database is there and has fleche's tables; nothing is created.

    Raises:
        CacheUnavailable: It does not answer.
    """
    parsed = _parsed(url)
    if parsed.get_backend_name() == "sqlite" and not Path(parsed.database or "").expanduser().is_file():
        return False
    engine = reading_engine(url)
    try:
        return {"calls", "arguments", "metadata"} <= set(sa.inspect(engine).get_table_names())
    except sa.exc.SQLAlchemyError as error:
        raise CacheUnavailable(f"The database {parsed} cannot be read.", detail=str(error)) from error
    finally:
        engine.dispose()


def _parsed(url: str) -> sa.URL:
    """Return a URL; PostgreSQL is read by the driver that the cache has, whichever fleche was told to use."""
    parsed = sa.make_url(url if "://" in url else f"sqlite:///{Path(url).expanduser().absolute()}")
    return parsed.set(drivername=_POSTGRESQL) if parsed.get_backend_name().startswith("postgres") else parsed
