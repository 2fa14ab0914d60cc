"""Upkeep of the database itself, on SQLite and PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import text

from treadle.ledger import Ledger, leases, sqlite_url, workflows
from treadle.model.task import TaskRef
from treadle.model.workflow import Step, Workflow


def large(name: str) -> Workflow:
    """A workflow that takes about a megabyte."""
    ref = TaskRef(pkg_name="p", version="1", name="t")
    return Workflow(name=name, steps=(Step(name="s", task=ref, args_parallel={"text": "x" * 1_000_000}),))


def planner_statistics(ledger: Ledger) -> int:
    """How many figures the planner has of our tables."""
    with ledger.reading() as tx:
        query = "SELECT count(*) FROM sqlite_stat1 WHERE tbl = 'workflows'"
        if tx.dialect.name == "postgresql":
            query = "SELECT count(*) FROM pg_stats WHERE tablename = 'workflows'"
        return int(tx.execute(text(query)).scalar_one())


def test_planner_has_statistics_afterwards(ledger: Ledger) -> None:
    with ledger.writing() as tx:
        workflows.save_workflow(tx, large("one"), replace=False)
    done = ledger.compact(in_use=True)
    assert planner_statistics(ledger) > 0
    assert done.after_bytes > 0


@pytest.fixture
def emptied(file: Path) -> Ledger:
    """A SQLite ledger in which megabytes were deleted."""
    ledger = Ledger(sqlite_url(file))
    with ledger.writing() as tx:
        for number in range(4):
            workflows.save_workflow(tx, large(f"w{number}"), replace=False)
    with ledger.writing() as tx:
        tx.execute(text("DELETE FROM workflows"))
    return ledger


def test_deleted_rows_give_back_their_space(emptied: Ledger, file: Path) -> None:
    with emptied as ledger:
        done = ledger.compact(in_use=False)
        assert done.before_bytes - done.after_bytes > 3_000_000
        assert file.stat().st_size == done.after_bytes


def test_file_in_use_is_not_written_anew(emptied: Ledger) -> None:
    with emptied as ledger:
        done = ledger.compact(in_use=True)
        assert done.after_bytes >= done.before_bytes
        assert planner_statistics(ledger) == 0  # of a table without rows
        with ledger.writing() as tx:
            workflows.save_workflow(tx, large("after"), replace=False)


def test_only_a_valid_lease_says_that_a_run_is_driven(ledger: Ledger, add_run: Callable[..., int]) -> None:
    run_id = add_run()
    with ledger.reading() as tx:
        assert not leases.are_held(tx)
    with ledger.writing() as tx:
        leases.acquire(tx, run_id, "driver", is_gone=lambda _: False)
        assert leases.are_held(tx)
        leases.release(tx, run_id, "driver")
        assert not leases.are_held(tx)
