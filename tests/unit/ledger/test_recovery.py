"""Runs whose driver is dead, and what flow runs are about."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import update

from treadle.ledger import Ledger, activities, leases, recovery, runs
from treadle.ledger.database import database_time
from treadle.ledger.tables import runs as runs_table
from treadle.model.states import RunState

DRIVER = "host:1:boot.2-3"


def nobody(_driver: str) -> bool:
    return False


def everybody(_driver: str) -> bool:
    return True


@pytest.fixture
def driven(ledger: Ledger, add_run: Any) -> int:
    """A run that is driven."""
    run: int = add_run()
    with ledger.writing() as tx:
        leases.acquire(tx, run, DRIVER, is_gone=nobody)
        runs.set_run_state(tx, run, RunState.RUNNING)
    return run


def let_run_out(ledger: Ledger, run: int, seconds: float) -> None:
    with ledger.writing() as tx:
        past = database_time(tx) - timedelta(seconds=seconds)
        tx.execute(update(runs_table).where(runs_table.c.id == run).values(lease_until=past))


def abandoned(ledger: Ledger, *, is_gone: Any = nobody, is_alive: Any = nobody) -> list[int]:
    with ledger.reading() as tx:
        return [run.id for run in recovery.abandoned_runs(tx, is_gone=is_gone, is_alive=is_alive)]


def test_a_run_is_abandoned_as_soon_as_its_driver_is_seen_to_be_gone(ledger: Ledger, driven: int) -> None:
    assert abandoned(ledger) == []
    assert abandoned(ledger, is_gone=everybody) == [driven]


def test_a_driver_that_nobody_sees_is_dead_when_its_lease_has_long_run_out(
    ledger: Ledger, driven: int
) -> None:
    let_run_out(ledger, driven, 1)
    assert abandoned(ledger) == []
    let_run_out(ledger, driven, recovery.MARGIN.total_seconds() + 1)
    assert abandoned(ledger) == [driven]


def test_a_driver_that_slept_keeps_its_run(ledger: Ledger, driven: int) -> None:
    let_run_out(ledger, driven, 3600)
    assert abandoned(ledger, is_alive=everybody) == []


def test_a_run_that_nobody_began_or_that_has_ended_is_not_abandoned(
    ledger: Ledger, add_run: Any, driven: int
) -> None:
    add_run()
    with ledger.writing() as tx:
        runs.set_run_state(tx, driven, RunState.FAILED, "why")
    assert abandoned(ledger, is_gone=everybody) == []


def test_recoveries_are_counted(ledger: Ledger, driven: int) -> None:
    with ledger.writing() as tx:
        recovery.count_recovery(tx, driven)
        recovery.count_recovery(tx, driven)
    with ledger.reading() as tx:
        (run,) = recovery.abandoned_runs(tx, is_gone=everybody, is_alive=nobody)
    assert (run.recoveries, run.driver, run.cancel_requested) == (2, DRIVER, False)


def test_the_end_of_a_run_is_that_of_its_flow_run(ledger: Ledger, driven: int) -> None:
    with ledger.writing() as tx:
        runs.set_prefect_run(tx, driven, "flow")
    with ledger.reading() as tx:
        under_way = recovery.end_shown_by(tx, "flow")
        assert under_way is not None
        assert under_way.state is None
        assert recovery.end_shown_by(tx, "another") is None
    with ledger.writing() as tx:
        runs.set_run_state(tx, driven, RunState.DONE)
        end = recovery.end_shown_by(tx, "flow")
    assert end is not None
    assert (end.state, end.run_id) == ("done", driven)


@pytest.mark.parametrize(
    ("key", "is_whole"), [("flow", True), ("other", True), ("other/1", True), ("flow/1", False)]
)
def test_a_run_that_is_a_part_of_its_flow_run_says_nothing_of_the_whole(
    ledger: Ledger, driven: int, key: str, is_whole: bool
) -> None:
    with ledger.writing() as tx:
        runs.set_prefect_run(tx, driven, "flow")
        tx.execute(update(runs_table).where(runs_table.c.id == driven).values(key=key))
        runs.set_run_state(tx, driven, RunState.DONE)
        assert (recovery.end_shown_by(tx, "flow") is not None) == is_whole


def test_the_end_of_an_activity_is_that_of_its_flow_run(ledger: Ledger) -> None:
    with ledger.writing() as tx:
        activities.begin(tx, action="collect", source="x", holder=DRIVER, prefect_flow_run_id="flow")
        assert recovery.end_shown_by(tx, "flow") == recovery.Ended(None, None, None)
        activities.end_lost(tx, is_gone=everybody)
        end = recovery.end_shown_by(tx, "flow")
    assert end is not None
    assert (end.state, end.text) == ("failed", "Its process died.")


def test_only_activities_of_living_processes_are_under_way(ledger: Ledger) -> None:
    with ledger.writing() as tx:
        number = activities.begin(tx, action="collect", source="x", holder=DRIVER)
        assert [one.id for one in activities.under_way(tx, is_gone=nobody)] == [number]
        assert activities.under_way(tx, is_gone=everybody) == []
