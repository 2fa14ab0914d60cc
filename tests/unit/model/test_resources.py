"""Resources read from meta."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given

from treadle.errors import WorkflowInvalid
from treadle.model.resources import Origin, Resources, origins_of_meta, resources_from_meta
from treadle.testing import strategies


@given(strategies.metas(), strategies.metas())
def test_a_step_overlays_its_task(task_meta: dict[str, Any], step_meta: dict[str, Any]) -> None:
    overlaid = resources_from_meta(task_meta, step_meta)
    assert overlaid == resources_from_meta({**task_meta, **step_meta}, {})
    assert overlaid.cpus == step_meta.get("cpus_per_task", task_meta.get("cpus_per_task", 1))
    assert Resources.model_validate_json(overlaid.model_dump_json()) == overlaid


def test_nothing_said_is_one_cpu() -> None:
    assert resources_from_meta({}, {}) == Resources(cpus=1)


@pytest.mark.parametrize(
    ("mem", "megabytes"),
    [(500, 500), ("500", 500), ("500M", 500), ("8G", 8000), ("2T", 2_000_000), (" 8G ", 8000)],
)
def test_memory_is_in_mb_with_suffixes_of_a_thousand(mem: object, megabytes: int) -> None:
    assert resources_from_meta({"mem": mem}, {}).memory_mb == megabytes  # type: ignore[dict-item]  # any JSON


@pytest.mark.parametrize(
    ("value", "flag"), [(True, True), ("true", True), ("TRUE", True), ("False", False), (False, False)]
)
def test_needs_gpu_is_a_flag_or_its_name(value: bool | str, *, flag: bool) -> None:
    assert resources_from_meta({"needs_gpu": value}, {}).needs_gpu is flag


@pytest.mark.parametrize(("value", "flag"), [(True, True), ("true", True), ("False", False), (False, False)])
def test_units_can_be_kept_from_being_forked(value: bool | str, *, flag: bool) -> None:
    assert resources_from_meta({"fresh_process": True}, {"fresh_process": value}).fresh_process is flag


def test_scheduler_options_are_kept_as_text() -> None:
    options = {
        "time": "02:00:00",
        "gres": "gpu:1",
        "gpus": 2,
        "constraint": "c",
        "nodelist": "n",
        "nodes": 1,
        "exclude": "e",
    }
    resources = resources_from_meta(options, {"extra_lines": ["a", "b"], "tasks_per_job": 4})
    kept = resources.model_dump()
    assert {key: kept[key] for key in options} == {key: str(value) for key, value in options.items()}
    assert (resources.extra_lines, resources.tasks_per_job) == (("a", "b"), 4)


def test_null_takes_a_key_back_to_its_default() -> None:
    assert (
        resources_from_meta({"cpus_per_task": 8, "mem": "8G"}, {"cpus_per_task": None, "mem": None})
        == Resources()
    )


def test_unknown_keys_are_ignored() -> None:
    assert resources_from_meta({"colour": "red"}, {}) == Resources()


@pytest.mark.parametrize(
    ("meta", "problem"),
    [
        ({"cpus_per_task": 0}, "cpus_per_task: must be 1 or more"),
        ({"cpus_per_task": "2"}, "cpus_per_task: must be a whole number, found a string"),
        ({"cpus_per_task": True}, "cpus_per_task: must be a whole number, found true or false"),
        ({"cpus_per_task": 1.5}, "cpus_per_task: must be a whole number, found a number"),
        ({"mem": 0}, "mem: must be 1 or more"),
        ({"mem": "8g"}, "mem: must be a whole number of MB"),
        ({"mem": "1.5G"}, "mem: must be a whole number of MB"),
        ({"mem": "8K"}, "mem: must be a whole number of MB"),
        ({"mem": True}, "mem: must be a whole number of MB"),
        ({"needs_gpu": "maybe"}, "needs_gpu: must be true or false"),
        ({"needs_gpu": 1}, "needs_gpu: must be true or false"),
        ({"needs_gpu": []}, "needs_gpu: must be true or false"),
        ({"extra_lines": "a"}, "extra_lines: must be a list"),
        ({"extra_lines": [1]}, "extra_lines[0]: must be a string"),
        ({"time": {}}, "time: must be a string"),
        ({"account": "lab"}, "account: must not be set here"),
        ({"parallel_tasks_per_job": 0}, "parallel_tasks_per_job: must be 1 or more"),
    ],
)
def test_bad_resources_are_refused_with_their_key(meta: dict[str, Any], problem: str) -> None:
    with pytest.raises(WorkflowInvalid) as caught:
        resources_from_meta({}, {"nodes": [], **meta})
    assert problem in str(caught.value)
    assert "nodes: must be a string, found a list" in str(caught.value)


def test_who_said_a_value_is_known_and_a_null_of_the_step_leaves_it_unsaid() -> None:
    task_meta = {"cpus_per_task": 1, "mem": 100, "time": "30", "colour": "red"}
    origins = origins_of_meta(task_meta, {"mem": 200, "time": None, "needs_gpu": True})
    assert origins == {"cpus": Origin.TASK, "memory_mb": Origin.STEP, "needs_gpu": Origin.STEP}
