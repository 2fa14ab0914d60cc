"""Runs as those see them who look after the dead: who drove them last, and how they ended."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import or_, select, update

from treadle.ledger.activities import UNDER_WAY
from treadle.ledger.database import Transaction, database_time
from treadle.ledger.tables import activities, runs
from treadle.model.states import RunState

MARGIN = timedelta(seconds=15)
"""How long a lease must be over before its holder counts as dead where nobody can see its process."""


@dataclass(frozen=True, slots=True)
class DrivenRun:
    """A run that has begun and is not at its end.

    Attributes:
        id: The run's number.
        driver: Who drives it, or did; None where it was given up without an end.
        prefect_flow_run_id: Its flow run in Prefect; None until there is one.
        key: What asked for it; None for a run of a person.
        recoveries: How often it was taken up without anybody's asking.
        cancel_requested: Whether somebody asked for its end.
    """

    id: int
    driver: str | None
    prefect_flow_run_id: str | None
    key: str | None
    recoveries: int
    cancel_requested: bool

    @property
    def is_part(self) -> bool:
        """Whether its flow run does more than this run: its key is the flow run's id, a slash, and more."""
        return self.key is not None and self.key.startswith(f"{self.prefect_flow_run_id}/")

    @property
    def is_found_again(self) -> bool:
        """Whether its flow run, when it is retried, finds this run by its key and goes on with it."""
        return self.is_part or (self.key is not None and self.key == self.prefect_flow_run_id)


@dataclass(frozen=True, slots=True)
class Ended:
    """The end of what one flow run shows: a run or an activity.

    Attributes:
        state: How it ended: done, failed or cancelled; None while it has not.
        text: What happened, for people.
        ended_at: When it ended.
        run_id: The run; None for an activity.
    """

    state: str | None
    text: str | None
    ended_at: datetime | None
    run_id: int | None = None


def abandoned_runs(
    tx: Transaction, *, is_gone: Callable[[str], bool], is_alive: Callable[[str], bool]
) -> list[DrivenRun]:
    """Runs under way whose driver is dead: its process is seen to have ended, or its lease has long run out.

    A process that is seen to run keeps its runs whatever its lease says: a machine that slept wakes up with
    leases that are over.
    """
    query = select(
        runs.c.id,
        runs.c.driver,
        runs.c.prefect_flow_run_id,
        runs.c.key,
        runs.c.recoveries,
        runs.c.cancel_requested_at,
        runs.c.lease_until,
    ).where(
        or_(
            runs.c.state == RunState.RUNNING,
            (runs.c.state == RunState.SUBMITTED) & runs.c.driver.is_not(None),
        )
    )
    latest = database_time(tx) - MARGIN
    found = []
    for number, driver, flow_run, key, recoveries, cancel_requested_at, until in tx.execute(query):
        over = until is None or until < latest
        if driver is None or is_gone(driver) or (over and not is_alive(driver)):
            found.append(
                DrivenRun(number, driver, flow_run, key, recoveries, cancel_requested_at is not None)
            )
    return found


def count_recovery(tx: Transaction, run_id: int) -> None:
    """Note that a run is taken up without anybody's asking."""
    tx.execute(update(runs).where(runs.c.id == run_id).values(recoveries=runs.c.recoveries + 1))


def end_shown_by(tx: Transaction, flow_run_id: str) -> Ended | None:
    """The end of the run or activity that a flow run of Prefect is about; None if it is about none.

    A run that is only a part of what the flow run does says nothing of the whole: see `DrivenRun.is_part`.
    """
    is_part = runs.c.key.startswith(f"{flow_run_id}/", autoescape=True)
    of_run = select(runs.c.state, runs.c.error, runs.c.ended_at, runs.c.id).where(
        runs.c.prefect_flow_run_id == flow_run_id, or_(runs.c.key.is_(None), ~is_part)
    )
    for state, error, ended_at, run_id in tx.execute(of_run.order_by(runs.c.id.desc()).limit(1)):
        is_over = state not in {RunState.SUBMITTED, RunState.RUNNING}
        return Ended(str(state) if is_over else None, error, ended_at, run_id)
    of_activity = select(activities.c.state, activities.c.error, activities.c.ended_at).where(
        activities.c.prefect_flow_run_id == flow_run_id
    )
    for doing, error, ended_at in tx.execute(of_activity.order_by(activities.c.id.desc()).limit(1)):
        return Ended(None if doing in UNDER_WAY else doing, error, ended_at)
    return None
