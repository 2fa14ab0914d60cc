"""What a deployment's form, or whoever takes its place, says of the arguments of steps."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TypeAlias

from pydantic import JsonValue

from treadle.errors import ArgumentsInvalid, UnknownName
from treadle.model.graph import require_steps
from treadle.model.problems import found, listed
from treadle.model.task import InstalledTask, Part, TaskRef, TaskType
from treadle.model.workflow import Step, Workflow

StepValues: TypeAlias = Mapping[str, JsonValue]
"""Arguments by the names of steps; those of a step with two parts are below the names of its parts."""


def with_values(workflow: Workflow, tasks: Mapping[TaskRef, InstalledTask], values: StepValues) -> Workflow:
    """Return the workflow with these arguments laid over its own, one by one.

    Args:
        workflow: The workflow.
        tasks: The installed tasks, by the references that steps use; without a step's task its values cannot
            be read.
        values: The arguments.

    Raises:
        UnknownName: There is no such step.
        ArgumentsInvalid: Values that are not of the form's shape; all of them.
    """
    require_steps([step.name for step in workflow.steps], values, f"Workflow {workflow.name!r}")
    problems = [
        f'step "{step.name}": {text}' for step in workflow.steps for text in _misshapen(step, tasks, values)
    ]
    if problems:
        raise ArgumentsInvalid(listed("The arguments cannot be read", problems))
    return workflow.model_copy(
        update={"steps": tuple(_changed(step, tasks, values.get(step.name)) for step in workflow.steps)}
    )


def values_of(workflow: Workflow, tasks: Mapping[TaskRef, InstalledTask]) -> dict[str, JsonValue]:
    """Return all arguments of a workflow's steps as the form has them."""
    return {
        step.name: {str(part): step.args(part) for part in Part}
        if (kind := tasks[step.task].task.type).is_compound
        else step.args(kind.first_part)
        for step in workflow.steps
    }


def _misshapen(step: Step, tasks: Mapping[TaskRef, InstalledTask], values: StepValues) -> Iterator[str]:
    given = values.get(step.name)
    if given is None:
        return
    if not isinstance(given, dict):
        yield f"its arguments must be an object, found {found(given)}"
    elif _kind(step, tasks).is_compound:
        for name, arguments in given.items():
            if name not in set(map(str, Part)):
                yield f"{name!r} must be below {Part.NON_PARALLEL} or {Part.PARALLEL}"
            elif not isinstance(arguments, dict):
                yield f"{name} must be an object, found {found(arguments)}"


def _changed(step: Step, tasks: Mapping[TaskRef, InstalledTask], given: JsonValue) -> Step:
    if not isinstance(given, dict):
        return step
    kind = _kind(step, tasks)
    by_part: Mapping[str, JsonValue] = given if kind.is_compound else {kind.first_part: given}
    changed = {
        f"args_{part}": {**step.args(Part(part)), **arguments} or None
        for part, arguments in by_part.items()
        if isinstance(arguments, dict)
    }
    return step.model_copy(update=changed)


def _kind(step: Step, tasks: Mapping[TaskRef, InstalledTask]) -> TaskType:
    """Return the type of a step's task.

    Raises:
        UnknownName: It is not collected.
    """
    if step.task not in tasks:
        raise UnknownName(
            f"Step {step.name!r} names the task {step.task}, which is not collected.",
            remedy="Collect its package, or change the workflow.",
        )
    return tasks[step.task].task.type
