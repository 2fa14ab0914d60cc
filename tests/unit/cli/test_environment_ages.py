from __future__ import annotations

from datetime import timedelta

import pytest

from treadle.cli.environments import parse_age
from treadle.errors import UsageError


def test_ages_are_days_hours_or_minutes() -> None:
    assert parse_age("30d") == timedelta(days=30)
    assert parse_age(" 12h ") == timedelta(hours=12)
    assert parse_age("0m") == timedelta(0)


@pytest.mark.parametrize("text", ["", "30", "d", "-1d", "1w", "1.5h"])
def test_what_is_no_age_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is no duration"):
        parse_age(text)
