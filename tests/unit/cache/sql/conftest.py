from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pydantic import JsonValue

from treadle.cache.keys.digest import Digest
from treadle.cache.records import Argument, CallRecord, Inline, Outcome
from treadle.cache.storages.sql.calls import SqlCalls
from treadle.testing.postgresql import PostgresqlServer

MakeRecord = Callable[..., CallRecord]

_NUMBERS = itertools.count(1)


def _digest(number: int) -> Digest:
    return Digest(f"{number:064x}")


@pytest.fixture
def digest() -> Callable[[int], Digest]:
    return _digest


@pytest.fixture(params=["file", "memory", "postgresql"])
def calls(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SqlCalls]:
    """An empty storage in each kind of database."""
    if request.param == "postgresql":
        server: PostgresqlServer = request.getfixturevalue("postgresql")
        name = f"calls_{next(_NUMBERS)}"
        stored = SqlCalls(server.create(name))
        yield stored
        stored.close()
        server.drop(name)
        return
    stored = SqlCalls("sqlite://" if request.param == "memory" else tmp_path / "cache" / "calls.db")
    yield stored
    stored.close()


@pytest.fixture
def make_record() -> MakeRecord:
    """A record whose key is its number; its arguments are given as numbers by name."""

    def make(
        number: int = 1,
        *,
        name: str = "simulate",
        module: str | None = "physics.water",
        version: int | str | None = "1.0",
        created: float | None = None,
        metadata: dict[str, JsonValue] | None = None,
        result: int = 0,
        **arguments: int,
    ) -> CallRecord:
        return CallRecord(
            key=_digest(number),
            name=name,
            module=module,
            version=version,
            code=None,
            arguments=tuple(Argument(one, _digest(value), Inline(value)) for one, value in arguments.items()),
            result=Inline(result),
            result_key=_digest(result),
            outcome=Outcome.RETURNED,
            created=1000.0 + number if created is None else created,
            metadata=metadata or {},
        )

    return make
