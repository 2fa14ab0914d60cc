"""Tasks, their types and parts."""

from __future__ import annotations

import pytest
from hypothesis import given
from pydantic import ValidationError

from treadle.model.task import Installed, InstalledTask, Part, Task, TaskPart, TaskType, infer_type
from treadle.testing import strategies

BOTH = frozenset(Part)


@pytest.mark.parametrize(
    ("kind", "parts", "first", "converter", "compound"),
    [
        (TaskType.PARALLEL, {Part.PARALLEL}, Part.PARALLEL, False, False),
        (TaskType.NON_PARALLEL, {Part.NON_PARALLEL}, Part.NON_PARALLEL, False, False),
        (TaskType.COMPOUND, BOTH, Part.NON_PARALLEL, False, True),
        (TaskType.CONVERTER_NON_PARALLEL, {Part.NON_PARALLEL}, Part.NON_PARALLEL, True, False),
        (TaskType.CONVERTER_COMPOUND, BOTH, Part.NON_PARALLEL, True, True),
    ],
)
def test_a_type_says_what_is_called(
    kind: TaskType, parts: set[Part], first: Part, converter: bool, compound: bool
) -> None:
    assert kind.parts == parts
    assert kind.first_part is first
    assert kind.is_converter is converter
    assert kind.is_compound is compound


def test_no_part_is_no_type() -> None:
    with pytest.raises(ValueError, match="needs a non_parallel part"):
        infer_type([])


@given(strategies.tasks())
def test_every_part_of_the_type_can_be_had(task: Task) -> None:
    for part in Part:
        if part in task.type.parts:
            assert task.part(part).executable
        else:
            with pytest.raises(ValueError, match=f"has no {part} part"):
                task.part(part)


def test_a_task_without_a_part_of_its_type_cannot_be_made() -> None:
    with pytest.raises(ValidationError, match="is of type compound but has no non_parallel part"):
        Task(package="p", version="1", name="t", type=TaskType.COMPOUND, parallel=TaskPart(executable="a.py"))


def test_a_command_is_the_interpreter_and_the_executable_under_the_root() -> None:
    task = Task(
        package="p",
        version="1",
        name="t",
        type=TaskType.PARALLEL,
        parallel=TaskPart(executable="sub dir/a.py"),
    )
    installed = InstalledTask(
        id=1,
        task=task,
        installed=Installed(environment="e", python="/env/bin/python", root="/env/lib/my pkg"),
    )
    assert installed.command(Part.PARALLEL) == ("/env/bin/python", "/env/lib/my pkg/sub dir/a.py")
    assert installed.function(Part.PARALLEL) is None
    with pytest.raises(ValueError, match="has no non_parallel part"):
        installed.command(Part.NON_PARALLEL)


def test_a_part_is_an_executable_or_a_function() -> None:
    with pytest.raises(ValidationError, match="and not both"):
        TaskPart(executable="a.py", function="package.module:run")
    with pytest.raises(ValidationError, match="needs an executable or a function"):
        TaskPart()


@pytest.mark.parametrize(
    "name", ["run", "package.module", "package:", ":run", "a:b:c", "a:<lambda>", "a b:c", "1a:b"]
)
def test_a_function_is_named_with_its_module(name: str) -> None:
    with pytest.raises(ValidationError, match="pattern"):
        TaskPart(function=name)


def test_a_function_has_no_command() -> None:
    task = Task(
        package="p",
        version="1",
        name="t",
        type=TaskType.PARALLEL,
        parallel=TaskPart(function="package.module:Class.run"),
    )
    where = Installed(environment="e", python="/env/bin/python", root="/env")
    installed = InstalledTask(id=1, task=Task.model_validate_json(task.model_dump_json()), installed=where)
    assert installed.function(Part.PARALLEL) == "package.module:Class.run"
    assert installed.command(Part.PARALLEL) == ()
