"""Jobs of a run's cluster in the ledger."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from treadle.clusters.port import JobOver, JobStarted
from treadle.compile.context import RunContext
from treadle.compile.jobs import TRIES, LedgerBook
from treadle.errors import LeaseLost, LedgerBusy
from treadle.ledger import Ledger, Transaction, jobs, leases
from treadle.ledger.jobs import JobRow
from treadle.testing.bench import Asked, Bench, NewBench

JOB = JobStarted("17", "pool-1-a", "world", "2 cpus, 4 GB", 2, 4000)
AT = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)
OVER = JobOver("17", "COMPLETED", "n2", AT, AT, AT, 1.5, 900, "done")


class BusyLedger:
    """A ledger that others hold for the first few transactions."""

    def __init__(self, ledger: Ledger, times: int) -> None:
        self._ledger = ledger
        self.times = times

    @contextmanager
    def writing(self) -> Iterator[Transaction]:
        self.times -= 1
        if self.times >= 0:
            raise LedgerBusy("held")
        with self._ledger.writing() as tx:
            yield tx


@pytest.fixture
def bench(new_bench: NewBench) -> Bench:
    return new_bench(Asked(["Mark"]))


def book_of(context: RunContext, busy: int = 0) -> LedgerBook:
    return LedgerBook(replace(context, ledger=BusyLedger(context.ledger, busy)))  # type: ignore[arg-type]


def rows(bench: Bench) -> list[JobRow]:
    with bench.ledger.reading() as tx:
        return jobs.list_jobs(tx, bench.run_id)


def test_a_job_is_written_with_its_end(bench: Bench) -> None:
    book = LedgerBook(bench.context())
    book.started(JOB)
    assert [(row.job_id, row.name, row.state) for row in rows(bench)] == [("17", "pool-1-a", None)]
    book.over(OVER)
    [row] = rows(bench)
    assert (row.state, row.node, row.cpu_seconds, row.peak_memory_mb) == ("COMPLETED", "n2", 1.5, 900)


def test_an_end_is_written_after_the_run_has_ended_and_a_start_is_not(bench: Bench) -> None:
    context = bench.context()
    book = LedgerBook(context)
    book.started(JOB)
    with bench.ledger.writing() as tx:
        leases.release(tx, context.run_id, context.driver)
    book.over(OVER)
    with pytest.raises(LeaseLost):
        book.started(replace(JOB, id="18", name="pool-1-b"))
    assert [(row.job_id, row.state) for row in rows(bench)] == [("17", "COMPLETED")]


def test_an_end_waits_for_a_ledger_that_others_hold(bench: Bench) -> None:
    context = bench.context()
    LedgerBook(context).started(JOB)
    book_of(context, busy=TRIES - 1).over(OVER)
    assert [row.state for row in rows(bench)] == ["COMPLETED"]


def test_a_ledger_that_is_never_free_is_an_error(bench: Bench) -> None:
    context = bench.context()
    LedgerBook(context).started(JOB)
    with pytest.raises(LedgerBusy):
        book_of(context, busy=TRIES).over(OVER)
    with pytest.raises(LedgerBusy):
        book_of(context, busy=1).started(JOB)


def test_the_end_of_a_job_of_another_run_is_no_error(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        LedgerBook(bench.context()).over(OVER)
    assert "job=17" in caplog.text
    assert rows(bench) == []
