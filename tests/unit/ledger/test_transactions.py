"""Transactions: what several processes see of one another, and what a database's refusal becomes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy.exc import OperationalError

from treadle.errors import LedgerBusy, LedgerError, StorageFull, TreadleError
from treadle.ledger import Ledger, workflows
from treadle.ledger.failures import translated
from treadle.model.workflow import Workflow

on_sqlite = pytest.mark.parametrize("url", ["sqlite"], indirect=True)

WRITE_MANY = """
from treadle.ledger import Ledger, workflows
from treadle.model.workflow import Workflow

def go(url, number):
    for turn in range(25):
        with Ledger(url) as ledger:
            with ledger.reading() as tx:
                workflows.list_workflows(tx)
            with ledger.writing() as tx:
                workflows.save_workflow(tx, Workflow(name=f"{number} {turn}"), replace=False)
"""

WRITE_WITH_A_LIMIT = """
import resource, sys
from pathlib import Path
from treadle.errors import StorageFull
from treadle.ledger import Ledger, sqlite_url, workflows
from treadle.model.workflow import Workflow

with Ledger(sqlite_url(Path(sys.argv[1]))) as ledger:
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))
    try:
        with ledger.writing() as tx:
            workflows.save_workflow(tx, Workflow(name="big", description="x" * 5_000_000), replace=False)
    except StorageFull as error:
        print(error)
"""


def save(ledger: Ledger, name: str) -> None:
    with ledger.writing() as tx:
        workflows.save_workflow(tx, Workflow(name=name), replace=False)


def names(ledger: Ledger) -> list[str]:
    with ledger.reading() as tx:
        return [workflow.name for workflow in workflows.list_workflows(tx)]


def test_what_is_written_is_there_for_the_next_process(url: str) -> None:
    with Ledger(url) as ledger:
        save(ledger, "kept")
    with Ledger(url) as ledger:
        assert names(ledger) == ["kept"]


def test_a_transaction_that_fails_leaves_no_trace(ledger: Ledger) -> None:
    def fail_half_way() -> None:
        with ledger.writing() as tx:
            workflows.save_workflow(tx, Workflow(name="half"), replace=False)
            raise KeyError

    with pytest.raises(KeyError):
        fail_half_way()
    assert names(ledger) == []


def test_an_error_of_the_caller_is_not_the_ledgers(ledger: Ledger) -> None:
    with pytest.raises(OSError, match="no such log"), ledger.writing():
        raise OSError("no such log")


def test_nothing_can_be_written_while_reading(ledger: Ledger) -> None:
    with pytest.raises(TreadleError, match="may not be written"), ledger.reading() as tx:
        workflows.save_workflow(tx, Workflow(name="lost"), replace=False)
    save(ledger, "kept")
    assert names(ledger) == ["kept"]


def test_readers_see_one_state_and_wait_for_nobody(ledger: Ledger, url: str) -> None:
    save(ledger, "before")
    with Ledger(url, busy_seconds=0) as other, other.reading() as reader:
        assert len(workflows.list_workflows(reader)) == 1
        with ledger.writing() as tx:
            workflows.save_workflow(tx, Workflow(name="after"), replace=False)
            assert names(other) == ["before"]
        assert len(workflows.list_workflows(reader)) == 1
        assert names(other) == ["after", "before"]


def test_a_ledger_held_too_long_is_busy(ledger: Ledger, url: str) -> None:
    save(ledger, "held")
    with Ledger(url, busy_seconds=0.05) as other:
        with ledger.writing() as tx:
            workflows.save_workflow(tx, Workflow(name="held", description="again"), replace=True)
            with pytest.raises(LedgerBusy) as caught, other.writing() as late:
                workflows.save_workflow(late, Workflow(name="held"), replace=True)
        assert other.place in caught.value.what
        assert "0.05 s" in caught.value.what
        assert caught.value.remedy
        save(other, "later")
    assert names(ledger) == ["held", "later"]


def test_processes_that_write_at_once_wait_for_one_another(ledger: Ledger, url: str, race) -> None:
    race(WRITE_MANY, url, processes=4)
    assert len(names(ledger)) == 4 * 25


@on_sqlite
def test_a_full_database_says_so_and_keeps_what_it_has(ledger: Ledger, file: Path) -> None:
    def write_more_than_there_is_room_for() -> None:
        with ledger.writing() as tx:
            tx.exec_driver_sql("PRAGMA max_page_count = 1")
            workflows.save_workflow(tx, Workflow(name="big", description="x" * 500_000), replace=False)

    save(ledger, "before")
    with pytest.raises(StorageFull, match="full") as caught:
        write_more_than_there_is_room_for()
    assert str(file) in caught.value.what
    assert "space" in caught.value.remedy
    assert names(ledger) == ["before"]


@on_sqlite
def test_a_used_up_quota_says_so_and_keeps_what_it_has(ledger: Ledger, file: Path) -> None:
    save(ledger, "before")
    command = [sys.executable, "-c", WRITE_WITH_A_LIMIT, str(file)]
    told = subprocess.run(command, check=True, capture_output=True, text=True)
    assert f"The ledger {file} could not be written" in told.stdout
    assert names(ledger) == ["before"]


def test_a_broken_rule_of_the_database_is_a_ledger_error(ledger: Ledger) -> None:
    with pytest.raises(LedgerError, match="could not be read or written") as caught, ledger.writing() as tx:
        tx.exec_driver_sql("INSERT INTO items VALUES (77, 0, '/data/a', NULL, '{}', '{}')")
    assert "foreign key" in caught.value.detail.lower()


@pytest.mark.parametrize(
    ("sqlstate", "error"),
    [("55P03", LedgerBusy), ("40P01", LedgerBusy), ("53100", StorageFull), ("25006", StorageFull)],
)
def test_what_postgresql_refuses_gets_the_same_errors(sqlstate: str, error: type[TreadleError]) -> None:
    class Refusal(Exception):
        pass

    refusal = Refusal("refused")
    refusal.sqlstate = sqlstate
    with pytest.raises(error, match=r"db\.site/treadle"), translated("db.site/treadle", 30):
        raise OperationalError("UPDATE", {}, refusal)
