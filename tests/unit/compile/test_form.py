"""The form of a workflow's deployment, checked by Prefect's own validator as its server does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from prefect.utilities.schema_tools.validation import is_valid_schema, validate

from treadle.compile.form import form_of
from treadle.compile.form_cache import cache_of, refreshed, with_cache
from treadle.compile.form_values import values_of, with_values
from treadle.compile.form_words import read_words
from treadle.errors import ArgumentsInvalid, TreadleError, UnknownName, UsageError, WorkflowInvalid
from treadle.model.task import Installed, InstalledTask, Part, Task, TaskRef, TaskType
from treadle.model.workflow import Step, Workflow

SIGMA: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "zarr_url": {"type": "string", "title": "Zarr Url"},
        "sigma": {"type": "number", "minimum": 0, "title": "Sigma", "description": "Width of the blur."},
        "channel": {"$ref": "#/$defs/Channel", "title": "Channel"},
        "mode": {"enum": ["fast", "slow"], "default": "fast", "title": "Mode"},
        "level": {"anyOf": [{"type": "integer", "minimum": 0}, {"type": "null"}], "default": None},
        "label": {"anyOf": [{"type": "string"}, {"type": "null"}], "default": None},
    },
    "required": ["zarr_url", "sigma", "channel"],
    "$defs": {
        "Channel": {
            "type": "object",
            "properties": {
                "index": {"type": "integer"},
                "window": {"anyOf": [{"$ref": "#/$defs/Window"}, {"type": "null"}], "default": None},
            },
            "required": ["index"],
        },
        "Window": {"type": "object", "properties": {"low": {"type": "integer"}}, "required": ["low"]},
    },
}
OTHER: dict[str, Any] = {
    "type": "object",
    "properties": {
        "zarr_urls": {"type": "array", "items": {"type": "string"}},
        "zarr_dir": {"type": "string"},
        "channel": {"$ref": "#/definitions/Channel"},
    },
    "definitions": {"Channel": {"type": "object", "properties": {"name": {"type": "string"}}}},
}
INIT: dict[str, Any] = {"type": "object", "properties": {"size": {"type": "integer", "default": 4}}}


def a_task(
    name: str, kind: TaskType, label: str | None = "pydantic_v2", *, pure: bool = False, **schemas: object
) -> InstalledTask:
    parts = {
        f"{part}": {"executable": "run.py", "args_schema": schemas.get(str(part))} for part in kind.parts
    }
    task = Task.model_validate(
        {
            "package": "p",
            "version": "1",
            "name": name,
            "type": kind,
            "args_schema_version": label,
            "pure": pure,
            **parts,
        }
    )
    return InstalledTask(id=1, task=task, installed=Installed(environment="e", python="/p", root="/r"))


TASKS: Mapping[TaskRef, InstalledTask] = {
    found.task.ref: found
    for found in (
        a_task("Blur", TaskType.PARALLEL, parallel=SIGMA),
        a_task("Count", TaskType.NON_PARALLEL, non_parallel=OTHER),
        a_task("Tile", TaskType.COMPOUND, non_parallel=INIT, parallel=OTHER),
        a_task("Old", TaskType.PARALLEL, "made by hand", parallel=SIGMA),
        a_task("Pure", TaskType.PARALLEL, pure=True),
    )
}
BLUR, COUNT, TILE, OLD, PURE = TASKS


def a_workflow(*steps: Mapping[str, Any]) -> Workflow:
    return Workflow(name="W", steps=tuple(Step.model_validate(step) for step in steps))


CHANNEL = {"index": 1}
FULL = a_workflow(
    {"name": "blur it", "task": BLUR, "args_parallel": {"sigma": 2.5, "channel": CHANNEL}},
    {"name": "count", "task": COUNT, "needs": ["blur it"]},
    {"name": "tile", "task": TILE, "needs": ["count"], "args_non_parallel": {"size": 8}},
)


def a_form(workflow: Workflow = FULL) -> dict[str, Any]:
    form: dict[str, Any] = form_of(workflow, TASKS, ["plate", "other plate"], ["local", "slurm"])
    is_valid_schema(form)
    return form


def refusals(of: Workflow = FULL, **parameters: object) -> list[str]:
    given = {"workflow": "W", "dataset": "plate", **parameters}
    return [f"{error.json_path}: {error.message}" for error in validate(given, a_form(of))]


def test_every_argument_has_what_its_schema_says_and_the_workflows_value_as_default() -> None:
    blur = a_form()["properties"]["steps"]["properties"]["blur it"]["properties"]

    assert list(blur) == ["sigma", "channel", "mode", "level", "label"]  # none of those the engine supplies
    assert (blur["sigma"]["title"], blur["sigma"]["description"]) == ("Sigma", "Width of the blur.")
    assert (blur["sigma"]["minimum"], blur["sigma"]["default"]) == (0, 2.5)
    assert (blur["mode"]["enum"], blur["mode"]["default"]) == (["fast", "slow"], "fast")
    assert blur["channel"]["default"] == CHANNEL


def test_models_of_one_name_in_two_tasks_stay_apart_where_prefects_older_ui_finds_them() -> None:
    form = a_form()
    steps = form["properties"]["steps"]["properties"]

    references = [
        steps["blur it"]["properties"]["channel"]["$ref"],
        steps["count"]["properties"]["channel"]["$ref"],
    ]
    models = [form["definitions"][reference.removeprefix("#/definitions/")] for reference in references]
    assert ["index" in model["properties"] for model in models] == [True, False]
    window = models[0]["properties"]["window"]["anyOf"][0]["$ref"]
    assert form["definitions"][window.removeprefix("#/definitions/")]["required"] == ["low"]


def test_a_task_of_two_parts_has_a_form_of_two_parts() -> None:
    tile = a_form()["properties"]["steps"]["properties"]["tile"]["properties"]

    assert tile["non_parallel"]["properties"]["size"]["default"] == 8
    assert list(tile["parallel"]["properties"]) == ["channel"]
    assert refusals(steps={"tile": {"size": 1}}) != []
    assert refusals(steps={"tile": {"non_parallel": {"size": 1}}}) == []


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({"steps": {"blur it": {"sigma": -1}}}, "steps['blur it'].sigma: -1 is less than the minimum"),
        ({"steps": {"blur it": {"mode": "best"}}}, "'best' is not one of"),
        ({"steps": {"blur it": {"level": -1}}}, "-1 is less than the minimum"),
        ({"steps": {"blur it": {"level": "x"}}}, "is not"),
        ({"steps": {"blur it": {"channel": {"index": "x"}}}}, "'x' is not of type 'integer'"),
        ({"steps": {"blur it": {"channel": {}}}}, "'index' is a required property"),
        ({"steps": {"blur it": {"sigme": 1}}}, "'sigme' was unexpected"),
        ({"steps": {"blur it": {"zarr_url": "/x"}}}, "'zarr_url' was unexpected"),
        ({"steps": {"blur": {}}}, "'blur' was unexpected"),
        ({"dataset": "no plate"}, "'no plate' is not one of"),
        ({"cluster": "cloud"}, "'cloud' is not one of"),
        ({"first_step": "blur"}, "'blur' is not one of"),
        ({"resources": {"memory": "much"}}, "'much' does not match"),
        ({"resources": {"time": "soon"}}, "'soon' does not match"),
        ({"resources": {"partition": "a; rm"}}, "does not match"),
        ({"resources": {"cpus": 0}}, "0 is less than the minimum"),
        ({"resources": {"color": "red"}}, "'color' was unexpected"),
        ({"cache": {"blur it": "maybe"}}, "'maybe' is not one of"),
        ({"cache": {"blur": "true"}}, "'blur' was unexpected"),
        ({"workflow": "V"}, "'W' was expected"),
        ({"more": 1}, "'more' was unexpected"),
    ],
)
def test_prefects_server_refuses_what_is_wrong(parameters: dict[str, object], said: str) -> None:
    found = refusals(**parameters)
    assert any(said in text for text in found), found


def test_prefects_server_takes_what_is_right() -> None:
    blur = {"sigma": 0, "mode": "slow", "channel": {"index": 2}}
    for given in (
        {},
        {"steps": {}},
        {"steps": {"blur it": blur}, "first_step": "count", "last_step": "", "cluster": "slurm"},
        {"resources": {"memory": "8G", "time": "1-02:00:00", "partition": "long", "cpus": 4}},
        {"resources": {"memory": "", "time": "", "partition": ""}},
        {"cache": {"blur it": "refresh", "count": "true"}},
    ):
        assert refusals(**given) == []


def test_an_argument_that_may_be_null_is_shown_as_what_it_is_otherwise_and_still_takes_null() -> None:
    blur = a_form()["properties"]["steps"]["properties"]["blur it"]["properties"]

    assert (blur["level"]["type"], blur["level"]["minimum"]) == ("integer", 0)
    assert "default" not in blur["level"]
    for value in (None, 3):
        assert refusals(steps={"blur it": {"level": value}}) == []

    # and one that the workflow sets can be set back to null
    set_to = a_workflow(
        {"name": "s", "task": BLUR, "args_parallel": {"sigma": 1, "channel": CHANNEL, "label": "a"}}
    )
    assert refusals(set_to, steps={"s": {"label": None}}) == []
    changed = with_values(set_to, TASKS, {"s": {"label": None}})
    assert changed.steps[0].args(Part.PARALLEL)["label"] is None


def test_what_the_workflow_leaves_open_must_be_given() -> None:
    opened = a_workflow({"name": "blur it", "task": BLUR, "args_parallel": {"sigma": 1}})

    assert "'steps' is a required property" in " ".join(refusals(opened))
    assert "'blur it' is a required property" in " ".join(refusals(opened, steps={}))
    assert "'channel' is a required property" in " ".join(refusals(opened, steps={"blur it": {}}))
    assert refusals(opened, steps={"blur it": {"channel": {"index": 1}}}) == []


def test_arguments_without_a_schema_that_is_enforced_are_taken_as_they_come() -> None:
    old = a_workflow({"name": "old", "task": OLD, "args_parallel": {"sigma": "?"}})

    assert a_form(old)["properties"]["steps"]["properties"]["old"]["default"] == {"sigma": "?"}
    assert refusals(old, steps={"old": {"anything": [1]}}) == []


def test_a_step_whose_task_is_not_collected_has_no_form() -> None:
    lost = {"pkg_name": "q", "version": "1", "name": "T"}
    with pytest.raises(WorkflowInvalid, match="is not collected"):
        form_of(a_workflow({"name": "lost", "task": lost}), TASKS, [], [])


def test_values_lie_over_the_workflows_own_one_by_one() -> None:
    changed = with_values(
        FULL, TASKS, {"blur it": {"sigma": 3}, "tile": {"parallel": {"channel": {"name": "x"}}}}
    )

    assert changed.steps[0].args(Part.PARALLEL) == {"sigma": 3, "channel": CHANNEL}
    assert changed.steps[2].args(Part.NON_PARALLEL) == {"size": 8}
    assert changed.steps[2].args(Part.PARALLEL) == {"channel": {"name": "x"}}
    assert with_values(FULL, TASKS, values_of(changed, TASKS)) == changed


@pytest.mark.parametrize(
    ("values", "kind", "said"),
    [
        ({"blur": {}}, UnknownName, "no step 'blur'"),
        ({"blur it": 3}, ArgumentsInvalid, "must be an object, found a number"),
        ({"tile": {"size": 3}}, ArgumentsInvalid, "'size' must be below non_parallel or parallel"),
    ],
)
def test_values_of_another_shape_are_refused(values: Any, kind: type[TreadleError], said: str) -> None:
    with pytest.raises(kind, match=said):
        with_values(FULL, TASKS, values)


def test_words_are_read_by_the_names_of_steps_and_the_parts_of_their_tasks() -> None:
    words = ["blur it.sigma=3.5", "blur it.label=a b", "tile.size=2", "tile.parallel.channel={}"]

    assert read_words(FULL, TASKS, words) == {
        "blur it": {"sigma": 3.5, "label": "a b"},
        "tile": {"non_parallel": {"size": 2}, "parallel": {"channel": {}}},
    }


@pytest.mark.parametrize(
    ("word", "kind", "said"),
    [
        ("blur it.sigma", UsageError, "not of the form"),
        ("blur.sigma=1", UnknownName, "no step of workflow 'W'"),
        ("tile.colour=1", ArgumentsInvalid, "no part has an argument 'colour'"),
    ],
)
def test_words_that_mean_nothing_are_refused(word: str, kind: type[TreadleError], said: str) -> None:
    with pytest.raises(kind, match=said):
        read_words(FULL, TASKS, [word])


def test_the_form_shows_for_each_step_whether_its_units_are_reused() -> None:
    cached = a_workflow(
        {"name": "plain", "task": BLUR, "args_parallel": {"sigma": 1, "channel": CHANNEL}},
        {"name": "pure", "task": PURE, "needs": ["plain"]},
        {"name": "never", "task": PURE, "needs": ["pure"], "cache": False},
        {"name": "anew", "task": PURE, "needs": ["never"], "cache": "refresh"},
    )
    shown = a_form(cached)["properties"]["cache"]["properties"]

    assert {name: field["default"] for name, field in shown.items()} == {
        "plain": "false",
        "pure": "true",
        "never": "false",
        "anew": "refresh",
    }
    assert shown["pure"]["enum"] == ["true", "false", "refresh"]


def test_a_choice_in_the_form_is_that_of_its_step() -> None:
    words = {"blur it": "refresh", "count": "true", "tile": "false"}
    changed = with_cache(FULL, TASKS, words)

    assert [step.cache for step in changed.steps] == ["refresh", True, None]
    assert cache_of(changed, TASKS) == words
    assert with_cache(FULL, TASKS, cache_of(FULL, TASKS)) == FULL


def test_a_refreshed_workflow_runs_what_would_be_reused_and_keeps_nothing_else() -> None:
    steps = a_workflow(
        {"name": "plain", "task": COUNT},
        {"name": "pure", "task": PURE, "needs": ["plain"]},
        {"name": "in place", "task": COUNT, "needs": ["pure"], "cache": True},
        {"name": "never", "task": PURE, "needs": ["in place"], "cache": False},
    )

    assert [step.cache for step in refreshed(steps, TASKS).steps] == [None, "refresh", "refresh", False]


@pytest.mark.parametrize(
    ("words", "kind", "said"),
    [
        ({"blur": "true"}, UnknownName, "no step 'blur'"),
        ({"count": "maybe"}, ArgumentsInvalid, "one of true, false, refresh, found "),
        ({"count": True}, ArgumentsInvalid, "one of true, false, refresh, found "),
    ],
)
def test_choices_that_mean_nothing_are_refused(words: Any, kind: type[TreadleError], said: str) -> None:
    with pytest.raises(kind, match=said):
        with_cache(FULL, TASKS, words)
