"""Recorded workflows: read in all versions, checked, and turned into steps."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from treadle.errors import WorkflowInvalid
from treadle.model.wfcommons import STAGING, Recording, is_wfformat, recording_from_json, replayed_workflow
from treadle.model.workflow import Workflow

MONTAGE = Path(__file__).parents[3] / "flows" / "data" / "montage.json"


def split(**changes: Any) -> dict[str, Any]:
    """A recording of version 1.5: two tasks in a row, and what differs."""
    tasks = [
        {
            "name": "project",
            "id": "ID1",
            "parents": [],
            "children": ["ID2"],
            "inputFiles": ["raw"],
            "outputFiles": ["flat"],
        },
        {
            "name": "add",
            "id": "ID2",
            "parents": ["ID1"],
            "children": [],
            "inputFiles": ["flat"],
            "outputFiles": ["sum"],
        },
    ]
    specification = {
        "tasks": tasks,
        "files": [{"id": name, "sizeInBytes": 1001} for name in ("raw", "flat", "sum")],
    }
    executed = [
        {"id": "ID1", "runtimeInSeconds": 4, "avgCPU": 97.5, "coreCount": 1},
        {"id": "ID2", "runtimeInSeconds": 2.5, "avgCPU": 180.0},
    ]
    workflow = {
        "specification": {**specification, **changes.pop("specification", {})},
        "execution": {
            "makespanInSeconds": 7,
            "executedAt": "now",
            "tasks": changes.pop("executed", executed),
        },
    }
    return {"name": "sum", "schemaVersion": "1.5", "workflow": workflow, **changes}


def flat() -> dict[str, Any]:
    """The same in version 1.4, whose tasks name one another by name."""

    def file(link: str, name: str) -> dict[str, Any]:
        return {"link": link, "name": name, "sizeInBytes": 1001}

    tasks = [
        {
            "name": "project",
            "id": "ID1",
            "type": "compute",
            "parents": [],
            "children": ["add"],
            "files": [file("input", "raw"), file("output", "flat")],
            "runtimeInSeconds": 4,
            "avgCPU": 97.5,
        },
        {
            "name": "add",
            "type": "compute",
            "parents": ["project"],
            "files": [file("input", "flat"), file("output", "sum")],
            "runtimeInSeconds": 2.5,
            "avgCPU": 180.0,
        },
    ]
    workflow = {"executedAt": "now", "makespanInSeconds": 7, "tasks": tasks}
    return {"name": "sum", "schemaVersion": "1.4", "wms": {"name": "Pegasus"}, "workflow": workflow}


def problems(data: dict[str, Any]) -> str:
    with pytest.raises(WorkflowInvalid) as caught:
        recording_from_json(data)
    return str(caught.value)


@pytest.mark.parametrize("data", [split(), split(schemaVersion="1.6"), flat()], ids=["1.5", "1.6", "1.4"])
def test_versions_say_the_same(data: dict[str, Any]) -> None:
    assert is_wfformat(data)
    recording = recording_from_json(data)
    first, second = recording.tasks
    assert (first.name, first.needs, first.inputs, first.outputs) == ("project", (), ("raw",), ("flat",))
    assert (first.seconds, first.cpu) == (4.0, 0.975)
    assert (second.needs, second.seconds, second.cpu) == (("project",), 2.5, 1.0)
    assert recording.sizes == {"raw": 1001, "flat": 1001, "sum": 1001}


def test_steps_take_scaled_times_and_sizes_after_a_step_that_makes_the_inputs() -> None:
    workflow = replayed_workflow(recording_from_json(split()), time_scale=0.01, size_scale=0.1)
    staging, first, second = workflow.steps
    assert (staging.name, staging.needs) == (STAGING, ())
    assert staging.args_non_parallel == {"outputs": {"raw": 101}}
    assert first.needs == (STAGING,)
    assert first.args_non_parallel == {
        "seconds": 0.04,
        "cpu": 0.975,
        "inputs": ["raw"],
        "outputs": {"flat": 101},
    }
    assert second.needs == ("project",)
    assert Workflow.model_validate(workflow.model_dump()) == workflow


def test_writer_of_a_file_is_needed_though_nobody_calls_it_a_parent() -> None:
    data = split()
    tasks = data["workflow"]["specification"]["tasks"]
    tasks[0]["children"], tasks[1]["parents"] = [], []
    assert recording_from_json(data).tasks[1].needs == ("project",)


def test_children_count_as_parents_do() -> None:
    data = split()
    tasks = data["workflow"]["specification"]["tasks"]
    tasks[1]["parents"], tasks[1]["inputFiles"] = [], []
    assert recording_from_json(data).tasks[1].needs == ("project",)


def test_tasks_of_one_name_are_told_apart_by_their_ids() -> None:
    data = split()
    for task in data["workflow"]["specification"]["tasks"]:
        task["name"] = "m"
    assert [task.name for task in recording_from_json(data).tasks] == ["ID1", "ID2"]


def test_file_that_its_only_writer_reads_too_is_made_before() -> None:
    data = split()
    data["workflow"]["specification"]["tasks"][0]["outputFiles"] = ["flat", "raw"]
    workflow = replayed_workflow(recording_from_json(data))
    assert workflow.steps[0].args_non_parallel == {"outputs": {"raw": 1001}}


def test_recording_without_execution_takes_no_time() -> None:
    data = split()
    del data["workflow"]["execution"]
    assert [task.seconds for task in recording_from_json(data).tasks] == [0.0, 0.0]


def test_all_that_is_wrong_is_named_with_its_place() -> None:
    data = split(executed=[{"id": "ID9", "runtimeInSeconds": 1}])
    tasks = data["workflow"]["specification"]["tasks"]
    tasks[1]["parents"] = ["ID7"]
    tasks[1]["inputFiles"] = ["lost"]
    tasks[1]["outputFiles"] = ["flat"]
    text = problems(data)
    assert "execution: the task 'ID9' is not in the specification" in text
    assert "tasks[1].parents[0]: there is no task 'ID7'" in text
    assert "tasks[1]: the size of its file 'lost' is not given" in text
    assert "tasks[1]: it writes 'flat', which tasks[0] writes too" in text


def test_cycle_is_named() -> None:
    data = split()
    data["workflow"]["specification"]["tasks"][0]["parents"] = ["ID2"]
    assert "cycle" in problems(data)


def test_id_that_two_tasks_have_is_named() -> None:
    data = split()
    data["workflow"]["specification"]["tasks"][1]["id"] = "ID1"
    assert "the id 'ID1' is there more than once" in problems(data)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (split(schemaVersion="1.2"), "WfFormat '1.2'"),
        (split(executed=[{"id": "ID1", "runtimeInSeconds": -1}]), "runtimeInSeconds: must be 0.0 or more"),
        (split(specification={"tasks": []}), "workflow.specification.tasks"),
        (split(specification={"files": [{"id": "../x", "sizeInBytes": 1}]}), "must be the name of a file"),
    ],
)
def test_what_breaks_the_format_is_refused(data: dict[str, Any], said: str) -> None:
    assert said in problems(data)


@pytest.fixture(scope="module")
def montage() -> Recording:
    return recording_from_json(json.loads(MONTAGE.read_text()))


def test_montage_has_the_structure_of_its_recipe(montage: Recording) -> None:
    def kinds(names: tuple[str, ...]) -> set[str]:
        return {name.partition("_")[0] for name in names}

    needs: dict[str, set[str]] = {}
    for task in montage.tasks:
        needs.setdefault(task.name.partition("_")[0], set()).update(kinds(task.needs))
    assert needs == {
        "mProject": set(),
        "mDiffFit": {"mProject"},
        "mConcatFit": {"mDiffFit"},
        "mBgModel": {"mConcatFit"},
        "mBackground": {"mProject", "mBgModel"},
        "mImgtbl": {"mBackground"},
        "mAdd": {"mBackground", "mImgtbl"},
        "mViewer": {"mAdd"},
    }
    assert len(montage.tasks) == 58
