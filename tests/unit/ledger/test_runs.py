from __future__ import annotations

from collections.abc import Callable

import pytest

from treadle.errors import LedgerError, UnknownName
from treadle.ledger import Ledger, datasets, runs
from treadle.ledger.runs import RunRecord, StepRecord
from treadle.model.dataset import Dataset
from treadle.model.plan import Plan
from treadle.model.states import RUN_TRANSITIONS, STEP_TRANSITIONS, RunState, StepState

START = """
from treadle.errors import LedgerError
from treadle.ledger import Ledger, runs
from treadle.model.states import RunState

def go(url, run, number):
    with Ledger(url) as ledger:
        try:
            with ledger.writing() as tx:
                runs.set_run_state(tx, int(run), RunState.RUNNING)
            print("mine")
        except LedgerError as error:
            print(error.what)
"""

ROUTE_TO_RUN = {
    RunState.SUBMITTED: [],
    RunState.RUNNING: [RunState.RUNNING],
    RunState.DONE: [RunState.RUNNING, RunState.DONE],
    RunState.FAILED: [RunState.RUNNING, RunState.FAILED],
    RunState.CANCELLED: [RunState.CANCELLED],
}
ROUTE_TO_STEP = {
    StepState.PLANNED: [],
    StepState.RUNNING: [StepState.RUNNING],
    StepState.DONE: [StepState.RUNNING, StepState.DONE],
    StepState.FAILED: [StepState.RUNNING, StepState.FAILED],
    StepState.CANCELLED: [StepState.CANCELLED],
    StepState.NOT_RUN: [StepState.NOT_RUN],
}


def load(ledger: Ledger, run_id: int) -> RunRecord:
    with ledger.reading() as tx:
        return runs.load_run(tx, run_id)


def move(ledger: Ledger, run_id: int, *states: RunState, error: str | None = None) -> RunRecord:
    for state in states:
        with ledger.writing() as tx:
            runs.set_run_state(tx, run_id, state, error)
    return load(ledger, run_id)


def move_step(ledger: Ledger, run_id: int, *states: StepState, error: str | None = None) -> StepRecord:
    for state in states:
        with ledger.writing() as tx:
            runs.set_step_state(tx, run_id, 1, state, error)
    return load(ledger, run_id).steps[1]


def test_a_submitted_run_holds_its_plan_and_its_steps(
    ledger: Ledger, plan: Plan, add_run: Callable[[], int]
) -> None:
    record = load(ledger, add_run())
    assert record.plan == plan
    assert (record.workflow, record.dataset, record.state) == ("segment", "plate 1", RunState.SUBMITTED)
    assert (record.started_at, record.ended_at, record.prefect_flow_run_id) == (None, None, None)
    assert [(step.position, step.name, step.state, step.units, step.done) for step in record.steps] == [
        (0, "first", StepState.PLANNED, 2, 0),
        (1, "second", StepState.PLANNED, None, 0),
    ]


def test_the_snapshot_stays_when_the_dataset_changes(
    ledger: Ledger, dataset: Dataset, add_run: Callable[[], int]
) -> None:
    run_id = add_run()
    with ledger.writing() as tx:
        datasets.apply_merge(tx, load(ledger, run_id).dataset_id, [], [dataset.items[0].zarr_url])
    with ledger.reading() as tx:
        assert runs.load_snapshot(tx, run_id) == dataset


def test_times_follow_the_states(ledger: Ledger, add_run: Callable[[], int]) -> None:
    run_id = add_run()
    running = move(ledger, run_id, RunState.RUNNING)
    assert running.started_at is not None
    assert running.ended_at is None
    ended = move(ledger, run_id, RunState.FAILED, error="step 'first' failed\0")
    assert ended.ended_at is not None
    assert ended.created_at <= running.started_at == ended.started_at <= ended.ended_at
    assert ended.error == "step 'first' failed?"


@pytest.mark.parametrize("wanted", list(RunState))
@pytest.mark.parametrize("present", list(RunState))
def test_a_run_moves_only_as_the_table_of_transitions_says(
    ledger: Ledger, add_run: Callable[[], int], present: RunState, wanted: RunState
) -> None:
    run_id = add_run()
    before = move(ledger, run_id, *ROUTE_TO_RUN[present])
    if wanted in RUN_TRANSITIONS[present]:
        assert move(ledger, run_id, wanted).state is wanted
    else:
        with pytest.raises(LedgerError, match=f"Run {run_id} is {present} and cannot become {wanted}"):
            move(ledger, run_id, wanted)
        assert load(ledger, run_id) == before


@pytest.mark.parametrize("wanted", list(StepState))
@pytest.mark.parametrize("present", list(StepState))
def test_a_step_moves_only_as_the_table_of_transitions_says(
    ledger: Ledger, add_run: Callable[[], int], present: StepState, wanted: StepState
) -> None:
    run_id = add_run()
    before = move_step(ledger, run_id, *ROUTE_TO_STEP[present])
    if wanted in STEP_TRANSITIONS[present]:
        assert move_step(ledger, run_id, wanted).state is wanted
    else:
        with pytest.raises(LedgerError, match=f"is {present} and cannot become {wanted}"):
            move_step(ledger, run_id, wanted)
        assert load(ledger, run_id).steps[1] == before
    assert load(ledger, run_id).steps[0].state is StepState.PLANNED


def test_a_step_keeps_why_it_failed_and_one_that_never_ran_has_no_times(
    ledger: Ledger, add_run: Callable[[], int]
) -> None:
    failed = move_step(ledger, add_run(), StepState.RUNNING, StepState.FAILED, error="2 units failed")
    assert failed.error == "2 units failed"
    assert failed.started_at is not None
    assert failed.ended_at is not None
    not_run = move_step(ledger, add_run(), StepState.NOT_RUN)
    assert (not_run.started_at, not_run.ended_at) == (None, None)


def test_of_several_processes_one_starts_a_run(url: str, race, add_run: Callable[[], int]) -> None:
    run_id = add_run()
    told = sorted(race(START, url, run_id, processes=4))
    assert told == [f"Run {run_id} is running and cannot become running.\n"] * 3 + ["mine\n"]


def test_the_flow_run_of_prefect_is_noted(ledger: Ledger, add_run: Callable[[], int]) -> None:
    first, second = add_run(), add_run()
    with ledger.writing() as tx:
        runs.set_prefect_run(tx, first, "8d6f")
    assert load(ledger, first).prefect_flow_run_id == "8d6f"
    assert load(ledger, second).prefect_flow_run_id is None


def test_the_latest_runs_come_first(ledger: Ledger, add_run: Callable[[], int]) -> None:
    ids = [add_run() for _ in range(3)]
    with ledger.reading() as tx:
        listed = runs.list_runs(tx, 2)
    assert [(run.id, run.workflow, run.state) for run in listed] == [
        (ids[2], "segment", RunState.SUBMITTED),
        (ids[1], "segment", RunState.SUBMITTED),
    ]


def test_an_unknown_run_or_step_is_named(ledger: Ledger, add_run: Callable[[], int]) -> None:
    with ledger.writing() as tx, pytest.raises(UnknownName, match="no run yet"):
        runs.load_run(tx, 7)
    run_id = add_run()
    with ledger.writing() as tx:
        for call in (
            lambda: runs.load_run(tx, 7),
            lambda: runs.load_snapshot(tx, 7),
            lambda: runs.set_prefect_run(tx, 7, "x"),
            lambda: runs.set_run_state(tx, 7, RunState.RUNNING),
        ):
            with pytest.raises(UnknownName, match=f"no run 7. The latest run is {run_id}"):
                call()
        with pytest.raises(UnknownName, match=f"Run {run_id} has no step 2"):
            runs.set_step_state(tx, run_id, 2, StepState.RUNNING)
