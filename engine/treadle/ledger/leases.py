"""Leases: which process drives a run, and whether it still lives.

A driver holds the lease of its run and renews it; all times are the database's own. Whoever writes about a
run first confirms, in the same transaction, that the lease is still its own: a driver that was taken for dead
cannot spoil what its successor does.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from sqlalchemy import Row, select, update

from treadle.errors import AlreadyDriven, LeaseLost
from treadle.ledger.database import Transaction, database_time
from treadle.ledger.runs import unknown_run
from treadle.ledger.tables import runs

LEASE_SECONDS = 30.0


def acquire(tx: Transaction, run_id: int, driver: str, *, is_gone: Callable[[str], bool]) -> None:
    """Take the lease of a run that nobody drives; requests to cancel it were meant for who drove it before.

    Args:
        tx: A writing transaction.
        run_id: The run.
        driver: Name of the process that is to drive it.
        is_gone: Whether the process of that name is known to have ended, lease or not.

    Raises:
        UnknownName: There is no such run.
        AlreadyDriven: Another driver's lease is valid.
    """
    _row(tx, run_id, lock=True)
    check_free(tx, run_id, driver, is_gone=is_gone)
    _lease(tx, run_id, driver)
    tx.execute(update(runs).where(runs.c.id == run_id).values(cancel_requested_at=None))


def check_free(tx: Transaction, run_id: int, driver: str, *, is_gone: Callable[[str], bool]) -> None:
    """Do nothing if `acquire` would succeed; its arguments and errors are the same."""
    holder = holder_of(tx, run_id, is_gone=is_gone)
    if holder not in {None, driver}:
        raise AlreadyDriven(
            f"Run {run_id} is being driven by {holder}.",
            remedy=f"Wait for its end, or end it with `treadle cancel {run_id}`.",
        )


def holder_of(tx: Transaction, run_id: int, *, is_gone: Callable[[str], bool]) -> str | None:
    """Return the driver whose lease of the run is valid.

    Raises:
        UnknownName: There is no such run.
    """
    driver, until = _row(tx, run_id)
    valid = driver is not None and until is not None and until > database_time(tx) and not is_gone(driver)
    return driver if valid else None


def are_held(tx: Transaction) -> bool:
    """Whether any run has a driver whose lease is valid."""
    return (
        tx.scalars(select(runs.c.id).where(runs.c.lease_until > database_time(tx)).limit(1)).first()
        is not None
    )


def confirm(tx: Transaction, run_id: int, driver: str, *, lock: bool = True) -> None:
    """Do nothing if the lease is the driver's.

    Args:
        tx: A transaction, a writing one with `lock`.
        run_id: The run.
        driver: Name of the driver.
        lock: Let nobody take the lease before the transaction ends.

    Raises:
        UnknownName: There is no such run.
        LeaseLost: It is another's.
    """
    holder, _ = _row(tx, run_id, lock=lock)
    if holder != driver:
        raise LeaseLost(
            f"Run {run_id} is no longer driven by this process but by {holder or 'nobody'}.",
            remedy=f"Follow it with `treadle show {run_id}`.",
        )


def renew(tx: Transaction, run_id: int, driver: str) -> None:
    """Prolong the driver's lease from now on.

    Raises:
        UnknownName: There is no such run.
        LeaseLost: It is another's.
    """
    confirm(tx, run_id, driver)
    _lease(tx, run_id, driver)


def release(tx: Transaction, run_id: int, driver: str) -> None:
    """Give the lease up, if it is the driver's."""
    mine = update(runs).where(runs.c.id == run_id, runs.c.driver == driver)
    tx.execute(mine.values(driver=None, lease_until=None))


def take_away(tx: Transaction, run_id: int) -> None:
    """End the lease of a run, whoever holds it."""
    tx.execute(update(runs).where(runs.c.id == run_id).values(driver=None, lease_until=None))


def request_cancel(tx: Transaction, run_id: int) -> None:
    """Ask the run's driver to end it."""
    tx.execute(update(runs).where(runs.c.id == run_id).values(cancel_requested_at=database_time(tx)))


def is_cancel_requested(tx: Transaction, run_id: int) -> bool:
    """Whether somebody asked the run's present driver to end it."""
    return tx.scalar(select(runs.c.cancel_requested_at).where(runs.c.id == run_id)) is not None


def _lease(tx: Transaction, run_id: int, driver: str) -> None:
    until = database_time(tx) + timedelta(seconds=LEASE_SECONDS)
    tx.execute(update(runs).where(runs.c.id == run_id).values(driver=driver, lease_until=until))


def _row(tx: Transaction, run_id: int, *, lock: bool = False) -> Row[str | None, datetime | None]:
    query = select(runs.c.driver, runs.c.lease_until).where(runs.c.id == run_id)
    row = tx.execute(query.with_for_update() if lock else query).one_or_none()
    if row is None:
        raise unknown_run(tx, run_id)
    return row
