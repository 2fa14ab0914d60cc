"""Which units are tried again, with what."""

from __future__ import annotations

import pytest

from treadle.compile.retrying import LOSSES_AT_MOST, Retrying, with_more
from treadle.execute.batch import UnitCall
from treadle.execute.records import ended_without_result
from treadle.model.policy import Retries
from treadle.model.states import Cause

CALL = UnitCall(index=3, command=("task",), memory_mb=1001, timeout_seconds=60)


def test_attempts_and_back_off_follow_the_policy() -> None:
    retrying = Retrying(Retries(attempts=4, backoff_seconds=0.5))
    call, waits, attempts = CALL, [], []
    while (again := retrying.after(call, ended_without_result(3, Cause.FAILED, ""))) is not None:
        call = again.call
        waits.append(again.seconds)
        attempts.append(call.attempt)
    assert waits == [0.5, 1.0, 2.0]
    assert attempts == [2, 3, 4]


@pytest.mark.parametrize("cause", [Cause.COMMAND_INVALID, Cause.CANCELLED])
def test_what_cannot_end_otherwise_is_not_tried_again(cause: Cause) -> None:
    assert Retrying(Retries(attempts=5)).after(CALL, ended_without_result(3, cause, "")) is None


@pytest.mark.parametrize(
    ("cause", "memory_mb", "timeout_seconds"),
    [(Cause.OUT_OF_MEMORY, 1502, 60), (Cause.TIMEOUT, 1001, 90), (Cause.FAILED, 1001, 60)],
)
def test_the_next_attempt_gets_more_of_what_was_too_little(
    cause: Cause, memory_mb: int, timeout_seconds: float
) -> None:
    again = Retrying(Retries(attempts=2)).after(CALL, ended_without_result(3, cause, ""))
    assert again is not None
    assert (again.call.memory_mb, again.call.timeout_seconds) == (memory_mb, timeout_seconds)


def test_a_unit_without_limits_keeps_none() -> None:
    free = UnitCall(index=0, command=("task",))
    assert with_more(free, Cause.OUT_OF_MEMORY) == free
    assert with_more(free, Cause.TIMEOUT) == free


def test_a_lost_worker_uses_up_no_attempt_but_the_third_is_the_units_end() -> None:
    retrying = Retrying(Retries(attempts=2))
    lost = ended_without_result(3, Cause.WORKER_LOST, "")
    ends = [retrying.after(CALL, lost) for _ in range(LOSSES_AT_MOST)]
    first, last_chance, end = ends
    assert first is not None
    assert last_chance is not None
    assert (first.call.attempt, first.alone, first.seconds) == (1, False, 0)
    assert (last_chance.call.attempt, last_chance.alone) == (1, True)
    assert end is None


def test_losses_leave_the_attempts_to_the_units_own_failures() -> None:
    retrying = Retrying(Retries(attempts=2))
    retrying.after(CALL, ended_without_result(3, Cause.WORKER_LOST, ""))
    again = retrying.after(CALL, ended_without_result(3, Cause.FAILED, ""))
    assert again is not None
    assert again.call.attempt == 2
