"""Column types: what is read is what was written, on every database."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.dialects import sqlite

from treadle.ledger import Ledger
from treadle.ledger.columns import Json, ProgramText, UtcDateTime
from treadle.ledger.tables import people

DIALECT = sqlite.dialect()
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@given(json_values)
def test_json_keeps_types_and_the_order_of_keys(value) -> None:
    written = Json().process_bind_param(value, DIALECT)
    assert repr(Json().process_result_value(written, DIALECT)) == repr(value)


def test_json_is_compact_and_ascii() -> None:
    assert Json().process_bind_param({"a": [1, "é\x00"]}, DIALECT) == '{"a":[1,"\\u00e9\\u0000"]}'


@given(st.text(alphabet=st.characters()))
def test_text_of_programs_can_always_be_stored(text: str) -> None:
    stored = ProgramText().process_bind_param(text, DIALECT)
    assert stored is not None
    stored.encode()
    assert "\0" not in stored
    assert len(stored) == len(text)


def test_times_come_back_aware_and_in_utc(ledger: Ledger) -> None:
    summer = datetime(2026, 7, 1, 12, 30, 15, 123456, tzinfo=timezone(timedelta(hours=2)))
    with ledger.writing() as tx:
        tx.execute(people.insert().values(name="ada", created_at=summer))
        read = tx.scalar(people.select().with_only_columns(people.c.created_at).where(people.c.name == "ada"))
    assert read == summer
    assert read is not None
    assert read.tzinfo is UTC


def test_a_time_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="without a time zone"):
        UtcDateTime().process_bind_param(datetime(2026, 7, 1), DIALECT)  # noqa: DTZ001 - the point of the test
