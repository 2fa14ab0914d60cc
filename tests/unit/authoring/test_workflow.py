"""Workflows as objects, before they are planned."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from treadle import Retries, Workflow
from treadle.authoring.tasks import TaskHandle
from treadle.errors import ArgumentsInvalid, UsageError, WorkflowInvalid

Make = Callable[..., TaskHandle]


@pytest.fixture
def blur(make_handle: Make) -> TaskHandle:
    return make_handle()


def steps_of(workflow: Workflow) -> dict[str, Any]:
    return {step.name: step for step in workflow.definition.steps}


def test_a_step_needs_the_one_before_unless_it_says_otherwise(blur: TaskHandle) -> None:
    wf = Workflow("graph", description="A branch and a join.")
    left = wf.add(blur(sigma=1), name="left")
    wf.add(blur(sigma=2), name="after left")
    right = wf.add(blur(sigma=3), name="right", needs=[])
    wf.add(blur(sigma=4), name="join", needs=[left, "right"])
    wf.add(blur(sigma=4), name="one", needs=right)
    needs = {name: step.needs for name, step in steps_of(wf).items()}
    assert needs == {
        "left": (),
        "after left": ("left",),
        "right": (),
        "join": ("left", "right"),
        "one": ("right",),
    }
    assert repr(wf) == "<workflow 'graph': left, after left, right, join, one>"


def test_a_step_says_all_that_steps_can_say(blur: TaskHandle) -> None:
    wf = Workflow("full")
    wf.add(
        blur,
        name="blur",
        arguments={"sigma": 2},
        types={"is_3D": True},
        resources={"cpus": 2, "memory": "4G", "time": "90m", "gpus": 1, "partition": "gpu"},
        retries=2,
        on_failure="continue",
        failure_threshold=0.5,
        cache=True,
        description="Blurs.",
    )
    step = steps_of(wf)["blur"]
    assert step.args_parallel == {"sigma": 2}
    assert step.type_filters == {"is_3D": True}
    assert step.meta_parallel == {
        "cpus_per_task": 2,
        "mem": 4000,
        "time": "0-01:30:00",
        "gpus": "1",
        "partition": "gpu",
    }
    assert step.meta_non_parallel is None
    assert (step.retries.attempts, step.on_failure, step.failure_threshold) == (3, "continue", 0.5)
    assert step.cache is True
    assert step.description == "Blurs."


def test_retries_may_say_how_long_to_wait(blur: TaskHandle) -> None:
    wf = Workflow("retrying")
    wf.add(blur(sigma=1), retries=Retries(attempts=2, backoff_seconds=5))
    assert steps_of(wf)["Blur"].retries.backoff_seconds == 5


def test_a_call_can_be_given_more_arguments(blur: TaskHandle) -> None:
    wf = Workflow("more")
    wf.add(blur(sigma=1), arguments={"mode": "wrap"})
    assert steps_of(wf)["Blur"].args_parallel == {"sigma": 1, "mode": "wrap"}


def test_a_name_that_is_taken_is_refused_at_once(blur: TaskHandle) -> None:
    wf = Workflow("twice")
    wf.add(blur(sigma=1))
    with pytest.raises(WorkflowInvalid, match="'twice' has a step 'Blur' already"):
        wf.add(blur(sigma=2))
    assert [step.name for step in wf.steps] == ["Blur"]


def test_a_cycle_names_its_steps(blur: TaskHandle) -> None:
    wf = Workflow("circle")
    wf.add(blur(sigma=1), name="a", needs=["b"])
    wf.add(blur(sigma=1), name="b", needs=["a"])
    with pytest.raises(WorkflowInvalid, match="step 'a' is in a cycle"):
        wf.to_json()


def test_a_need_that_is_no_step_names_both(blur: TaskHandle) -> None:
    wf = Workflow("lost")
    wf.add(blur(sigma=1), name="a", needs=["nowhere"])
    with pytest.raises(WorkflowInvalid, match="step 'a' needs 'nowhere'"):
        wf.to_json()


def test_a_step_of_another_workflow_cannot_be_needed(blur: TaskHandle) -> None:
    other = Workflow("other").add(blur(sigma=1), name="a")
    with pytest.raises(WorkflowInvalid, match="cannot need <step 'a' of workflow 'other'>"):
        Workflow("one").add(blur(sigma=1), needs=[other])


def test_wrong_arguments_are_refused_when_the_step_is_added(blur: TaskHandle) -> None:
    with pytest.raises(ArgumentsInvalid, match="sigma"):
        Workflow("wrong").add(blur)


@pytest.mark.parametrize(
    ("resources", "named"),
    [
        ({"memory": "4 gigs"}, "memory: must be a whole number of MB"),
        ({"cpus": 0}, "cpus: must be 1 or more"),
        ({"ram": "4G"}, "ram: is not a known key"),
        ({"account": "lab"}, "cannot name account"),
    ],
)
def test_resources_that_cannot_be_so_are_refused_with_their_step(
    blur: TaskHandle, resources: Any, named: str
) -> None:
    with pytest.raises(UsageError, match=named) as raised:
        Workflow("hungry").add(blur(sigma=1), name="big", resources=resources)
    assert "step 'big'" in str(raised.value)


@pytest.mark.parametrize("policy", [{"on_failure": "ignore"}, {"failure_threshold": 2}])
def test_a_policy_that_cannot_be_so_is_refused(blur: TaskHandle, policy: Any) -> None:
    with pytest.raises(WorkflowInvalid, match="The step 'Blur' is not valid"):
        Workflow("policy").add(blur(sigma=1), **policy)


def test_a_workflow_survives_its_json(blur: TaskHandle) -> None:
    wf = Workflow("json", description="There and back.")
    wf.add(blur(sigma=1), name="a")
    wf.add(blur(sigma=2), name="b", needs=[])
    assert Workflow.from_json(wf.to_json()).definition == wf.definition
