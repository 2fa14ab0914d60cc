"""Runs whose drivers and workers are killed at any moment end as if nothing had happened."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from treadle.compile import taking_up
from treadle.compile.scope import Scope
from treadle.compile.settling import mark_failed, settle
from treadle.compile.step import StepRun
from treadle.compile.taking_up import take_up
from treadle.errors import LeaseLost, LedgerError
from treadle.execute.journal import open_journal
from treadle.execute.records import ended_without_result
from treadle.model.policy import OnFailure, Retries
from treadle.model.states import Cause, RunState, StepState, UnitState
from treadle.testing.bench import Asked, NewBench
from treadle.testing.deaths import Fate

CHAIN = ["Make", "Mark", "Derive", "Parts", "Count"]
CHAINS = st.lists(st.sampled_from(CHAIN), min_size=1, max_size=4).filter(
    lambda names: names.count("Count") < 3  # each removes one of three items
)
RETRIED = [Cause.FAILED, Cause.TIMEOUT, Cause.OUT_OF_MEMORY, Cause.WORKER_LOST, Cause.INVALID_OUTPUT]


@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_killed_anywhere_a_run_ends_as_if_undisturbed_and_no_finished_unit_runs_again(
    new_bench: NewBench, data: st.DataObject
) -> None:
    names = data.draw(CHAINS, label="tasks")
    asked = Asked(names, Retries(attempts=data.draw(st.integers(1, 3), label="attempts")))
    undisturbed = new_bench(asked)
    undisturbed.drive_to_the_end(attempts=1, pipelined=False)
    expected = undisturbed.items
    deaths = data.draw(st.integers(0, 4), label="deaths")
    fate = Fate(
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


BRANCHES = [[], [0], [0], [0], [1, 3]]
"""A step, three branches, and a step that two of them lead to."""


@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_whichever_branch_ends_first_and_whoever_is_killed_the_dataset_comes_to_the_same(
    new_bench: NewBench, data: st.DataObject
) -> None:
    branch = st.sampled_from(["Mark", "Derive", "Silent", "Make", "Parts"])
    names = [data.draw(branch, label=f"task {place}") for place in range(5)]
    asked = Asked(names, needs=BRANCHES)
    undisturbed = new_bench(asked)
    assume(undisturbed.drive(order=range(5)).state is RunState.DONE)  # branches may contradict each other
    deaths = data.draw(st.integers(0, 2), label="deaths")
    gaps = data.draw(st.lists(st.integers(0, 40), min_size=deaths, max_size=deaths), label="gaps")
    disturbed = new_bench(asked, Fate(gaps, ["driver"] * deaths))
    order = data.draw(st.sampled_from([[0, 3, 2, 1, 4], [0, 3, 1, 4, 2], [0, 2, 1, 3, 4]]), label="order")

    disturbed.drive_to_the_end(order=order)

    assert disturbed.items == undisturbed.items
    assert disturbed.world.repeated == set()


def test_a_branch_does_not_see_what_the_other_made(new_bench: NewBench) -> None:
    bench = new_bench(Asked(["Mark", "Derive", "Mark"], needs=[[], [0], [0]], items=2))

    bench.drive_to_the_end(attempts=1, order=[0, 1, 2])

    assert [len(bench.units(place)) for place in range(3)] == [2, 2, 2]
    assert [item.zarr_url.rpartition("/")[2] for item in bench.items] == [
        "item-0",
        "item-1",
        "item-0-derived",
        "item-1-derived",
    ]


@pytest.mark.parametrize("order", [[0, 1, 2], [0, 2, 1]])
def test_of_two_branches_that_contradict_each_other_the_later_fails_and_the_other_stays(
    new_bench: NewBench, order: list[int]
) -> None:
    bench = new_bench(Asked(["Silent", "Count", "Derive"], needs=[[], [0], [0]], items=1))

    record = bench.drive(order=order)

    assert record.state is RunState.DONE
    bench = new_bench(Asked(["Silent", "Count", "Count"], needs=[[], [0], [0]], items=1))

    record = bench.drive(order=order)

    assert record.state is RunState.FAILED
    assert {step.position: step.state for step in record.steps}[order[-1]] is StepState.FAILED
    assert "neither of which needs the other" in str(record.error)
    assert bench.items == ()


@pytest.mark.parametrize("victim", ["driver", "worker"])
def test_every_single_moment_of_a_run_survives_a_kill(new_bench: NewBench, victim: str) -> None:
    asked = Asked(["Mark", "Derive"], items=2)
    undisturbed = new_bench(asked)
    undisturbed.drive_to_the_end(attempts=1, pipelined=False)
    expected = undisturbed.items
    for moment in range(1000):
        bench = new_bench(asked, Fate([moment], [victim]))
        bench.drive_to_the_end()
        assert bench.items == expected
        assert bench.world.repeated == set()
        if bench.world.fate.deaths == 0:
            break
    assert moment > 20


def test_a_driver_killed_between_journal_and_ledger_repeats_nothing(new_bench: NewBench) -> None:
    bench = new_bench(Asked(["Mark"], items=3))
    step_begins = 4  # two events each of the transactions that take the run up and begin the step
    plan = 2
    first_unit = 3
    bench.world.fate.gaps, bench.world.fate.victims = [step_begins + plan + first_unit], ["driver"]

    bench.drive()
    assert bench.world.started == {(0, 0): 1}
    assert [entry.state for entry in bench.units(0)] == [UnitState.PLANNED] * 3
    bench.drive_to_the_end(attempts=1)

    assert bench.world.started == {(0, 0): 1, (0, 1): 1, (0, 2): 1}


def test_a_finished_run_that_is_resumed_stays_as_it_is(new_bench: NewBench) -> None:
    bench = new_bench(Asked(["Mark"]))
    before = bench.drive_to_the_end(attempts=1)
    started = dict(bench.world.started)

    assert bench.drive() == before
    assert bench.world.started == started


def test_a_resumed_step_merges_its_late_units_where_they_would_have_been(new_bench: NewBench) -> None:
    asked = Asked(["Derive", "Mark"], items=3)
    undisturbed = new_bench(asked)
    undisturbed.drive_to_the_end(attempts=1, pipelined=False)
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


def test_a_driver_that_lost_its_lease_writes_nothing_more_and_its_workers_begin_nothing(
    new_bench: NewBench,
) -> None:
    bench = new_bench(Asked(["Mark", "Derive"], items=3))
    asleep = bench.context()
    take_up(asleep, "flow-run")
    StepRun(asleep, 0).run()
    awake = bench.context()
    take_up(awake, "flow-run")
    before = (bench.record, bench.items, dict(bench.world.started))

    for act in (StepRun(asleep, 1).run, lambda: settle(asleep), lambda: mark_failed(asleep, OSError())):
        with pytest.raises(LeaseLost):
            act()
    with pytest.raises(LeaseLost), open_journal(bench.folder, "worker", asleep.driver):
        pass

    assert (bench.record, bench.items, dict(bench.world.started)) == before
    assert StepRun(awake, 1).run().state is StepState.DONE
    assert settle(awake).state is RunState.DONE


def test_a_new_driver_waits_until_the_workers_of_the_last_have_ended(
    new_bench: NewBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(taking_up, "WORKERS_SECONDS", 0.1)
    bench = new_bench(Asked(["Mark"]))
    first = bench.context()
    take_up(first, "flow-run")
    with open_journal(bench.folder, "worker", first.driver):
        second = bench.context()
        with pytest.raises(LedgerError, match="still running units"):
            take_up(second, "flow-run")
    assert take_up(second, "flow-run").state is RunState.RUNNING


def test_a_step_goes_on_without_units_that_fail_and_they_can_be_tried_again(new_bench: NewBench) -> None:
    asked = Asked(["Derive", "Mark"], on_failure=OnFailure.CONTINUE, threshold=0.5, items=3)
    undisturbed = new_bench(asked)
    undisturbed.drive_to_the_end(attempts=1)
    derived = [item.zarr_url for item in undisturbed.items[3:]]
    bench = new_bench(asked)
    bench.world.failures = {(0, 1): [Cause.FAILED]}

    record = bench.drive()

    assert record.state is RunState.DONE
    assert (record.steps[0].done, record.steps[0].failed) == (2, 1)
    again = bench.drive(Scope(frozenset({0}), with_done=True))
    assert (again.state, again.steps[0].failed) == (RunState.DONE, 0)
    assert bench.world.started[0, 1] == 2
    assert bench.world.started[0, 0] == 1
    assert [item.zarr_url for item in bench.items[3:]] == derived


@pytest.mark.parametrize(("threshold", "failing"), [(0.3, 1), (1, 3)])
def test_too_many_failures_end_the_run_whatever_the_step_says(
    new_bench: NewBench, threshold: float, failing: int
) -> None:
    asked = Asked(["Derive", "Count"], on_failure=OnFailure.CONTINUE, threshold=threshold)
    bench = new_bench(asked)
    bench.world.failures = {(0, index): [Cause.FAILED] for index in range(failing)}

    record = bench.drive()

    assert [step.state for step in record.steps] == [StepState.FAILED, StepState.NOT_RUN]
    assert f"{failing} failed" in str(record.error)
    assert "it was failed" in str(record.error)


def test_memory_and_time_grow_from_attempt_to_attempt_and_over_a_resumption(new_bench: NewBench) -> None:
    asked = Asked(["Mark"], Retries(attempts=2), meta={"mem": 1000, "time": "10"}, items=2)
    bench = new_bench(asked)
    bench.world.failures = {
        (0, 0): [Cause.OUT_OF_MEMORY, Cause.OUT_OF_MEMORY],
        (0, 1): [Cause.TIMEOUT, Cause.TIMEOUT],
    }

    assert bench.drive().state is RunState.FAILED
    assert bench.drive().state is RunState.DONE

    first, second = bench.world.calls[0, 0], bench.world.calls[0, 1]
    assert [(call.attempt, call.memory_mb) for call in first] == [(1, 1000), (2, 1500), (3, 2250)]
    assert [(call.attempt, call.timeout_seconds) for call in second] == [(1, 600), (2, 900), (3, 1350)]


def test_a_new_run_believes_no_journal_that_another_ledgers_run_of_its_number_left(
    new_bench: NewBench,
) -> None:
    asked = Asked(["Make", "Mark"])
    run = new_bench(asked)
    with open_journal(run.folder, "worker") as journal:
        for index in range(9):
            journal.append(1, ended_without_result(index, Cause.FAILED, "of another run"))
    record = run.drive()
    assert record.state is RunState.DONE
    assert {entry.state for entry in run.units(1)} == {UnitState.DONE}
