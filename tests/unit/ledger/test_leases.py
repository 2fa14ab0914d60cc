from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import update

from treadle.errors import AlreadyDriven, LeaseLost, UnknownName
from treadle.ledger import Ledger, leases
from treadle.ledger.database import database_time
from treadle.ledger.tables import runs as runs_table

RACE = """
from treadle.errors import AlreadyDriven
from treadle.ledger import Ledger, leases

def go(url, run, number):
    with Ledger(url) as ledger:
        try:
            with ledger.writing() as tx:
                leases.acquire(tx, int(run), f"driver-{number}", is_gone=lambda name: False)
            print("mine")
        except AlreadyDriven as error:
            print(error.what)
"""


def alive(_driver: str) -> bool:
    return False


def gone(_driver: str) -> bool:
    return True


def acquire(ledger: Ledger, run_id: int, driver: str, *, is_gone: Any = alive) -> None:
    with ledger.writing() as tx:
        leases.acquire(tx, run_id, driver, is_gone=is_gone)


def expire(ledger: Ledger, run_id: int) -> None:
    with ledger.writing() as tx:
        past = database_time(tx) - timedelta(seconds=1)
        tx.execute(update(runs_table).where(runs_table.c.id == run_id).values(lease_until=past))


def holder(ledger: Ledger, run_id: int) -> str | None:
    with ledger.reading() as tx:
        return leases.holder_of(tx, run_id, is_gone=alive)


def test_a_run_has_one_driver_at_a_time_and_the_refusal_names_it(ledger: Ledger, add_run: Any) -> None:
    run = add_run()
    acquire(ledger, run, "one")
    with pytest.raises(AlreadyDriven, match="driven by one"):
        acquire(ledger, run, "two")
    acquire(ledger, run, "one")
    assert holder(ledger, run) == "one"


def test_of_several_processes_one_gets_the_lease(url: str, add_run: Any, race: Any) -> None:
    run = add_run()
    answers = race(RACE, url, run)
    assert sorted(answers)[-1] == "mine\n"
    assert answers.count("mine\n") == 1


def test_a_lease_is_taken_over_when_it_has_expired_and_the_former_driver_writes_no_more(
    ledger: Ledger, add_run: Any
) -> None:
    run = add_run()
    acquire(ledger, run, "slow")
    expire(ledger, run)
    with ledger.writing() as tx:
        leases.confirm(tx, run, "slow")  # nobody wanted it yet
    acquire(ledger, run, "next")
    for use in (leases.confirm, leases.renew):
        with pytest.raises(LeaseLost, match="by next"), ledger.writing() as tx:
            use(tx, run, "slow")
    with ledger.writing() as tx:
        leases.release(tx, run, "slow")
    assert holder(ledger, run) == "next"


def test_a_lease_is_taken_over_at_once_when_its_driver_is_known_to_be_gone(
    ledger: Ledger, add_run: Any
) -> None:
    run = add_run()
    acquire(ledger, run, "dead")
    acquire(ledger, run, "next", is_gone=gone)
    assert holder(ledger, run) == "next"


def test_a_renewed_lease_lasts_from_then_on_and_a_released_one_is_free(ledger: Ledger, add_run: Any) -> None:
    run = add_run()
    acquire(ledger, run, "one")
    expire(ledger, run)
    assert holder(ledger, run) is None
    with ledger.writing() as tx:
        leases.renew(tx, run, "one")
    assert holder(ledger, run) == "one"
    with ledger.writing() as tx:
        leases.release(tx, run, "one")
    acquire(ledger, run, "two")


def test_a_request_to_cancel_reaches_the_present_driver_only(ledger: Ledger, add_run: Any) -> None:
    run = add_run()
    acquire(ledger, run, "one")
    with ledger.writing() as tx:
        leases.request_cancel(tx, run)
        assert leases.is_cancel_requested(tx, run)
    with ledger.writing() as tx:
        leases.renew(tx, run, "one")
        assert leases.is_cancel_requested(tx, run)
    acquire(ledger, run, "two", is_gone=gone)
    with ledger.reading() as tx:
        assert not leases.is_cancel_requested(tx, run)


def test_an_unknown_run_has_no_lease(ledger: Ledger) -> None:
    with pytest.raises(UnknownName, match="no run 7"):
        acquire(ledger, 7, "one")
