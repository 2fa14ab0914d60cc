"""When a deployment starts runs by itself, as people say it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Self

from pydantic import AwareDatetime, Field, StrictBool, ValidationError

from treadle.errors import UsageError
from treadle.model.constrained import JsonObject, Value
from treadle.model.problems import listed, problems_of

if TYPE_CHECKING:
    from prefect.client.schemas.actions import DeploymentScheduleCreate
    from prefect.client.schemas.objects import DeploymentSchedule
    from prefect.client.schemas.schedules import SCHEDULE_TYPES

UTC = "UTC"
KINDS = ("cron", "every", "rrule")
_DURATION = re.compile(r"(?:(\d+)d)?\s*(?:(\d+)h)?\s*(?:(\d+)m(?:in)?)?\s*(?:(\d+)s)?")
_ADVICE = {
    "cron": "Write five fields, such as --cron '0 3 * * *' for each day at three.",
    "every": "Write such as --every 30m, --every 6h or --every 1d12h.",
    "rrule": "Write a rule of iCalendar, such as --rrule 'FREQ=WEEKLY;BYDAY=MO;BYHOUR=7'.",
}


class Schedule(Value):
    """One rule by which a deployment starts runs; exactly one of `cron`, `every` and `rrule` is given.

    Attributes:
        cron: Five fields of cron.
        every: A duration such as "6h" or "1d12h".
        rrule: A recurrence rule of iCalendar (RFC 5545).
        anchor: When the count of `every` begins; None for now.
        timezone: Name of the time zone in which the rule is read, such as "Europe/Zurich".
        slug: Name of the schedule, unique in its deployment; empty: made of the rule.
        parameters: Parameters of its runs that differ from the deployment's.
        active: Whether it starts runs now.
    """

    cron: str = ""
    every: str = ""
    anchor: AwareDatetime | None = None
    rrule: str = ""
    timezone: str = UTC
    slug: str = ""
    parameters: JsonObject = Field(default_factory=dict)
    active: StrictBool = True

    @classmethod
    def from_json(cls, data: object) -> Self:
        """Read a schedule from a JSON object with this class's attributes as keys.

        Raises:
            UsageError: It is not of that form.
        """
        try:
            return cls.model_validate(data)
        except ValidationError as error:
            raise UsageError(
                listed("The schedule is not valid", problems_of(error)),
                remedy=f"It has {', '.join(cls.model_fields)}.",
            ) from error

    @classmethod
    def from_prefect(cls, schedule: DeploymentSchedule) -> Self:
        """Return a schedule as Prefect has it."""
        rule = schedule.schedule.model_dump()
        return cls(
            cron=rule.get("cron", ""),
            every=_duration_text(rule["interval"]) if "interval" in rule else "",
            anchor=rule.get("anchor_date"),
            rrule=rule.get("rrule", ""),
            timezone=rule.get("timezone") or UTC,
            slug=schedule.slug or str(schedule.id),
            parameters=dict(schedule.parameters),
            active=schedule.active,
        )

    @property
    def rule(self) -> str:
        """The rule as one word for its kind, and its text."""
        return " ".join(f"{kind} {text}" for kind in KINDS if (text := getattr(self, kind)))

    def for_prefect(self) -> DeploymentScheduleCreate:
        """Return it as Prefect takes it.

        Raises:
            UsageError: The rule or the time zone cannot be read.
        """
        from prefect.client.schemas.actions import DeploymentScheduleCreate

        return DeploymentScheduleCreate(
            schedule=self._prefect_rule(),
            active=self.active,
            parameters=dict(self.parameters),
            slug=self.slug,
        )

    def _prefect_rule(self) -> SCHEDULE_TYPES:
        from prefect.client.schemas.schedules import CronSchedule, IntervalSchedule, RRuleSchedule

        given = [kind for kind in KINDS if getattr(self, kind)]
        if len(given) != 1:
            raise UsageError(
                f"A schedule has one rule, not {len(given)}: {', '.join(given) or 'none'}.",
                remedy="Give cron, every or rrule; several schedules are given one by one.",
            )
        try:
            if self.cron:
                return CronSchedule(cron=_five_fields(self.cron), timezone=self.timezone)
            if self.every:
                anchor = {} if self.anchor is None else {"anchor_date": self.anchor}
                return IntervalSchedule(interval=_duration(self.every), timezone=self.timezone, **anchor)
            return RRuleSchedule(rrule=self.rrule, timezone=self.timezone)
        except ValidationError as error:
            (first, *_) = error.errors()
            if first["loc"][:1] == ("timezone",) or "timezone" in first["msg"].lower():
                raise UsageError(
                    f"There is no time zone {self.timezone!r}.",
                    remedy="Name it as in the IANA database, such as Europe/Zurich.",
                ) from error
            raise self._unreadable(given[0], first["msg"]) from error
        except ValueError as error:
            raise self._unreadable(given[0], str(error)) from error

    def _unreadable(self, kind: str, why: str) -> UsageError:
        reason = why.removeprefix("Value error, ").rstrip(".")
        return UsageError(f"The schedule {self.rule!r} cannot be read: {reason}.", remedy=_ADVICE[kind])


def with_slugs(schedules: Sequence[Schedule]) -> list[Schedule]:
    """Return schedules of which each has a slug of its own.

    Raises:
        UsageError: Two were given the same.
    """
    taken = [schedule.slug for schedule in schedules if schedule.slug]
    twice = sorted(slug for slug in set(taken) if taken.count(slug) > 1)
    if twice:
        raise UsageError(
            f"Two schedules are called {twice[0]!r}.", remedy="Give each a slug of its own, or none."
        )
    named: list[Schedule] = []
    for schedule in schedules:
        slug = schedule.slug or _free(_slug(schedule.rule), taken)
        taken.append(slug)
        named.append(schedule.model_copy(update={"slug": slug}))
    return named


def _slug(rule: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", rule.lower().replace("*", "x")).strip("-")


def _free(slug: str, taken: Iterable[str]) -> str:
    candidate, number = slug, 1
    while candidate in taken:
        number += 1
        candidate = f"{slug}-{number}"
    return candidate


def _five_fields(text: str) -> str:
    if len(text.split()) != 5:
        raise ValueError("it needs five fields")
    return text


def _duration(text: str) -> timedelta:
    match = _DURATION.fullmatch(text.strip())
    numbers = [int(number or 0) for number in match.groups()] if match else []
    if not any(numbers):
        raise ValueError("it is no duration")
    days, hours, minutes, seconds = numbers
    return timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)


def _duration_text(duration: timedelta) -> str:
    minutes, seconds = divmod(int(duration.total_seconds()), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    parts = ((days, "d"), (hours, "h"), (minutes, "m"), (seconds, "s"))
    return "".join(f"{number}{unit}" for number, unit in parts if number)
