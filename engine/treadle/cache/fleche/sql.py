"""fleche's tables of calls, in SQLite or any other database, by connections that only read."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa

from treadle.cache.fleche.engines import reading_engine
from treadle.cache.fleche.files import as_digest
from treadle.cache.fleche.records import OldCall, OldDigest, ended_at
from treadle.cache.keys.digest import Digest
from treadle.errors import CacheUnavailable, NotCached

_PAGE = 500
_LISTED = 16

_TABLES = sa.MetaData()
_CALLS = sa.Table(
    "calls",
    _TABLES,
    sa.Column("key", sa.String, primary_key=True),
    *(sa.Column(name, sa.String) for name in ("name", "module", "version", "code_digest", "result")),
)
_ARGUMENTS = sa.Table(
    "arguments",
    _TABLES,
    sa.Column("call_key", sa.String),
    sa.Column("position", sa.Integer),
    sa.Column("name", sa.String),
    sa.Column("value", sa.String),
)
_METADATA = sa.Table(
    "metadata",
    _TABLES,
    sa.Column("call_key", sa.String),
    sa.Column("name", sa.String),
    sa.Column("data", sa.JSON),
)


class SqlOldCalls:
    """Records in a database.

    Args:
        url: As fleche's configuration has it: a path, or any URL of SQLAlchemy's.
    """

    def __init__(self, url: str) -> None:
        self._engine = reading_engine(url)

    def load(self, key: Digest) -> OldCall:
        """Return a record."""
        with self._reading() as connection:
            rows = connection.execute(_CALLS.select().where(_CALLS.c.key == key)).all()
            found = self._records(connection, rows)
        if not found:
            raise NotCached(f"There is no record {key} in {self._engine.url}.")
        return found[0]

    def find(self, *, name: str | None = None, module: str | None = None) -> Iterator[OldCall]:
        """Yield the records of a function, or of a module, page by page."""
        wanted = _CALLS.select().order_by(_CALLS.c.key).limit(_PAGE)
        if name is not None:
            wanted = wanted.where(_CALLS.c.name == name)
        if module is not None:
            wanted = wanted.where(_CALLS.c.module == module)
        last = ""
        while True:
            with self._reading() as connection:
                rows = connection.execute(wanted.where(_CALLS.c.key > last)).all()
                found = self._records(connection, rows)
            yield from found
            if len(rows) < _PAGE:
                return
            last = rows[-1].key

    def starting_with(self, prefix: str) -> list[Digest]:
        """Return keys that begin so."""
        wanted = sa.select(_CALLS.c.key).where(_CALLS.c.key.startswith(prefix, autoescape=True))
        with self._reading() as connection:
            return [Digest(key) for key in connection.scalars(wanted.order_by(_CALLS.c.key).limit(_LISTED))]

    def close(self) -> None:
        """Close the connections that are kept open."""
        self._engine.dispose()

    def _records(self, connection: sa.Connection, rows: Sequence[sa.Row[Any]]) -> list[OldCall]:
        keys = [row.key for row in rows]
        arguments: dict[str, dict[str, OldDigest]] = {key: {} for key in keys}
        metadata: dict[str, dict[str, Any]] = {key: {} for key in keys}
        of_calls = _ARGUMENTS.select().where(_ARGUMENTS.c.call_key.in_(keys)).order_by(_ARGUMENTS.c.position)
        for row in connection.execute(of_calls):
            arguments[row.call_key][row.name] = OldDigest(row.value)
        for row in connection.execute(_METADATA.select().where(_METADATA.c.call_key.in_(keys))):
            metadata[row.call_key][row.name] = row.data or {}
        return [_record(row, arguments[row.key], metadata[row.key]) for row in rows if as_digest(row.key)]

    @contextmanager
    def _reading(self) -> Iterator[sa.Connection]:
        try:
            with self._engine.connect() as connection:
                yield connection
        except sa.exc.SQLAlchemyError as error:
            raise CacheUnavailable(
                f"fleche's calls in {self._engine.url} cannot be read.", detail=str(error)
            ) from error


def _record(row: sa.Row[Any], arguments: dict[str, OldDigest], metadata: dict[str, Any]) -> OldCall:
    return OldCall(
        key=Digest(row.key),
        name=row.name,
        module=row.module,
        version=None if row.version is None else json.loads(row.version),
        code=None if row.code_digest is None else OldDigest(row.code_digest),
        arguments=arguments,
        result=None if row.result is None else OldDigest(row.result),
        metadata=metadata,
        saved=ended_at(metadata),
    )
