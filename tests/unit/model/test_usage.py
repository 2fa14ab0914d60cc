"""What was used of what was reserved."""

from __future__ import annotations

import pytest

from treadle.model.resources import Resources
from treadle.model.usage import Share, UnitSums, Usage, job_usage, units_usage

UNITS = UnitSums(
    count=4, seconds=100.0, cpu_seconds=150.0, peak_memory_bytes=3_000_000_000, memory_byte_seconds=200e9
)
JOB = {
    "cpus": 4,
    "memory_mb": 8000,
    "queue_seconds": 12.0,
    "run_seconds": 100.0,
    "cpu_seconds": 300.0,
    "peak_memory_mb": 6000,
}


def job(**changed: float | None) -> Usage:
    return job_usage(**(JOB | changed))  # type: ignore[arg-type]


def test_units_use_a_part_of_what_they_need() -> None:
    used = units_usage(UNITS, Resources(cpus=2, memory_mb=4000))
    assert (used.count, used.cpu_seconds, used.reserved_cpu_seconds) == (4, 150.0, 200.0)
    assert used.cpu.efficiency == 0.75
    assert used.memory.efficiency == 0.5  # 200 GB·s of 4 GB for 100 s
    assert used.peak_memory_mb == 3000
    assert used.queue_seconds is None


def test_memory_that_nobody_asked_for_has_a_peak_and_no_efficiency() -> None:
    used = units_usage(UNITS, Resources())
    assert used.memory.efficiency is None
    assert used.peak_memory_mb == 3000


def test_units_that_took_no_time_have_no_efficiency() -> None:
    used = units_usage(UnitSums(1, 0.0, 0.0, 0, 0.0), Resources(memory_mb=100))
    assert (used.cpu.efficiency, used.memory.efficiency, used.peak_memory_mb) == (None, None, None)


def test_a_job_reserves_its_cpus_as_long_as_it_runs() -> None:
    used = job()
    assert (used.count, used.cpu_seconds, used.reserved_cpu_seconds) == (1, 300.0, 400.0)
    assert (used.cpu.efficiency, used.memory.efficiency) == (0.75, 0.75)
    assert (used.peak_memory_mb, used.queue_seconds) == (6000, 12.0)


def test_a_job_that_never_began_reserved_nothing() -> None:
    used = job(queue_seconds=None, run_seconds=None, cpu_seconds=None, peak_memory_mb=None)
    assert used == Usage(count=1)


def test_a_job_that_nobody_measured_counts_and_does_not_spoil_the_efficiency_of_others() -> None:
    both = job() + job(cpu_seconds=None, peak_memory_mb=None)
    assert both.reserved_cpu_seconds == 800.0
    assert (both.cpu.efficiency, both.memory.efficiency) == (0.75, 0.75)


def test_long_jobs_weigh_more() -> None:
    both = job() + job(run_seconds=300.0, cpu_seconds=0.0, peak_memory_mb=2000)
    assert both.cpu.efficiency == pytest.approx(300 / 1600)
    assert both.memory.efficiency == pytest.approx((6000 * 100 + 2000 * 300) / (8000 * 400))
    assert (both.peak_memory_mb, both.queue_seconds) == (6000, 24.0)


def test_usages_add_up_in_any_order() -> None:
    usages = [job(), Usage(), units_usage(UNITS, Resources(cpus=2)), Usage(queue_seconds=1.0)]
    total = sum(usages, start=Usage())
    assert sum(reversed(usages), start=Usage()) == total
    assert (total.count, total.queue_seconds, total.peak_memory_mb) == (5, 13.0, 6000)
    assert Usage() + Usage() == Usage()
    assert (Share() + Share(1.0, 2.0)).efficiency == 0.5
