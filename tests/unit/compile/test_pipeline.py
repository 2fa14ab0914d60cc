"""Consecutive parallel steps: an item goes on while others are still in the step before."""

from __future__ import annotations

import threading

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from treadle.compile.scope import Scope
from treadle.model.policy import OnFailure
from treadle.model.states import Cause, RunState, StepState, UnitState
from treadle.testing.bench import Asked, NewBench

PARALLEL = ["Mark", "Derive", "Silent"]
SECONDS = 20.0


class Gate:
    """Holds one unit until another has begun."""

    def __init__(self, held: tuple[int, int], until: tuple[int, int]) -> None:
        self._held = held
        self._until = until
        self._open = threading.Event()
        self.opened_in_time = True

    def __call__(self, unit: tuple[int, int]) -> None:
        if unit == self._until:
            self._open.set()
        if unit == self._held:
            self.opened_in_time = self._open.wait(SECONDS)


@pytest.mark.parametrize("names", [["Mark", "Mark"], ["Derive", "Mark"], ["Silent", "Derive"]])
def test_an_item_enters_the_next_step_while_another_is_in_this_one(
    new_bench: NewBench, names: list[str]
) -> None:
    bench = new_bench(Asked(names, items=3))
    bench.world.before_unit = gate = Gate(held=(0, 2), until=(1, 1))

    record = bench.drive()

    assert gate.opened_in_time
    assert record.state is RunState.DONE


def test_an_item_passes_through_three_steps_while_another_is_in_the_first(new_bench: NewBench) -> None:
    bench = new_bench(Asked(["Mark", "Silent", "Mark"], items=2))
    bench.world.before_unit = gate = Gate(held=(0, 1), until=(2, 0))

    assert bench.drive().state is RunState.DONE
    assert gate.opened_in_time


@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_pipelined_runs_come_to_what_runs_with_barriers_come_to(
    new_bench: NewBench, data: st.DataObject
) -> None:
    names = data.draw(st.lists(st.sampled_from([*PARALLEL, "Parts"]), min_size=2, max_size=4), label="tasks")
    failing = data.draw(st.sets(st.tuples(st.integers(0, 3), st.integers(0, 3)), max_size=3), label="failing")
    asked = Asked(names, on_failure=OnFailure.CONTINUE, threshold=1, items=4)
    benches = {}
    for pipelined in (False, True):
        bench = benches[pipelined] = new_bench(asked)
        bench.world.failing_items = {(position, f"/data/item-{number}") for position, number in failing}
        bench.drive(pipelined=pipelined)
        benches[pipelined] = (
            bench.record.state,
            bench.items,
            [(step.state, step.units, step.done, step.failed) for step in bench.record.steps],
        )

    assert benches[True] == benches[False]


def test_nothing_is_merged_of_a_step_whose_predecessor_fails_and_nothing_of_it_runs_twice(
    new_bench: NewBench,
) -> None:
    asked = Asked(["Mark", "Derive"], items=3)
    undisturbed = new_bench(asked)
    undisturbed.drive(pipelined=False)
    expected = undisturbed.items
    bench = new_bench(asked)
    bench.world.failures = {(0, 2): [Cause.FAILED]}
    bench.world.before_unit = Gate(held=(0, 2), until=(1, 1))

    record = bench.drive()

    assert [step.state for step in record.steps] == [StepState.FAILED, StepState.CANCELLED]
    assert "step '0 Mark' is not done" in str(record.steps[1].error)
    assert record.state is RunState.FAILED
    assert len(bench.items) == 3
    assert [entry.state for entry in bench.units(1)] == [UnitState.DONE] * 2

    bench.drive_to_the_end(attempts=1)

    assert bench.items == expected
    assert bench.world.started == {(0, 0): 1, (0, 1): 1, (0, 2): 2, (1, 0): 1, (1, 1): 1, (1, 2): 1}


def test_units_begun_for_items_that_are_not_selected_in_the_end_are_dropped(new_bench: NewBench) -> None:
    """The last unit removes an item that another unit left behind; merging allows it."""
    bench = new_bench(Asked(["Snatch", "Mark"], items=3))
    bench.world.before_unit = gate = Gate(held=(0, 2), until=(1, 0))

    record = bench.drive()

    assert gate.opened_in_time
    assert record.state is RunState.DONE
    assert [item.zarr_url for item in bench.items] == ["/data/item-1", "/data/item-2"]
    assert [entry.zarr_url for entry in bench.units(1)] == ["/data/item-1", "/data/item-2"]
    assert (record.steps[1].units, record.steps[1].done) == (2, 2)


def test_a_scope_that_ends_with_the_first_step_begins_nothing_of_the_second(new_bench: NewBench) -> None:
    bench = new_bench(Asked(["Mark", "Mark"], items=2))

    bench.drive(Scope(frozenset({0})))

    assert bench.units(1) == []
