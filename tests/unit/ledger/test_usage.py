from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta

import pytest

from treadle.ledger import Ledger, jobs, units, usage
from treadle.model.records import UnitRecord
from treadle.model.states import UnitState
from treadle.model.task import Part
from treadle.model.units import Unit
from treadle.model.usage import UnitSums

START = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)
GB = 1_000_000_000


def ended(
    index: int,
    *,
    seconds: float = 2.0,
    gigabytes: int = 1,
    worker: str = "w1",
    after: int = 0,
    attempt: int = 1,
) -> UnitRecord:
    return UnitRecord(
        index=index,
        state=UnitState.DONE if attempt == 1 else UnitState.FAILED,
        cause=None,
        error=None,
        output=None,
        exit_code=0,
        seconds=seconds,
        cpu_seconds=seconds * 1.5,
        peak_memory_bytes=gigabytes * GB,
        host="n1",
        worker=worker,
        started_at=START + timedelta(seconds=after),
        log_file=None,
        log_offset=0,
        log_length=0,
        attempt=attempt,
    )


def record(
    ledger: Ledger, run_id: int, position: int, records: Iterable[UnitRecord], *, part: Part = Part.PARALLEL
) -> None:
    known = list(records)
    with ledger.writing() as tx:
        planned = [Unit(one.index, part, None, {}) for one in known]
        units.plan_units(tx, run_id, position, planned)
        units.record_units(tx, run_id, position, known)


def add_job(ledger: Ledger, run_id: int, name: str) -> None:
    with ledger.writing() as tx:
        jobs.add_job(
            tx, run_id, name=name, cluster="slurm", job_id=name, shape="1 cpu", cpus=1, memory_mb=None
        )


@pytest.fixture
def run_id(add_run: Callable[[], int]) -> int:
    return add_run()


def test_sums_are_of_each_step_and_part(ledger: Ledger, run_id: int) -> None:
    record(ledger, run_id, 0, [ended(0, seconds=9.0)], part=Part.NON_PARALLEL)
    record(ledger, run_id, 0, [ended(1, gigabytes=8), ended(2, seconds=3.0)])
    record(ledger, run_id, 1, [ended(0)])
    with ledger.reading() as tx:
        assert usage.unit_sums(tx, [run_id]) == {
            run_id: {
                (0, Part.NON_PARALLEL): UnitSums(1, 9.0, 13.5, GB, 9.0 * GB),
                (0, Part.PARALLEL): UnitSums(2, 5.0, 7.5, 8 * GB, 19.0 * GB),
                (1, Part.PARALLEL): UnitSums(1, 2.0, 3.0, GB, 2.0 * GB),
            }
        }


def test_units_that_have_not_ended_count_nothing(ledger: Ledger, run_id: int) -> None:
    with ledger.writing() as tx:
        units.plan_units(tx, run_id, 0, [Unit(0, Part.PARALLEL, None, {})])
        assert usage.unit_sums(tx, [run_id]) == {run_id: {}}


def test_sums_are_of_each_run(ledger: Ledger, add_run: Callable[[], int]) -> None:
    one, other, third = add_run(), add_run(), add_run()
    record(ledger, one, 0, [ended(0)])
    record(ledger, other, 0, [ended(0), ended(1)])
    record(ledger, third, 0, [ended(0)])
    with ledger.reading() as tx:
        found = usage.unit_sums(tx, [one, other])
        assert {run: sums[0, Part.PARALLEL].count for run, sums in found.items()} == {one: 1, other: 2}
        assert usage.unit_sums(tx, []) == {}


def test_the_step_that_a_job_was_for_is_that_of_its_first_unit(ledger: Ledger, run_id: int) -> None:
    for name in ("w1", "w2", "w3"):
        add_job(ledger, run_id, name)
    record(ledger, run_id, 0, [ended(0, after=10), ended(1, worker="w2", after=30), ended(2, worker="local")])
    record(ledger, run_id, 1, [ended(0, after=20), ended(1, worker="w2", after=25)])
    with ledger.reading() as tx:
        assert usage.first_steps(tx, run_id) == {"w1": 0, "w2": 1}


def test_plans_owners_and_jobs_come_by_run(ledger: Ledger, add_run: Callable[[], int]) -> None:
    one, other = add_run(), add_run()
    add_job(ledger, one, "b")
    add_job(ledger, one, "a")
    with ledger.reading() as tx:
        assert [job.name for job in usage.jobs_of_runs(tx, [one, other])[one]] == ["b", "a"]
        assert usage.jobs_of_runs(tx, [other]) == {other: []}
        assert usage.owners_of(tx, [one, other]) == {one: "local", other: "local"}
        assert [len(plan.steps) for plan in usage.plans_of(tx, [one]).values()] == [2]


def test_outcomes_have_percentiles_by_nearest_rank_of_units_that_ended_alike(
    ledger: Ledger, run_id: int
) -> None:
    times = [float(number) for number in range(1, 101)]
    record(ledger, run_id, 0, [ended(index, seconds=time) for index, time in enumerate(reversed(times))])
    record(ledger, run_id, 0, [ended(100 + index, seconds=1000.0, attempt=3) for index in range(2)])
    with ledger.writing() as tx:
        units.plan_units(tx, run_id, 0, [Unit(200, Part.PARALLEL, None, {})])
        done, failed, planned = usage.outcomes(tx, run_id)[0]

    assert (done.state, done.count, done.p50_seconds, done.p95_seconds) == (UnitState.DONE, 100, 50.0, 95.0)
    assert done.cpu_seconds == pytest.approx(sum(times) * 1.5)
    assert done.peak_memory_bytes == GB
    assert (failed.state, failed.count, failed.p50_seconds, failed.retries) == (
        UnitState.FAILED,
        2,
        1000.0,
        4,
    )
    assert (planned.count, planned.p50_seconds, planned.peak_memory_bytes) == (1, None, None)


def test_outcomes_of_one_step_leave_the_others_out(ledger: Ledger, run_id: int) -> None:
    record(ledger, run_id, 0, [ended(0, seconds=1.0)])
    record(ledger, run_id, 1, [ended(0, seconds=2.0), ended(1, seconds=4.0)])
    with ledger.reading() as tx:
        assert [*usage.outcomes(tx, run_id)] == [0, 1]
        [only] = usage.outcomes(tx, run_id, 1)[1]
    assert (only.count, only.p50_seconds, only.p95_seconds) == (2, 2.0, 4.0)
