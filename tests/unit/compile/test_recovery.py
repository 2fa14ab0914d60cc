"""Runs whose drivers and workers are killed at any moment end as if nothing had happened."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from treadle.model.policy import Retries
from treadle.model.states import Cause, StepState, UnitState

CHAIN = ["Make", "Mark", "Derive", "Parts", "Count"]
RETRIED = [Cause.FAILED, Cause.TIMEOUT, Cause.OUT_OF_MEMORY, Cause.WORKER_LOST, Cause.INVALID_OUTPUT]


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_killed_anywhere_a_run_ends_as_if_undisturbed_and_no_finished_unit_runs_again(
    new_bench: Any, bench_parts: Any, data: st.DataObject
) -> None:
    names = data.draw(st.lists(st.sampled_from(CHAIN), min_size=1, max_size=4), label="tasks")
    asked = bench_parts.Asked(names, Retries(attempts=data.draw(st.integers(1, 3), label="attempts")))
    undisturbed = new_bench(asked)
    undisturbed.drive_to_the_end(attempts=1)
    expected = undisturbed.items
    deaths = data.draw(st.integers(0, 4), label="deaths")
    fate = bench_parts.Fate(
        gaps=data.draw(st.lists(st.integers(0, 40), min_size=deaths, max_size=deaths), label="gaps"),
        victims=data.draw(
            st.lists(st.sampled_from(["driver", "worker"]), min_size=deaths, max_size=deaths), label="victims"
        ),
    )
    disturbed = new_bench(asked, fate)
    unit = st.tuples(st.integers(0, len(names) - 1), st.integers(0, 4))
    causes = st.lists(st.sampled_from(RETRIED), min_size=1, max_size=3)
    disturbed.world.failures = data.draw(st.dictionaries(unit, causes, max_size=3), label="failures")

    record = disturbed.drive_to_the_end()

    assert disturbed.items == expected
    assert disturbed.world.repeated == set()
    for step in record.steps:
        entries = disturbed.units(step.position)
        assert {entry.state for entry in entries} == {UnitState.DONE}
        assert (step.units, step.done, step.failed) == (len(entries), len(entries), 0)


@pytest.mark.parametrize("victim", ["driver", "worker"])
def test_every_single_moment_of_a_run_survives_a_kill(new_bench: Any, bench_parts: Any, victim: str) -> None:
    asked = bench_parts.Asked(["Mark", "Derive"], items=2)
    undisturbed = new_bench(asked)
    undisturbed.drive_to_the_end(attempts=1)
    expected = undisturbed.items
    for moment in range(1000):
        bench = new_bench(asked, bench_parts.Fate([moment], [victim]))
        bench.drive_to_the_end()
        assert bench.items == expected
        assert bench.world.repeated == set()
        if bench.world.fate.deaths == 0:
            break
    assert moment > 20


def test_a_driver_killed_between_journal_and_ledger_repeats_nothing(new_bench: Any, bench_parts: Any) -> None:
    bench = new_bench(bench_parts.Asked(["Mark"], items=3))
    step_begins = 4  # two events each of the transactions that take the run up and begin the step
    plan = 2
    first_unit = 3
    bench.world.fate.gaps, bench.world.fate.victims = [step_begins + plan + first_unit], ["driver"]

    bench.drive()
    assert bench.world.started == {(0, 0): 1}
    assert [entry.state for entry in bench.units(0)] == [UnitState.PLANNED] * 3
    bench.drive_to_the_end(attempts=1)

    assert bench.world.started == {(0, 0): 1, (0, 1): 1, (0, 2): 1}


def test_a_finished_run_that_is_resumed_stays_as_it_is(new_bench: Any, bench_parts: Any) -> None:
    bench = new_bench(bench_parts.Asked(["Mark"]))
    before = bench.drive_to_the_end(attempts=1)
    started = dict(bench.world.started)

    assert bench.drive() == before
    assert bench.world.started == started


def test_a_resumed_step_merges_its_late_units_where_they_would_have_been(
    new_bench: Any, bench_parts: Any
) -> None:
    asked = bench_parts.Asked(["Derive", "Mark"], items=3)
    undisturbed = new_bench(asked)
    undisturbed.drive_to_the_end(attempts=1)
    expected = undisturbed.items
    bench = new_bench(asked)
    bench.world.failures = {(0, 0): [Cause.FAILED]}

    record = bench.drive()
    assert record.steps[0].state is StepState.FAILED
    assert [item.zarr_url for item in bench.items[3:]] == ["/data/item-1-derived", "/data/item-2-derived"]
    bench.drive_to_the_end(attempts=1)

    assert bench.items == expected
    assert bench.world.started[0, 0] == 2
    assert bench.world.started[0, 1] == 1
