"""Activities: every collection of a package and every change of its life, with its log, whoever does it.

A process holds the lease of its activity and renews it, as drivers do with runs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from pydantic import JsonValue
from sqlalchemy import insert, literal, select, update
from sqlalchemy.sql.expression import ColumnElement

from treadle.errors import AlreadyExists, LeaseLost, UnknownName
from treadle.ledger.columns import now
from treadle.ledger.database import Transaction, database_time
from treadle.ledger.people import local_user
from treadle.ledger.tables import Action, ActivityState, activities, packages

LEASE_SECONDS = 30.0
UNDER_WAY: tuple[ActivityState, ...] = ("pending", "ongoing")


@dataclass(frozen=True, slots=True)
class ActivityRecord:
    """One activity.

    Attributes:
        id: Its number.
        action: What it does.
        state: How far it is.
        source: What is collected, without credentials; for another action the package's source.
        options: How it is collected, as JSON.
        package: Name of the package, once it is known.
        version: Its version, likewise.
        package_id: The package's number, likewise; the package may be gone by now.
        phase: What is under way, or was at the end.
        log: All that was told and printed so far.
        error: Why it failed.
        prefect_flow_run_id: The flow run that shows it.
        created_at: When it was asked for.
        started_at: When it began.
        ended_at: When it ended.
    """

    id: int
    action: Action
    state: ActivityState
    source: str
    options: JsonValue
    package: str | None
    version: str | None
    package_id: int | None
    phase: str
    log: str
    error: str | None
    prefect_flow_run_id: str | None
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None


_COLUMNS = [activities.c[name] for name in ActivityRecord.__slots__]


def begin(
    tx: Transaction,
    *,
    action: Action,
    source: str,
    holder: str,
    options: JsonValue = None,
    package_id: int | None = None,
    prefect_flow_run_id: str | None = None,
) -> int:
    """Record an activity that begins now, and return its number.

    Args:
        tx: A writing transaction.
        action: What it does.
        source: What it does that with; no credentials.
        holder: Name of the process that does it.
        options: How it is collected.
        package_id: The package, if it is known already.
        prefect_flow_run_id: The flow run that shows it.

    Raises:
        AlreadyExists: Another activity changes the same package.
    """
    if package_id is not None:
        tx.execute(select(packages.c.id).where(packages.c.id == package_id).with_for_update())
        busy = select(activities.c.id, activities.c.action).where(
            activities.c.package_id == package_id, activities.c.state.in_(UNDER_WAY)
        )
        for other, doing in tx.execute(busy):
            raise AlreadyExists(
                f"Another activity ({other}, {doing}) changes this package at the moment.",
                remedy=f"Wait for its end: treadle activity show {other}",
            )
    row = insert(activities).values(
        owner_id=local_user(tx),
        action=action,
        state="ongoing",
        source=source,
        options=options or {},
        package_id=package_id,
        phase="",
        log="",
        prefect_flow_run_id=prefect_flow_run_id,
        holder=holder,
        lease_until=_until(tx),
        created_at=now(),
        started_at=now(),
    )
    return tx.scalars(row.returning(activities.c.id)).one()


def note_progress(tx: Transaction, activity_id: int, holder: str, *, phase: str, log: str) -> bool:
    """Record how an activity goes, and prolong its lease.

    Returns:
        Whether somebody asked for its end.

    Raises:
        LeaseLost: It was taken for dead, or has ended.
    """
    row = tx.execute(
        update(activities)
        .where(_mine(activity_id, holder))
        .values(phase=phase, log=log, lease_until=_until(tx))
        .returning(activities.c.cancel_requested_at)
    ).one_or_none()
    if row is None:
        raise LeaseLost(f"Activity {activity_id} is no longer this process's.")
    return row[0] is not None


def end(
    tx: Transaction,
    activity_id: int,
    holder: str,
    *,
    state: ActivityState,
    phase: str,
    log: str,
    error: str | None = None,
    package: tuple[int, str, str] | None = None,
) -> None:
    """Record the end of an activity; nothing happens if it is no longer this process's.

    Args:
        tx: A writing transaction.
        activity_id: The activity.
        holder: Name of this process.
        state: How it ended.
        phase: What was done last.
        log: All that was told and printed.
        error: Why it failed.
        package: Number, name and version of the package, if they are known.
    """
    content: dict[str, object] = {"state": state, "phase": phase, "log": log, "error": error}
    if package is not None:
        content |= dict(zip(("package_id", "package", "version"), package, strict=True))
    ended = {"ended_at": now(), "holder": None, "lease_until": None}
    tx.execute(update(activities).where(_mine(activity_id, holder)).values(**content, **ended))


def end_lost(tx: Transaction, *, is_gone: Callable[[str], bool]) -> list[int]:
    """Record as failed the activities whose process has died, and return their numbers."""
    dead = lost(tx, is_gone=is_gone)
    tx.execute(
        update(activities)
        .where(activities.c.id.in_(dead))
        .values(state="failed", error="Its process died.", ended_at=now(), holder=None, lease_until=None)
    )
    return dead


def under_way(tx: Transaction, *, is_gone: Callable[[str], bool]) -> list[ActivityRecord]:
    """The activities whose process lives, without their logs, the latest first."""
    dead = lost(tx, is_gone=is_gone)
    return [one for one in list_activities(tx) if one.state in UNDER_WAY and one.id not in dead]


def request_cancel(tx: Transaction, activity_id: int) -> ActivityRecord:
    """Ask for the end of an activity that is under way; one that has ended stays as it is.

    Raises:
        UnknownName: There is no such activity.
    """
    record = load(tx, activity_id)
    if record.state in UNDER_WAY:
        asked = update(activities).where(activities.c.id == activity_id)
        tx.execute(asked.values(cancel_requested_at=database_time(tx)))
    return record


def load(tx: Transaction, activity_id: int) -> ActivityRecord:
    """The activity of this number.

    Raises:
        UnknownName: There is none.
    """
    row = tx.execute(select(*_COLUMNS).where(activities.c.id == activity_id)).mappings().one_or_none()
    if row is None:
        raise UnknownName(f"There is no activity {activity_id}.", remedy="See `treadle activity list`.")
    return ActivityRecord(**row)


def list_activities(tx: Transaction, limit: int | None = None) -> list[ActivityRecord]:
    """The activities without their logs, the latest first."""
    light = [literal("").label("log") if column.name == "log" else column for column in _COLUMNS]
    query = select(*light).where(activities.c.owner_id == local_user(tx))
    query = query.order_by(activities.c.id.desc()).limit(limit)
    return [ActivityRecord(**row) for row in tx.execute(query).mappings()]


def lost(tx: Transaction, *, is_gone: Callable[[str], bool]) -> list[int]:
    """The activities whose process has died, by their numbers."""
    query = select(activities.c.id, activities.c.holder, activities.c.lease_until).where(
        activities.c.state.in_(UNDER_WAY)
    )
    present = database_time(tx)
    return [
        number
        for number, holder, until in tx.execute(query)
        if holder is None or until is None or until < present or is_gone(holder)
    ]


def _mine(activity_id: int, holder: str) -> ColumnElement[bool]:
    return (activities.c.id == activity_id) & (activities.c.holder == holder)


def _until(tx: Transaction) -> datetime:
    return database_time(tx) + timedelta(seconds=LEASE_SECONDS)
