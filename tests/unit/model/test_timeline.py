"""Runs over time, in few bars."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from treadle.model.durations import duration_text, ticks
from treadle.model.states import StepState, UnitState
from treadle.model.timeline import (
    MOST_WORKERS,
    SLICES,
    Bar,
    JobSpan,
    Row,
    Span,
    StepSpan,
    UnitSpan,
    make_timeline,
)

BEGIN = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)
HOUR = Span(BEGIN, BEGIN + timedelta(hours=1))


def at(seconds: float) -> datetime:
    return BEGIN + timedelta(seconds=seconds)


def unit(
    begin: float, seconds: float, *, position: int = 0, worker: str = "w", state: UnitState = UnitState.DONE
) -> UnitSpan:
    return UnitSpan(position, worker, state, at(begin), seconds)


def bars(row: Row, kind: str) -> list[Bar]:
    return [bar for bar in row.bars if bar.kind == kind]


def test_a_row_has_the_frame_of_its_step_and_the_work_of_its_units() -> None:
    step = StepSpan(0, "mark", StepState.DONE, at(600), at(1800))

    timeline = make_timeline("t", HOUR, [step], [unit(600, 300), unit(1500, 300)])

    [row] = timeline.steps
    [frame] = bars(row, "step")
    assert (row.name, frame.begin, frame.end) == ("mark", 600, 1800)
    first, second = bars(row, "done")
    slice_seconds = 3600 / SLICES
    assert first.begin == pytest.approx(600, abs=slice_seconds)
    assert first.end == pytest.approx(900, abs=2 * slice_seconds)
    assert second.begin == pytest.approx(1500, abs=slice_seconds)
    assert (first.text, second.text) == ("1 unit done", "1 unit done")


def test_units_that_follow_one_another_are_one_bar_that_counts_them() -> None:
    timeline = make_timeline("t", HOUR, [], [unit(number, 1) for number in range(1000)])

    [bar] = timeline.workers[0].bars
    assert bar.text == "1000 units done"


def test_a_failure_among_many_units_is_a_bar_of_its_own() -> None:
    many = [unit(number, 1) for number in range(1000)]

    timeline = make_timeline("t", HOUR, [], [*many, unit(500, 1, state=UnitState.FAILED)])

    [failed] = bars(timeline.workers[0], "failed")
    assert failed.begin <= 500 <= failed.end
    assert timeline.workers[0].bars[-1] is failed, "what failed is drawn last"


def test_a_step_that_runs_goes_on_to_the_end_and_one_that_has_not_begun_has_no_bar() -> None:
    running = StepSpan(0, "a", StepState.RUNNING, at(60), None)
    planned = StepSpan(1, "b", StepState.PLANNED, None, None)

    first, second = make_timeline("t", HOUR, [running, planned], []).steps

    assert bars(first, "step")[0].end == 3600
    assert second.bars == []


def test_jobs_show_their_wait_and_their_time_under_their_own_name() -> None:
    jobs = [
        JobSpan("treadle-1", "job 17 on n1", at(0), at(120), at(3000)),
        JobSpan("treadle-2", "job 18", at(60), None, None),
    ]

    timeline = make_timeline("t", HOUR, [], [unit(130, 10, worker="treadle-1")], jobs)

    ran, waits = timeline.workers
    assert (ran.name, waits.name) == ("job 17 on n1", "job 18")
    assert [(bar.begin, bar.end) for bar in bars(ran, "queued") + bars(ran, "job")] == [(0, 120), (120, 3000)]
    assert [(bar.begin, bar.end) for bar in waits.bars] == [(60, 3600)]


def test_workers_beyond_the_first_forty_share_a_row() -> None:
    units = [unit(number * 10, 5, worker=f"w{number:03}") for number in range(MOST_WORKERS + 7)]

    timeline = make_timeline("t", HOUR, [], units)

    assert len(timeline.workers) == MOST_WORKERS + 1
    assert timeline.workers[-1].name == "7 more"
    assert sum(int(bar.text.split()[0]) for bar in timeline.workers[-1].bars) == 7


def test_a_hundred_thousand_units_give_few_bars() -> None:
    units = (
        unit(number * 0.036, 0.02, worker=f"w{number % 90}", position=number % 3) for number in range(100_000)
    )
    steps = [StepSpan(place, str(place), StepState.DONE, at(0), at(3600)) for place in range(3)]

    timeline = make_timeline("t", HOUR, steps, units)

    assert sum(len(row.bars) for row in (*timeline.steps, *timeline.workers)) < 50 * SLICES
    assert sum(int(bar.text.split()[0]) for row in timeline.workers for bar in row.bars) == 100_000


@given(st.lists(st.tuples(st.floats(-100, 4000), st.floats(0, 5000)), max_size=30))
def test_every_unit_is_counted_once_and_no_bar_leaves_the_picture(spans: list[tuple[float, float]]) -> None:
    timeline = make_timeline("t", HOUR, [], [unit(begin, seconds) for begin, seconds in spans])

    found = [bar for row in timeline.workers for bar in row.bars]
    assert sum(int(bar.text.split()[0]) for bar in found) == len(spans)
    assert all(0 <= bar.begin < bar.end <= 3600 * (1 + 1e-9) for bar in found)


def test_a_run_of_no_length_can_be_drawn() -> None:
    timeline = make_timeline("t", Span(BEGIN, BEGIN), [], [unit(0, 0)])
    assert len(timeline.workers[0].bars) == 1


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (0.0123, "12.3 ms"),
        (1.5, "1.5 s"),
        (90, "1.5 min"),
        (5400, "1.5 h"),
        (86_400 * 12, "12 d"),
        (0.00002, "0.02 ms"),
    ],
)
def test_times_are_told_in_their_largest_unit(seconds: float, text: str) -> None:
    assert duration_text(seconds) == text


@pytest.mark.parametrize("seconds", [0.004, 0.7, 3, 59, 61, 3599, 7200, 100_000, 10_000_000, 1e9])
def test_an_axis_has_a_handful_of_marks_from_the_begin_on(seconds: float) -> None:
    marks = ticks(seconds, 9)

    assert marks[0] == 0
    assert 2 <= len(marks) <= 10
    assert marks[-1] <= seconds * (1 + 1e-9)


def test_an_axis_of_minutes_has_marks_at_whole_minutes() -> None:
    assert ticks(3600, 9) == [600.0 * number for number in range(7)]
