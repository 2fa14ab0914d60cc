"""Schedules as people write them, and as Prefect has them."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from prefect.client.schemas.objects import DeploymentSchedule

from treadle.errors import UsageError
from treadle.runs.deployments.schedules import Schedule, with_slugs

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    "schedule",
    [
        Schedule(cron="17 3 * * 1-5", timezone="Europe/Zurich", slug="nights"),
        Schedule(every="1d2h3m4s", anchor=NOON, slug="often", parameters={"dataset": "plate"}),
        Schedule(
            rrule="DTSTART:20260105T070000\nRRULE:FREQ=WEEKLY;BYDAY=MO",
            timezone="America/New_York",
            slug="weekly",
            active=False,
        ),
    ],
)
def test_a_schedule_comes_back_from_prefect_as_it_went_there(schedule: Schedule) -> None:
    (named,) = with_slugs([schedule])
    made = named.for_prefect()

    there = DeploymentSchedule(
        schedule=made.schedule, active=made.active, parameters=made.parameters, slug=made.slug
    )

    assert Schedule.from_prefect(there) == schedule


def test_schedules_without_a_slug_get_one_of_their_own() -> None:
    daily = Schedule(cron="0 3 * * *")

    slugs = [
        schedule.slug for schedule in with_slugs([daily, Schedule(cron="0 3 * * *", slug="mine"), daily])
    ]

    assert slugs == ["cron-0-3-x-x-x", "mine", "cron-0-3-x-x-x-2"]


def test_one_slug_for_two_schedules_is_refused() -> None:
    with pytest.raises(UsageError, match="called 'a'"):
        with_slugs([Schedule(every="1h", slug="a"), Schedule(every="2h", slug="a")])


@pytest.mark.parametrize(
    ("schedule", "said"),
    [
        (Schedule(cron="0 25 * * *"), "schedule 'cron 0 25 [*] [*] [*]' cannot be read"),
        (Schedule(cron="* * * * * *"), "it needs five fields"),
        (Schedule(every="soon"), "schedule 'every soon' cannot be read: it is no duration"),
        (Schedule(every="0h"), "it is no duration"),
        (Schedule(rrule="FREQ=SOMETIMES"), "schedule 'rrule FREQ=SOMETIMES' cannot be read"),
        (Schedule(cron="0 3 * * *", timezone="Mars/Olympus"), "no time zone 'Mars/Olympus'"),
        (Schedule(every="1h", timezone="Mars/Olympus"), "no time zone 'Mars/Olympus'"),
        (Schedule(rrule="FREQ=DAILY", timezone="Mars/Olympus"), "no time zone 'Mars/Olympus'"),
        (Schedule(cron="0 3 * * *", every="1h"), "one rule, not 2: cron, every"),
        (Schedule(), "one rule, not 0"),
    ],
)
def test_what_cannot_be_read_is_refused_in_one_sentence(schedule: Schedule, said: str) -> None:
    with pytest.raises(UsageError, match=said) as caught:
        schedule.for_prefect()

    assert caught.value.remedy
    assert "\n" not in caught.value.what


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ("0 3 * * *", "must be an object"),
        ({"corn": "0 3 * * *"}, "corn"),
        ({"cron": 3}, "cron"),
        ({"every": "1h", "active": "yes"}, "active"),
    ],
)
def test_a_json_of_another_form_is_refused(data: object, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        Schedule.from_json(data)


def test_a_json_of_its_form_is_read() -> None:
    given = {"rrule": "FREQ=DAILY", "parameters": {"steps": {"a": {"b": 1}}}, "active": False}

    assert Schedule.from_json(given) == Schedule(
        rrule="FREQ=DAILY", parameters={"steps": {"a": {"b": 1}}}, active=False
    )


def test_the_schedule_of_the_pages_is_one() -> None:
    example = Path(__file__).parents[3] / "docs" / "examples" / "schedule.json"

    assert Schedule.from_json(json.loads(example.read_text())).for_prefect().slug == "mondays"
