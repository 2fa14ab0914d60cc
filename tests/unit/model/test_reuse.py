"""What a step and its task say about reuse, and what follows."""

from __future__ import annotations

import json

import pytest
from pydantic import JsonValue

from treadle.errors import ManifestInvalid, WorkflowInvalid
from treadle.model.manifest import parse_manifest
from treadle.model.reuse import CacheChoice, Reuse, leaves_items, reuse_of, reuse_text
from treadle.model.task import Task, TaskPart, TaskType
from treadle.model.workflow import workflow_from_json, workflow_to_json

PURE = '{"manifest_version": "2", "task_list": [{"name": "t", "executable_parallel": "t.py", "pure": %s}]}'


def task(*, pure: bool, kind: TaskType = TaskType.PARALLEL) -> Task:
    parts = {f"{part}": TaskPart(executable="t.py") for part in kind.parts}
    return Task(package="p", version="1", name="t", type=kind, pure=pure, **parts)


@pytest.mark.parametrize(
    ("choice", "pure", "expected"),
    [
        (None, True, Reuse.REUSE),
        (None, False, Reuse.NEVER),
        (True, False, Reuse.REUSE),
        (False, True, Reuse.NEVER),
        ("refresh", False, Reuse.REFRESH),
    ],
)
def test_a_step_decides_else_its_task(choice: CacheChoice | None, pure: bool, expected: Reuse) -> None:
    assert reuse_of(choice, task(pure=pure)) is expected


def test_a_plan_says_who_decided() -> None:
    assert reuse_text(None, task(pure=True)) == "yes (the task is pure)"
    assert reuse_text(None, task(pure=False)) == "no (the task is not pure)"
    assert reuse_text(True, task(pure=False)).startswith("yes (the step); an item that was worked on")


def test_units_of_compound_tasks_may_fill_their_items() -> None:
    assert leaves_items(task(pure=True))
    assert not leaves_items(task(pure=False))
    assert not leaves_items(task(pure=True, kind=TaskType.COMPOUND))


@pytest.mark.parametrize(("written", "read"), [("true", True), ("false", False)])
def test_a_manifest_says_that_a_task_is_pure(written: str, read: bool) -> None:
    [found] = parse_manifest(PURE % written, "p").tasks("p", "1")
    assert found.pure is read


def test_a_manifest_must_say_it_as_a_boolean() -> None:
    with pytest.raises(ManifestInvalid, match="pure"):
        parse_manifest(PURE % '"yes"', "p")


def workflow(cache: JsonValue) -> dict[str, JsonValue]:
    return {"name": "w", "task_list": [{"task": {"pkg_name": "p", "name": "t"}, "cache": cache}]}


@pytest.mark.parametrize("cache", [True, False, "refresh"])
def test_a_steps_choice_survives_its_json(cache: JsonValue) -> None:
    read = workflow_from_json(workflow(cache))

    assert [step.cache for step in read.steps] == [cache]
    assert workflow_to_json(read)["task_list"] == [
        {"type_filters": {}, "cache": cache, "task": {"pkg_name": "p", "name": "t", "version": None}}
    ]


def test_a_step_that_says_nothing_writes_nothing() -> None:
    read = workflow_from_json(workflow(None))

    assert "cache" not in json.dumps(workflow_to_json(read))


@pytest.mark.parametrize("cache", [1, 0, "yes", "true", []])
def test_anything_else_is_an_error_that_names_the_place(cache: JsonValue) -> None:
    with pytest.raises(WorkflowInvalid, match=r"task_list\[0\]\.cache: must be true, false or \"refresh\""):
        workflow_from_json(workflow(cache))
