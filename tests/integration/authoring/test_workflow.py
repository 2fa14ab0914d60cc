"""Workflows that are written in Python: planned, run, stored."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from treadle.testing.command import Command

pytestmark = pytest.mark.integration

PLATE = """
import json, sys
from pathlib import Path
import treadle

@treadle.task(output_types={"measured": True})
def measure(zarr_url: str, scale: float = 1.0) -> dict:
    index = int(zarr_url[-1])
    if scale < 0 and index == 1:
        raise ValueError("a negative scale")
    return {"image_list_updates": [{"zarr_url": zarr_url, "attributes": {"size": index * scale}}]}

def build(name: str, scale: float = 2) -> treadle.Workflow:
    wf = treadle.Workflow(name, description="From nothing to sizes.")
    create = treadle.load_task("treadle-tasks-mock", "Create Items")
    wf.add(create(count=3))
    wf.add(measure, arguments={"scale": scale}, resources={"memory": "300M"})
    return wf
"""


def test_a_workflow_of_collected_tasks_and_functions_is_planned_and_run(script: Any) -> None:
    said = script.run(
        PLATE
        + """
if __name__ == "__main__":
    dataset = treadle.Dataset.create("plate-run", Path("data").absolute())
    wf = build("plate-run")
    plan = wf.plan(dataset)
    result = wf.run(dataset).raise_for_state()
    again = wf.run("plate-run", first="measure", resources={"memory": "400M"})
    print(json.dumps({
        "plan": repr(plan), "state": result.state, "steps": [[s.name, s.done] for s in result.steps],
        "sizes": [item.attributes["size"] for item in result.items],
        "types": [item.types for item in dataset.items],
        "again": [[s.name, s.units] for s in again.steps],
        "names": "plate-run" in treadle.Dataset.names(),
    }))
"""
    )
    assert said["state"] == "done"
    assert said["steps"] == [["Create Items", 1], ["measure", 3]]
    assert said["sizes"] == [0, 2, 4]
    assert said["types"] == [{"measured": True}] * 3
    assert said["again"] == [["measure", 3]]
    assert said["names"]
    [head, columns, first, second] = said["plan"].splitlines()
    assert head.startswith("'plate-run' on 'plate-run'")
    assert columns.split()[:3] == ["step", "task", "needs"]
    assert "Create Items (treadle-tasks-mock 0.1.0)" in first
    assert "measure (study 0)" in second
    assert "memory_mb=300" in second


def test_a_failed_run_says_why_and_its_units_are_at_hand(script: Any) -> None:
    said = script.run(
        PLATE
        + """
if __name__ == "__main__":
    treadle.Dataset.create("plate-bad", Path("data").absolute())
    result = build("plate-bad", scale=-1).run("plate-bad")
    try:
        result.raise_for_state()
    except treadle.errors.RunFailed as error:
        print(json.dumps({
            "state": result.state, "what": str(error), "detail": error.detail,
            "failed": [[unit.index, unit.zarr_url[-9:]] for unit in result.failures],
        }))
"""
    )
    assert said["state"] == "failed"
    assert "Step 'measure' failed: 1 of 3 units are not done" in said["what"]
    assert "treadle resume" in said["what"]
    assert "ValueError: a negative scale" in said["detail"]
    assert said["failed"] == [[1, "item_0001"]]


def test_a_stored_workflow_runs_from_the_command_line_and_finds_the_scripts_functions(
    script: Any, treadle: Command, tmp_path: Path
) -> None:
    script.run(
        PLATE
        + """
if __name__ == "__main__":
    treadle.Dataset.create("plate-stored", Path("data").absolute())
    build("plate-stored").save()
    loaded = treadle.Workflow.load("plate-stored")
    print(json.dumps(loaded.to_json() == build("plate-stored").to_json()))
"""
    )
    assert tmp_path.joinpath("study.py").exists()
    run = treadle("run", "plate-stored", "--dataset", "plate-stored").data
    assert run["state"] == "done"
    items = treadle("dataset", "show", "plate-stored").data["items"]
    assert [item["attributes"]["size"] for item in items] == [0, 2, 4]


def test_a_script_without_a_guard_fails_its_units_with_a_remedy(script: Any) -> None:
    said = script.run(
        PLATE
        + """
treadle.Dataset.create("plate-unguarded", Path("data").absolute(), exist_ok=True)
result = build("plate-unguarded").run("plate-unguarded")
print(json.dumps([result.state, result.failures[0].error]))
"""
    )
    assert said[0] == "failed"
    assert "if __name__ == " in said[1]


def test_tasks_and_workflows_may_be_named_where_workers_import_them(script: Any) -> None:
    said = script.run(
        PLATE
        + """
create = treadle.load_task("treadle-tasks-mock", "Create Items")
measuring = treadle.load_task(measure)
everything = treadle.Workflow("plate-named")
everything.add(create(count=2), name="create")
everything.add(measuring(scale=3), needs="create")

if __name__ == "__main__":
    treadle.Dataset.create("plate-named", Path("data").absolute())
    result = everything.run("plate-named")
    print(json.dumps([result.state, [item.attributes["size"] for item in result.items]]))
"""
    )
    assert said == ["done", [0, 3]]
