"""Arguments of steps as people type them: `step.argument=value`."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from pydantic import JsonValue

from treadle.errors import ArgumentsInvalid, UnknownName, UsageError
from treadle.model.arguments import enforced_schema
from treadle.model.task import InstalledTask, Part, Task, TaskRef
from treadle.model.workflow import Step, Workflow


def read_words(
    workflow: Workflow, tasks: Mapping[TaskRef, InstalledTask], words: Sequence[str]
) -> dict[str, JsonValue]:
    """Read `step.argument=value` words into arguments by steps, as the form has them.

    A value that reads as JSON is that; any other is text. Of a step with two parts the argument is looked for
    in both; one that both have is written `step.parallel.argument` or `step.non_parallel.argument`.

    Raises:
        UsageError: A word is of another form.
        UnknownName: There is no such step, or its task is not collected.
        ArgumentsInvalid: There is no such argument, or two.
    """
    values: dict[str, JsonValue] = {}
    for word in words:
        place, equals, text = word.partition("=")
        step = _step(workflow, place)
        if not equals or step is None:
            _refuse(workflow, word, equals=bool(equals))
            continue
        name = place.removeprefix(f"{step.name}.")
        if step.task not in tasks:
            raise UnknownName(
                f"Step {step.name!r} names the task {step.task}, which is not collected.",
                remedy="Collect its package, or change the workflow.",
            )
        _put(values, step, tasks[step.task].task, name, _value(text))
    return values


def _step(workflow: Workflow, place: str) -> Step | None:
    """Return the step whose name, the longest that fits, begins a place."""
    fitting = [step for step in workflow.steps if place.startswith(f"{step.name}.")]
    return max(fitting, key=lambda step: len(step.name), default=None)


def _refuse(workflow: Workflow, word: str, *, equals: bool) -> None:
    if not equals:
        raise UsageError(
            f"--arg {word!r} is not of the form STEP.ARGUMENT=VALUE.", remedy="Write --arg segment.sigma=2."
        )
    names = ", ".join(repr(step.name) for step in workflow.steps) or "none"
    raise UnknownName(
        f"--arg {word!r} begins with no step of workflow {workflow.name!r}.", remedy=f"Its steps are {names}."
    )


def _value(text: str) -> JsonValue:
    try:
        value: JsonValue = json.loads(text)
    except ValueError:
        return text
    return value


def _put(values: dict[str, JsonValue], step: Step, task: Task, name: str, value: JsonValue) -> None:
    own = values.setdefault(step.name, {})
    assert isinstance(own, dict)  # noqa: S101 - it is made here alone
    if not task.type.is_compound:
        own[name] = value
        return
    head, dot, rest = name.partition(".")
    if dot and head in set(map(str, Part)):
        part, name = head, rest
    else:
        part = _only_part(step, task, name)
    below = own.setdefault(part, {})
    assert isinstance(below, dict)  # noqa: S101 - it is made here alone
    below[name] = value


def _only_part(step: Step, task: Task, name: str) -> str:
    parts = [str(part) for part in sorted(task.type.parts) if _has(task, part, name)]
    if len(parts) == 1:
        return parts[0]
    many = "both parts have" if parts else "no part has"
    raise ArgumentsInvalid(
        f"Step {step.name!r} has two parts, and {many} an argument {name!r}.",
        remedy=f"Write {step.name}.{Part.NON_PARALLEL}.{name}=… or {step.name}.{Part.PARALLEL}.{name}=….",
    )


def _has(task: Task, part: Part, name: str) -> bool:
    properties = (enforced_schema(task, part) or {}).get("properties")
    return isinstance(properties, dict) and name in properties
