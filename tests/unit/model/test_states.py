"""Which states may follow which."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

import pytest

from treadle.model.states import RUN_TRANSITIONS, STEP_TRANSITIONS, RunState, StepState

TABLES = [(RunState, RunState.SUBMITTED, RUN_TRANSITIONS), (StepState, StepState.PLANNED, STEP_TRANSITIONS)]


@pytest.mark.parametrize(("states", "first", "table"), TABLES)
def test_every_state_can_be_reached_and_none_is_left_twice(
    states: type[StrEnum], first: StrEnum, table: Mapping[StrEnum, frozenset[StrEnum]]
) -> None:
    """No path comes back to where it was: states never move backwards."""

    def walk(state: StrEnum, before: frozenset[StrEnum]) -> set[StrEnum]:
        assert state not in before
        reached = {state}
        for following in table[state]:
            reached |= walk(following, before | {state})
        return reached

    assert set(table) == set(states)
    assert walk(first, frozenset()) == set(states)
