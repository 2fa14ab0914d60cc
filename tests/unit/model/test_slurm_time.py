from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from treadle.errors import WorkflowInvalid
from treadle.model.resources import resources_from_meta
from treadle.model.slurm_time import limit_seconds, limit_text


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("30", 1800),
        ("1:30", 90),
        ("02:00:01", 7201),
        ("1-0", 86_400),
        ("1-01:30", 91_800),
        ("2-01:00:05", 176_405),
        ("0", None),
        ("00:00:00", None),
        ("UNLIMITED", None),
        ("infinite", None),
    ],
)
def test_every_form_that_slurm_takes_is_read(text: str, seconds: int | None) -> None:
    assert limit_seconds(text) == seconds


@pytest.mark.parametrize("text", ["", "2h", "1-", "1:2:3:4", "-5", "1.5"])
def test_other_texts_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="as SLURM takes it"):
        limit_seconds(text)


def test_a_step_with_a_time_that_slurm_would_refuse_is_not_planned() -> None:
    assert resources_from_meta({"time": 5}, {}).timeout_seconds == 300
    assert resources_from_meta({}, {}).timeout_seconds is None
    with pytest.raises(WorkflowInvalid, match="time: must be a time limit"):
        resources_from_meta({"time": "two hours"}, {})


@given(st.integers(1, 10**7))
def test_a_limit_that_is_written_is_read_again(seconds: int) -> None:
    assert limit_seconds(limit_text(seconds)) == seconds
    assert limit_seconds(limit_text(seconds - 0.5)) == seconds


def test_a_limit_is_written_as_days_hours_minutes_and_seconds() -> None:
    assert limit_text(176_405) == "2-01:00:05"
