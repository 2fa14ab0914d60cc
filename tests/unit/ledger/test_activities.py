from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import update

from treadle.errors import AlreadyExists, LeaseLost, UnknownName
from treadle.ledger import Ledger, activities
from treadle.ledger.database import database_time
from treadle.ledger.tables import activities as table

ME = "here:1:x-1"


def alive(_holder: str) -> bool:
    return False


def dead(_holder: str) -> bool:
    return True


def begin(ledger: Ledger, **more: object) -> int:
    with ledger.writing() as tx:
        return activities.begin(tx, action="collect", source="tiny==1", holder=ME, **more)  # type: ignore[arg-type]


def load(ledger: Ledger, number: int) -> activities.ActivityRecord:
    with ledger.reading() as tx:
        return activities.load(tx, number)


def test_an_activity_keeps_its_log_and_its_package_beyond_its_end(ledger: Ledger) -> None:
    number = begin(ledger, options={"editable": True})
    with ledger.writing() as tx:
        assert not activities.note_progress(tx, number, ME, phase="resolving", log="resolving\n")
    assert (load(ledger, number).state, load(ledger, number).phase) == ("ongoing", "resolving")

    with ledger.writing() as tx:
        activities.end(tx, number, ME, state="done", phase="read", log="a\nb\n", package=(7, "tiny", "1.0"))

    record = load(ledger, number)
    assert (record.state, record.log, record.options) == ("done", "a\nb\n", {"editable": True})
    assert (record.package_id, record.package, record.version) == (7, "tiny", "1.0")
    assert record.ended_at is not None


def test_the_list_is_light_and_begins_with_the_latest(ledger: Ledger) -> None:
    first, second = begin(ledger), begin(ledger)
    with ledger.writing() as tx:
        activities.note_progress(tx, second, ME, phase="resolving", log="much\n")

    with ledger.reading() as tx:
        found = activities.list_activities(tx)

    assert [(entry.id, entry.log) for entry in found] == [(second, ""), (first, "")]


def test_the_wish_for_an_end_reaches_who_does_it(ledger: Ledger) -> None:
    number = begin(ledger)

    with ledger.writing() as tx:
        activities.request_cancel(tx, number)
        assert activities.note_progress(tx, number, ME, phase="", log="")


def test_two_activities_never_change_one_package(ledger: Ledger) -> None:
    first = begin(ledger, package_id=3)
    begin(ledger, package_id=4)

    with pytest.raises(AlreadyExists, match=rf"activity \({first}, collect\)"):
        begin(ledger, package_id=3)

    with ledger.writing() as tx:
        activities.end(tx, first, ME, state="failed", phase="", log="", error="no")
    begin(ledger, package_id=3)


def test_the_activity_of_a_dead_process_has_failed(ledger: Ledger) -> None:
    number = begin(ledger)
    with ledger.writing() as tx:
        assert activities.end_lost(tx, is_gone=alive) == []
        assert activities.end_lost(tx, is_gone=dead) == [number]

    assert (load(ledger, number).state, load(ledger, number).error) == ("failed", "Its process died.")
    with ledger.writing() as tx, pytest.raises(LeaseLost):
        activities.note_progress(tx, number, ME, phase="", log="late")


def test_an_activity_whose_lease_ran_out_has_failed(ledger: Ledger) -> None:
    number = begin(ledger)
    with ledger.writing() as tx:
        tx.execute(update(table).values(lease_until=database_time(tx) - timedelta(seconds=1)))
        assert activities.end_lost(tx, is_gone=alive) == [number]


def test_a_late_end_changes_nothing(ledger: Ledger) -> None:
    number = begin(ledger)
    with ledger.writing() as tx:
        activities.end_lost(tx, is_gone=dead)
        activities.end(tx, number, ME, state="done", phase="", log="")

    assert load(ledger, number).state == "failed"


def test_an_unknown_number_is_an_error(ledger: Ledger) -> None:
    with ledger.reading() as tx, pytest.raises(UnknownName, match="no activity 99"):
        activities.load(tx, 99)
