"""Column types of the ledger: what SQLite and PostgreSQL would otherwise give back differently."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from enum import StrEnum
from typing import TypeVar

from sqlalchemy import DateTime, Dialect, Enum, Text
from sqlalchemy.types import TypeDecorator

E = TypeVar("E", bound=StrEnum)
J = TypeVar("J")

_encode = json.JSONEncoder(separators=(",", ":")).encode
_decode = json.JSONDecoder().raw_decode


def now() -> datetime:
    """The present time, aware and in UTC, as every time in the ledger is."""
    return datetime.now(UTC)


class UtcDateTime(TypeDecorator[datetime]):
    """An aware time in UTC, also where the database keeps no time zone."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, _: Dialect) -> datetime | None:
        """Refuse a naive time; move an aware one to UTC."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"a time without a time zone cannot be stored: {value.isoformat()}")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, _: Dialect) -> datetime | None:
        """Give the zone back that SQLite dropped."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Json(TypeDecorator[J]):
    """A JSON value as compact text, read back with its key order, and 1.0 distinct from 1.

    SQLite's own JSON type has numeric affinity and PostgreSQL's JSONB sorts keys, so neither keeps
    a value as it was. Escaped to ASCII, so that every string JSON allows can be stored. None is NULL.
    """

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: J | None, _: Dialect) -> str | None:
        """Write compactly."""
        return None if value is None else _encode(value)

    def process_result_value(self, value: str | None, _: Dialect) -> J | None:
        """Read what was written."""
        return None if value is None else _decode(value)[0]


class ProgramText(TypeDecorator[str]):
    """Text that another program wrote: a character that no database takes becomes a question mark."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, _: Dialect) -> str | None:
        """Replace NUL (PostgreSQL refuses it) and lone surrogates (no UTF-8 has them)."""
        if value is None:
            return None
        return value.replace("\0", "?").encode("utf-8", "replace").decode("utf-8")


def state_type(states: type[E]) -> Enum:
    """A column type that stores a state by its value, as text that any client can read."""
    return Enum(states, native_enum=False, length=32, values_callable=lambda kind: [s.value for s in kind])


def choice_type(choices: tuple[str, ...]) -> Enum:
    """A column type for one of a few words, as text."""
    return Enum(*choices, native_enum=False, length=32)
