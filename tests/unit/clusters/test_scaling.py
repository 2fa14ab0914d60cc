"""How many jobs a pool should have."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from treadle.clusters.slurm.scaling import Decision, Situation, Worker, decide

PATIENCE = 30.0
NOTHING = Situation(
    units=0,
    slots=1,
    most_jobs=10,
    room=10,
    pending=(),
    starting=0,
    workers=(),
    unit_seconds=0.0,
    lead_seconds=60.0,
    surplus_seconds=0.0,
    patience_seconds=PATIENCE,
)


def workers(
    count: int, *, busy: int = 0, idle: float = 0.0, left: float = 3600.0, used: bool = True
) -> tuple[Worker, ...]:
    return tuple(Worker(f"w{number}", busy, used, idle, left) for number in range(count))


def test_there_are_as_many_jobs_as_the_units_fill() -> None:
    assert decide(replace(NOTHING, units=7, slots=4)) == Decision(submit=2)


def test_there_are_never_more_jobs_than_the_limit_waiting_ones_included() -> None:
    assert decide(replace(NOTHING, units=1000)) == Decision(submit=10)
    some = replace(NOTHING, units=1000, pending=("p1", "p2"), starting=3, workers=workers(4, busy=1))
    assert decide(replace(some, room=5)) == Decision(submit=1)
    assert decide(replace(some, room=0)) == Decision()


def test_a_job_that_died_is_replaced() -> None:
    assert decide(replace(NOTHING, units=5, workers=workers(4, busy=1))) == Decision(submit=1)


def test_pending_jobs_keep_their_place_while_there_is_work_for_them() -> None:
    for units in (3, 100):
        waiting = replace(NOTHING, units=units, pending=("p1", "p2"), workers=workers(1, busy=1))
        assert decide(replace(waiting, surplus_seconds=1000.0)).cancel == ()


def test_capacity_that_nobody_needs_is_given_back_after_a_while_the_youngest_pending_first() -> None:
    many = replace(NOTHING, units=1, pending=("p1", "p2"), workers=workers(3, idle=40.0))
    assert decide(replace(many, surplus_seconds=PATIENCE - 1)) == Decision()
    found = decide(replace(many, surplus_seconds=PATIENCE))
    assert found.cancel == ("p2", "p1")
    assert len(found.retire) == 2


def test_a_worker_that_has_just_ended_something_is_not_given_back() -> None:
    quick = replace(NOTHING, units=0, workers=workers(2, idle=PATIENCE - 1), surplus_seconds=100.0)
    assert decide(quick) == Decision()


def test_a_busy_worker_is_never_given_back() -> None:
    busy = replace(NOTHING, units=1, workers=workers(3, busy=1, idle=100.0), surplus_seconds=100.0)
    assert decide(busy).retire == ()


def test_a_worker_near_its_end_gets_a_successor_and_stays_until_it_has_no_time_for_another_unit() -> None:
    ending = replace(
        NOTHING, units=5, most_jobs=2, room=1, unit_seconds=20.0, workers=workers(1, busy=1, left=70.0)
    )
    assert decide(ending) == Decision(submit=1)
    spent = replace(ending, workers=workers(1, left=15.0))
    assert decide(spent) == Decision(submit=1, retire=("w0",))


def test_units_longer_than_any_job_do_not_make_it_submit_more_jobs_than_units() -> None:
    endless = replace(NOTHING, units=2, unit_seconds=7200.0, workers=workers(2, used=False))
    assert decide(endless) == Decision()


situations = st.builds(
    Situation,
    units=st.integers(0, 10_000),
    slots=st.integers(1, 8),
    most_jobs=st.integers(1, 20),
    room=st.integers(-5, 20),
    pending=st.lists(st.integers(0, 99).map(lambda n: f"p{n}"), max_size=8, unique=True).map(tuple),
    starting=st.integers(0, 5),
    workers=st.lists(
        st.builds(
            Worker,
            name=st.integers(0, 99).map(lambda n: f"w{n}"),
            busy=st.integers(0, 3),
            used=st.booleans(),
            idle_seconds=st.floats(0, 100),
            seconds_left=st.floats(0, 5000),
        ),
        max_size=8,
        unique_by=lambda worker: worker.name,
    ).map(tuple),
    unit_seconds=st.floats(0, 5000),
    lead_seconds=st.floats(0, 60),
    surplus_seconds=st.floats(0, 100),
    patience_seconds=st.floats(1, 60),
)


@given(situations)
def test_a_decision_never_breaks_a_limit_ends_work_or_does_one_thing_and_its_opposite(now: Situation) -> None:
    found = decide(now)
    assert found.submit == 0 or now.jobs + found.submit <= now.most_jobs
    assert found.submit <= max(0, now.room)
    assert set(found.cancel) <= set(now.pending)
    assert set(found.retire) <= {worker.name for worker in now.workers if not worker.busy}
    assert len(set(found.retire)) == len(found.retire)
    assert not (found.submit and found.cancel)


@given(situations.filter(lambda now: now.units > 0))
def test_work_is_never_left_without_a_job(now: Situation) -> None:
    found = decide(now)
    kept = {worker.name for worker in now.workers} - set(found.retire)
    jobs_left = len(now.pending) - len(found.cancel) + now.starting + len(kept) + found.submit
    assert jobs_left > 0 or found.retire or now.room <= 0, "a spent worker makes room for its successor"
