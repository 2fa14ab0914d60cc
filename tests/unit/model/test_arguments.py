"""A step's arguments against the schemas of its task."""

from __future__ import annotations

from typing import Any

import pytest

from treadle.errors import ArgumentsInvalid
from treadle.model.arguments import check_arguments
from treadle.model.task import Part, Task, TaskType
from treadle.model.workflow import Step

SIGMA: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "zarr_url": {"type": "string"},
        "sigma": {"type": "number", "minimum": 0},
        "channel": {"$ref": "#/$defs/Channel"},
        "mode": {"enum": ["fast", "slow"], "default": "fast"},
        "level": {"anyOf": [{"type": "integer"}, {"type": "null"}], "default": None},
    },
    "required": ["zarr_url", "sigma", "mode"],
    "$defs": {
        "Channel": {
            "type": "object",
            "properties": {"label": {"type": "string"}, "index": {"type": "integer", "default": 0}},
            "required": ["label", "index"],
        }
    },
}


def a_task(kind: TaskType = TaskType.PARALLEL, label: str | None = "pydantic_v2", **schemas: object) -> Task:
    parts = {
        str(part): {"executable": "run.py", "args_schema": schemas.get(str(part))} for part in kind.parts
    }
    return Task.model_validate(
        {"package": "p", "version": "1", "name": "Blur", "type": kind, "args_schema_version": label, **parts}
    )


def refusal(task: Task, **args: object) -> str:
    with pytest.raises(ArgumentsInvalid) as caught:
        check_arguments(Step.model_validate({"name": "Threshold", "task": task.ref, **args}), task)
    return str(caught.value)


def accept(task: Task, **args: object) -> None:
    check_arguments(Step.model_validate({"name": "Threshold", "task": task.ref, **args}), task)


BLUR = a_task(parallel=SIGMA)


def test_good_arguments_pass_although_the_schema_requires_what_the_engine_supplies() -> None:
    accept(BLUR, args_parallel={"sigma": 1.5, "channel": {"label": "DAPI", "index": 2}, "mode": "slow"})


def test_a_required_argument_that_has_a_default_may_be_left_out_at_any_depth() -> None:
    accept(BLUR, args_parallel={"sigma": 1, "channel": {"label": "DAPI"}})


@pytest.mark.parametrize(
    ("args", "problem"),
    [
        ({"sigma": "x"}, "step \"Threshold\" args_parallel.sigma: 'x' is not of type 'number' (rule: type)"),
        ({"sigma": -1}, "args_parallel.sigma: -1 is less than the minimum of 0 (rule: minimum)"),
        ({}, "args_parallel: 'sigma' is a required property (rule: required)"),
        (
            {"sigma": 1, "sgima": 1},
            "args_parallel: Additional properties are not allowed ('sgima' was unexpected)",
        ),
        (
            {"sigma": 1, "mode": "warp"},
            "args_parallel.mode: 'warp' is not one of ['fast', 'slow'] (rule: enum)",
        ),
        (
            {"sigma": 1, "channel": {}},
            "args_parallel.channel: 'label' is a required property (rule: required)",
        ),
        ({"sigma": 1, "channel": {"label": 3}}, "args_parallel.channel.label: 3 is not of type 'string'"),
        (
            {"sigma": 1, "level": "x"},
            "args_parallel.level: 'x' is not valid under any of the given schemas (rule: anyOf)",
        ),
    ],
)
def test_a_bad_argument_names_step_path_and_rule(args: dict[str, object], problem: str) -> None:
    assert problem in refusal(BLUR, args_parallel=args)


def test_no_arguments_at_all_are_checked_too() -> None:
    assert "'sigma' is a required property" in refusal(BLUR)


def test_all_problems_of_all_parts_are_told_at_once() -> None:
    task = a_task(TaskType.COMPOUND, parallel=SIGMA, non_parallel={"properties": {"n": {"type": "integer"}}})
    text = refusal(task, args_parallel={"sigma": "x", "mode": 1, "more": 1}, args_non_parallel={"n": "x"})
    for place in [
        "args_parallel.sigma: ",
        "args_parallel.mode: ",
        "args_parallel: Additional",
        "args_non_parallel.n: ",
    ]:
        assert place in text


@pytest.mark.parametrize("name", ["zarr_dir", "zarr_url", "zarr_urls", "init_args"])
@pytest.mark.parametrize("schema", [None, {}])
def test_names_of_the_engine_are_refused_with_and_without_schema(name: str, schema: object) -> None:
    text = refusal(a_task(parallel=schema), args_parallel={name: "x"})
    assert f"args_parallel.{name}: is the engine's to supply" in text
    assert text.count("\n") == 1


@pytest.mark.parametrize(
    ("kind", "present", "lacking"),
    [
        (TaskType.PARALLEL, "parallel", "non_parallel"),
        (TaskType.NON_PARALLEL, "non_parallel", "parallel"),
        (TaskType.CONVERTER_NON_PARALLEL, "non_parallel", "parallel"),
    ],
)
def test_arguments_for_a_part_that_the_task_lacks_are_refused(
    kind: TaskType, present: str, lacking: str
) -> None:
    text = refusal(a_task(kind), **{f"args_{present}": {"a": 1}, f"args_{lacking}": {"a": 1}})
    assert f"args_{lacking}: the task 'Blur' has no {lacking} part" in text
    assert text.count("\n") == 1


@pytest.mark.parametrize("described", [True, False])
@pytest.mark.parametrize("kind", list(TaskType))
def test_the_engines_arguments_are_accepted_as_they_come(kind: TaskType, *, described: bool) -> None:
    """Whether the schema knows them, requires them, or has its own idea of what is in them."""
    schemas = {}
    for part in kind.parts:
        names = ["zarr_url"] if part is Part.PARALLEL else ["zarr_dir"]
        names += ["init_args"] if part is Part.PARALLEL and kind.is_compound else []
        names += ["zarr_urls"] if part is Part.NON_PARALLEL and not kind.is_converter else []
        odd = {"type": "object", "required": ["label"], "properties": {"label": {"type": "integer"}}}
        properties = dict.fromkeys(names, odd) if described else {}
        schemas[str(part)] = {
            "additionalProperties": False,
            "properties": properties,
            "required": names if described else [],
        }
    accept(a_task(kind, **schemas))


def test_a_converter_that_requires_items_cannot_be_satisfied() -> None:
    task = a_task(TaskType.CONVERTER_NON_PARALLEL, non_parallel={"required": ["zarr_urls"]})
    assert "'zarr_urls' is a required property" in refusal(task)


@pytest.mark.parametrize("label", [None, "pydantic_v3", ""])
def test_schemas_of_an_unknown_label_are_not_enforced(label: str | None) -> None:
    accept(a_task(label=label, parallel=SIGMA), args_parallel={"sigma": "x"})


@pytest.mark.parametrize("label", ["pydantic_v1", "pydantic_v2", "fractal_schema_v1"])
def test_schemas_of_known_labels_are_enforced(label: str) -> None:
    assert "rule: type" in refusal(a_task(label=label, parallel=SIGMA), args_parallel={"sigma": "x"})


def test_tuples_of_pydantic_1_are_read_as_draft_7() -> None:
    schema = {"properties": {"size": {"type": "array", "items": [{"type": "integer"}, {"type": "string"}]}}}
    task = a_task(label="pydantic_v1", parallel=schema)
    accept(task, args_parallel={"size": [1, "px"]})
    assert "args_parallel.size[1]: 2 is not of type 'string'" in refusal(task, args_parallel={"size": [1, 2]})


def test_a_schema_may_name_its_own_draft() -> None:
    schema = {
        "$schema": "http://json-schema.org/draft-04/schema#",
        "properties": {"sigma": {"minimum": 0, "exclusiveMinimum": True}},
    }
    assert "(rule: minimum)" in refusal(a_task(parallel=schema), args_parallel={"sigma": 0})


def test_an_error_inside_an_alternative_is_told_where_it_is() -> None:
    channel = {"type": "object", "properties": {"index": {"type": "integer"}}}
    schema = {"properties": {"channel": {"anyOf": [channel, {"type": "null"}]}}}
    text = refusal(a_task(parallel=schema), args_parallel={"channel": {"index": "x"}})
    assert "args_parallel.channel.index: 'x' is not of type 'integer' (rule: type)" in text


def test_a_large_value_is_not_poured_out() -> None:
    schema = {"properties": {"table": {"type": "string"}}}
    text = refusal(a_task(parallel=schema), args_parallel={"table": {"rows": list(range(1000))}})
    assert "args_parallel.table: an object is not of type 'string' (rule: type)" in text


@pytest.mark.parametrize(
    "schema",
    [
        {"properties": {"a": {"$ref": "https://example.org/schema.json"}}},
        {"properties": {"a": {"$ref": "#/$defs/Missing"}}},
        {"properties": {"a": {"type": "no such type"}}},
        {"properties": {"a": {"pattern": "("}}},
        {"properties": {"a": {"$ref": "#/properties/a"}}},
    ],
)
def test_a_schema_that_cannot_be_used_is_called_that_and_nothing_is_fetched(schema: object) -> None:
    text = refusal(a_task(parallel=schema), args_parallel={"a": "x"})
    assert "args_parallel: cannot be checked: the schema of task 'Blur' is not valid: " in text
