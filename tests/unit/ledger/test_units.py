from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, replace
from datetime import UTC, datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import event

from treadle.errors import LedgerError, UnknownName
from treadle.ledger import Ledger, runs, units
from treadle.ledger.units import UnitEntry
from treadle.model.records import UnitRecord
from treadle.model.states import Cause, UnitState
from treadle.model.task import Part
from treadle.model.units import Unit

START = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)


def planned(*indexes: int) -> list[Unit]:
    return [Unit(i, Part.PARALLEL, f"/data/{i}", {"zarr_url": f"/data/{i}", "size": 1.0}) for i in indexes]


def ended(index: int, state: UnitState = UnitState.DONE, *, attempt: int = 1) -> UnitRecord:
    done = state is UnitState.DONE
    return UnitRecord(
        index=index,
        state=state,
        cause=None if done else Cause.OUT_OF_MEMORY,
        error=None if done else "killed\0 at 9 GB",
        output={"image_list_removals": [f"/data/{index}"]} if done else None,
        exit_code=0 if done else -9,
        seconds=1.25,
        cpu_seconds=2.5,
        peak_memory_bytes=9_000_000_000,
        host="node7",
        worker="w1",
        started_at=START,
        log_file="/logs/w1.log",
        log_offset=5_000_000_000,
        log_length=17,
        attempt=attempt,
    )


def plan(ledger: Ledger, run_id: int, *indexes: int, position: int = 0) -> None:
    with ledger.writing() as tx:
        units.plan_units(tx, run_id, position, planned(*indexes))


def record(ledger: Ledger, run_id: int, *records: UnitRecord) -> None:
    with ledger.writing() as tx:
        units.record_units(tx, run_id, 0, records)


def entries(ledger: Ledger, run_id: int) -> list[UnitEntry]:
    with ledger.reading() as tx:
        return units.list_units(tx, run_id)


def counters(ledger: Ledger, run_id: int) -> tuple[int | None, int, int]:
    with ledger.reading() as tx:
        step = runs.load_run(tx, run_id).steps[0]
    return step.units, step.done, step.failed


@pytest.fixture
def run_id(add_run: Callable[[], int]) -> int:
    return add_run()


def test_a_planned_unit_knows_its_call_and_no_end(ledger: Ledger, run_id: int) -> None:
    plan(ledger, run_id, 0, 1)
    with ledger.reading() as tx:
        entry = units.load_unit(tx, run_id, 0, 1)
    assert (entry.part, entry.zarr_url, entry.args) == (
        Part.PARALLEL,
        "/data/1",
        {"zarr_url": "/data/1", "size": 1.0},
    )
    assert (entry.state, entry.attempt, entry.seconds, entry.started_at) == (UnitState.PLANNED, 0, None, None)


def test_an_ended_unit_comes_back_as_recorded(ledger: Ledger, run_id: int) -> None:
    plan(ledger, run_id, 0, 1)
    records = [ended(0), ended(1, UnitState.FAILED)]
    record(ledger, run_id, *records)
    with ledger.reading() as tx:
        read = [asdict(units.load_unit(tx, run_id, 0, index)) for index in (0, 1)]
    for unit, written in zip(read, records, strict=True):
        expected = asdict(replace(written, error=written.error and written.error.replace("\0", "?")))
        del expected["left"]
        assert {key: unit[key] for key in expected} == expected


def test_a_step_counts_its_units(ledger: Ledger, run_id: int) -> None:
    assert counters(ledger, run_id) == (2, 0, 0)
    plan(ledger, run_id, 0)
    assert counters(ledger, run_id) == (1, 0, 0)
    plan(ledger, run_id, 1, 2, 3)
    record(ledger, run_id, ended(0), ended(2), ended(3, UnitState.FAILED))
    record(ledger, run_id, ended(1, UnitState.CANCELLED))
    assert counters(ledger, run_id) == (4, 2, 1)


def test_a_step_without_units_says_zero(ledger: Ledger, run_id: int) -> None:
    plan(ledger, run_id)
    assert counters(ledger, run_id) == (0, 0, 0)


def test_units_are_planned_once(ledger: Ledger, run_id: int) -> None:
    plan(ledger, run_id, 0, 1)
    with pytest.raises(LedgerError, match=f"step 0 of run {run_id} are planned already"):
        plan(ledger, run_id, 1, 2)
    assert [entry.index for entry in entries(ledger, run_id)] == [0, 1]


def test_recording_again_changes_nothing(ledger: Ledger, run_id: int) -> None:
    plan(ledger, run_id, 0, 1)
    records = [ended(0), ended(1, UnitState.FAILED)]
    record(ledger, run_id, *records)
    before = entries(ledger, run_id)
    record(ledger, run_id, *records)
    assert entries(ledger, run_id) == before
    assert counters(ledger, run_id) == (2, 1, 1)


def test_a_done_unit_stays_done(ledger: Ledger, run_id: int) -> None:
    plan(ledger, run_id, 0)
    record(ledger, run_id, ended(0))
    record(ledger, run_id, ended(0, UnitState.FAILED, attempt=2))
    assert entries(ledger, run_id)[0].state is UnitState.DONE
    assert counters(ledger, run_id) == (1, 1, 0)


def test_a_later_attempt_replaces_an_earlier_one_and_not_the_other_way(ledger: Ledger, run_id: int) -> None:
    plan(ledger, run_id, 0)
    record(ledger, run_id, ended(0, UnitState.CANCELLED, attempt=2))
    record(ledger, run_id, ended(0, UnitState.FAILED, attempt=1))
    assert entries(ledger, run_id)[0].state is UnitState.CANCELLED
    record(ledger, run_id, ended(0, UnitState.FAILED, attempt=3))
    record(ledger, run_id, ended(0, attempt=4))
    [entry] = entries(ledger, run_id)
    assert (entry.state, entry.cause, entry.error, entry.attempt) == (UnitState.DONE, None, None, 4)
    assert counters(ledger, run_id) == (1, 1, 0)


ends = st.builds(ended, st.integers(0, 3), st.sampled_from(list(UnitState)[1:]), attempt=st.integers(1, 3))


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.lists(ends, max_size=5), max_size=5))
def test_counters_agree_with_the_units_whatever_is_recorded(
    ledger: Ledger, add_run: Callable[[], int], batches: list[list[UnitRecord]]
) -> None:
    run_id = add_run()
    plan(ledger, run_id, 0, 1, 2, 3)
    for batch in batches:
        record(ledger, run_id, *batch)
    states = [entry.state for entry in entries(ledger, run_id)]
    assert counters(ledger, run_id) == (4, states.count(UnitState.DONE), states.count(UnitState.FAILED))


@pytest.mark.parametrize("chosen", [[], [7], [399, 0, 5, 4], list(range(0, 400, 150)), [0, 399]])
def test_any_of_many_units_can_end_together(ledger: Ledger, run_id: int, chosen: list[int]) -> None:
    plan(ledger, run_id, *range(400))
    record(ledger, run_id, *(ended(index) for index in chosen))
    done = {entry.index for entry in entries(ledger, run_id) if entry.state is UnitState.DONE}
    assert done == set(chosen)
    assert counters(ledger, run_id) == (400, len(chosen), 0)


def test_a_unit_between_others_that_was_never_planned_cannot_end(ledger: Ledger, run_id: int) -> None:
    plan(ledger, run_id, 0, 2)
    with pytest.raises(LedgerError, match=r"Unit 1 .* never planned"):
        record(ledger, run_id, ended(0), ended(1), ended(2))
    assert counters(ledger, run_id) == (2, 0, 0)


def test_a_unit_that_was_never_planned_cannot_end(ledger: Ledger, run_id: int) -> None:
    plan(ledger, run_id, 0)
    with pytest.raises(LedgerError, match=f"Unit 5 of step 0 of run {run_id} was never planned"):
        record(ledger, run_id, ended(0), ended(5))
    assert entries(ledger, run_id)[0].state is UnitState.PLANNED


def test_units_can_be_asked_for_by_step_and_state(ledger: Ledger, run_id: int) -> None:
    plan(ledger, run_id, 2, 0, 1)
    plan(ledger, run_id, 0, position=1)
    record(ledger, run_id, ended(1), ended(2, UnitState.FAILED))
    with ledger.reading() as tx:
        everything = units.list_units(tx, run_id)
        first = units.list_units(tx, run_id, 0)
        failed = units.list_units(tx, run_id, state=UnitState.FAILED)
        other = units.list_units(tx, run_id + 1)
    assert [(entry.position, entry.index) for entry in everything] == [(0, 0), (0, 1), (0, 2), (1, 0)]
    assert [entry.index for entry in first] == [0, 1, 2]
    assert [(entry.position, entry.index, entry.cause) for entry in failed] == [(0, 2, Cause.OUT_OF_MEMORY)]
    assert other == []


def test_arguments_and_outputs_are_read_only_if_asked_for(ledger: Ledger, run_id: int) -> None:
    plan(ledger, run_id, 0)
    record(ledger, run_id, ended(0))
    with ledger.reading() as tx:
        [plain] = units.list_units(tx, run_id)
        [full] = units.list_units(tx, run_id, with_args=True, with_output=True)
        assert full == units.load_unit(tx, run_id, 0, 0)
    assert (plain.args, plain.output) == (None, None)
    assert full.args == planned(0)[0].args
    assert full.output == ended(0).output


def test_an_unknown_step_or_unit_is_named(ledger: Ledger, run_id: int) -> None:
    with pytest.raises(UnknownName, match=f"Run {run_id} has no step 9"):
        plan(ledger, run_id, 0, position=9)
    with pytest.raises(UnknownName, match="Run 77 has no step 0"):
        record(ledger, 77, ended(0))
    with ledger.reading() as tx, pytest.raises(UnknownName, match=f"Step 0 of run {run_id} has no unit 3"):
        units.load_unit(tx, run_id, 0, 3)


def test_the_number_of_statements_does_not_follow_the_number_of_units(ledger: Ledger, run_id: int) -> None:
    statements: list[str] = []
    with ledger.writing() as tx:
        event.listen(tx, "before_cursor_execute", lambda *call: statements.append(call[2]))
        units.plan_units(tx, run_id, 0, planned(*range(2000)))
        units.record_units(tx, run_id, 0, [ended(index) for index in range(2000)])
    assert counters(ledger, run_id) == (2000, 2000, 0)
    assert len(statements) < 15
