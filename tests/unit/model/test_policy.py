from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from treadle.errors import WorkflowInvalid
from treadle.model.policy import OnFailure, is_tolerated
from treadle.model.workflow import workflow_from_json, workflow_to_json

TASK = {"pkg_name": "tasks", "name": "measure"}


@given(units=st.integers(1, 100), failed=st.integers(1, 100), threshold=st.floats(0, 1))
def test_a_step_that_stops_on_failure_tolerates_none(units: int, failed: int, threshold: float) -> None:
    assert not is_tolerated(OnFailure.STOP, threshold, units, failed)


@pytest.mark.parametrize(
    ("threshold", "failed", "tolerated"),
    [(0.1, 10, True), (0.1, 11, False), (0, 1, False), (1, 99, True), (1, 100, False)],
)
def test_the_threshold_is_a_share_of_the_units_and_never_all(
    threshold: float, failed: int, tolerated: bool
) -> None:
    assert is_tolerated(OnFailure.CONTINUE, threshold, 100, failed) is tolerated


def test_a_step_reads_its_policy_and_writes_it_only_where_it_says_something() -> None:
    policy = {
        "retries": {"attempts": 3, "backoff_seconds": 2},
        "on_failure": "continue",
        "failure_threshold": 0.1,
    }
    workflow = workflow_from_json({"name": "w", "task_list": [{"task": TASK, **policy}, {"task": TASK}]})
    assert workflow.steps[0].retries.attempts == 3
    first, second = workflow_to_json(workflow)["task_list"]
    assert {key: first[key] for key in policy} == {
        **policy,
        "retries": {"attempts": 3, "backoff_seconds": 2},
    }
    assert not policy.keys() & second.keys()


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("retries", {"attempts": 0}),
        ("retries", {"attempts": 2, "backoff_seconds": -1}),
        ("retries", {"times": 2}),
        ("on_failure", "ignore"),
        ("failure_threshold", 1.5),
        ("failure_threshold", "half"),
    ],
)
def test_a_policy_that_makes_no_sense_is_refused_with_its_place(key: str, value: object) -> None:
    with pytest.raises(WorkflowInvalid, match=rf"task_list\[0\]\.{key}"):
        workflow_from_json({"name": "w", "task_list": [{"task": TASK, key: value}]})
