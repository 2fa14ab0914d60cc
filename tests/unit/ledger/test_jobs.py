from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from treadle.errors import UnknownName
from treadle.ledger import Ledger, jobs
from treadle.ledger.jobs import JobRow

BEGIN = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)
END: dict[str, Any] = {
    "state": "OUT_OF_MEMORY",
    "node": "n3",
    "submitted_at": BEGIN,
    "started_at": BEGIN + timedelta(seconds=40),
    "ended_at": BEGIN + timedelta(seconds=100),
    "cpu_seconds": 118.5,
    "peak_memory_mb": 3_900_000,
    "text": "killed\0 at 4 TB",
}


def add(ledger: Ledger, run_id: int, name: str, job_id: str, *, cluster: str = "slurm") -> None:
    with ledger.writing() as tx:
        jobs.add_job(
            tx,
            run_id,
            name=name,
            cluster=cluster,
            job_id=job_id,
            shape="2 cpus, 4 TB",
            cpus=2,
            memory_mb=4_000_000,
        )


def end(ledger: Ledger, run_id: int, job_id: str, *, cluster: str = "slurm", **changed: Any) -> None:
    with ledger.writing() as tx:
        jobs.end_job(tx, run_id, cluster, job_id, **(END | changed))


def rows(ledger: Ledger, run_id: int) -> list[JobRow]:
    with ledger.reading() as tx:
        return jobs.list_jobs(tx, run_id)


def open_names(ledger: Ledger, run_id: int | None = None) -> list[str]:
    with ledger.reading() as tx:
        return [job.name for job in jobs.open_jobs(tx, run_id)]


@pytest.fixture
def run_id(add_run: Callable[[], int]) -> int:
    return add_run()


def test_a_job_that_was_submitted_is_open_and_has_no_end(ledger: Ledger, run_id: int) -> None:
    before = datetime.now(UTC)
    add(ledger, run_id, "w1", "1001")
    [row] = rows(ledger, run_id)
    assert (row.run_id, row.name, row.cluster, row.job_id) == (run_id, "w1", "slurm", "1001")
    assert (row.shape, row.cpus, row.memory_mb) == ("2 cpus, 4 TB", 2, 4_000_000)
    assert before <= row.submitted_at <= datetime.now(UTC)
    assert {row.started_at, row.ended_at, row.state, row.node, row.cpu_seconds, row.text} == {None}
    assert open_names(ledger) == ["w1"]


def test_an_end_is_kept_as_the_system_told_it(ledger: Ledger, run_id: int) -> None:
    add(ledger, run_id, "w1", "1001")
    end(ledger, run_id, "1001")
    [row] = rows(ledger, run_id)
    told = {name: getattr(row, name) for name in END}
    assert told == END | {"text": "killed? at 4 TB"}
    assert open_names(ledger) == []


def test_a_job_that_never_began_keeps_when_it_was_submitted_and_has_an_end(
    ledger: Ledger, run_id: int
) -> None:
    add(ledger, run_id, "w1", "1001")
    submitted_at = rows(ledger, run_id)[0].submitted_at
    end(
        ledger,
        run_id,
        "1001",
        state="CANCELLED",
        node="",
        submitted_at=None,
        started_at=None,
        ended_at=None,
        cpu_seconds=None,
        peak_memory_mb=None,
        text="",
    )
    [row] = rows(ledger, run_id)
    assert (row.submitted_at, row.started_at, row.node, row.text) == (submitted_at, None, None, None)
    assert row.ended_at is not None
    assert row.ended_at >= submitted_at


def test_both_notes_can_be_repeated(ledger: Ledger, run_id: int) -> None:
    add(ledger, run_id, "w1", "1001")
    end(ledger, run_id, "1001")
    once = rows(ledger, run_id)
    add(ledger, run_id, "w1", "1001")
    end(ledger, run_id, "1001")
    assert rows(ledger, run_id) == once


def test_of_two_jobs_of_one_number_the_later_ends(ledger: Ledger, run_id: int) -> None:
    for name in ("w1", "w2"):  # the batch system began to count anew
        add(ledger, run_id, name, "1")
    add(ledger, run_id, "w3", "1", cluster="other")
    end(ledger, run_id, "1")
    assert open_names(ledger, run_id) == ["w1", "w3"]


def test_jobs_are_listed_by_run_in_the_order_of_submission(ledger: Ledger, add_run: Any) -> None:
    run, other = add_run(), add_run()
    for run_id, name in ((run, "b"), (other, "c"), (run, "a")):
        add(ledger, run_id, name, f"1-{name}")
    end(ledger, run, "1-b")
    assert [row.name for row in rows(ledger, run)] == ["b", "a"]
    assert open_names(ledger, run) == ["a"]
    assert open_names(ledger) == ["c", "a"]


def test_a_job_of_another_run_cannot_be_ended(ledger: Ledger, add_run: Any) -> None:
    run, other = add_run(), add_run()
    add(ledger, run, "w1", "1001")
    with pytest.raises(UnknownName, match=f"Run {other} has no job 1001"):
        end(ledger, other, "1001")
    assert open_names(ledger) == ["w1"]


LATER = {
    "environments": ["used_at"],
    "packages": ["group", "active", "options", "provenance"],
    "datasets": ["transient"],
    "runs": ["key", "recoveries"],
    "steps": ["cached"],
    "units": ["cached", "key"],
}
"""Columns that tables of the first schema got later."""


def test_a_ledger_from_before_there_were_jobs_is_brought_up_to_date(
    ledger: Ledger, url: str, run_id: int
) -> None:
    with ledger.writing() as tx:
        tx.execute(text("DROP INDEX ix_runs_key"))
        tx.execute(text("ALTER TABLE steps ADD COLUMN merge_order INTEGER"))
        for table in ("jobs", "activities", "plugins"):
            tx.execute(text(f"DROP TABLE {table}"))
        for table, columns in LATER.items():
            for column in columns:
                tx.execute(text(f'ALTER TABLE {table} DROP COLUMN "{column}"'))
        tx.execute(text("UPDATE ledger_version SET version_num = '0001'"))
    with Ledger(url) as newer:
        add(newer, run_id, "w1", "1001")
        assert [row.name for row in rows(newer, run_id)] == ["w1"]
