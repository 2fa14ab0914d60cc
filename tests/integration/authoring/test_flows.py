"""Workflows as flows of Prefect: called, nested, found by an entrypoint."""

from __future__ import annotations

from typing import Any

import pytest

pytestmark = pytest.mark.integration

TEXT = """
import json, sys
from pathlib import Path
from prefect import flow
import treadle

def make(zarr_dir: str, count: int) -> dict:
    if count < 0:
        raise ValueError("fewer than none")
    return {"image_list_updates": [{"zarr_url": f"{zarr_dir}/{number}"} for number in range(count)]}

def workflow(count: int) -> treadle.Workflow:
    wf = treadle.Workflow("nested/items")
    wf.add(make, arguments={"count": count})
    return wf
"""


def test_a_workflow_is_a_flow_and_a_subflow(script: Any, ask_prefect: Any) -> None:
    script.write(
        TEXT
        + """
@flow
def both(first: str, second: str) -> list:
    from prefect.runtime import flow_run
    nested = workflow(2).to_flow()
    results = [nested(dataset=first), nested(dataset=second)]
    return [str(flow_run.id), [len(result.items) for result in results], [r.state for r in results]]

if __name__ == "__main__":
    for name in ("flows-a", "flows-b"):
        treadle.Dataset.create(name, Path(name).absolute())
    print(json.dumps(both("flows-a", "flows-b")))
"""
    )
    parent, sizes, states = script.execute()
    assert (sizes, states) == ([2, 2], ["done", "done"])
    children = ask_prefect("/flow_runs/filter", {"flow_runs": {"parent_flow_run_id": {"any_": [parent]}}})
    assert [child["state_type"] for child in children] == ["COMPLETED", "COMPLETED"]
    assert sorted(child["parameters"]["dataset"] for child in children) == ["flows-a", "flows-b"]


def test_a_workflows_flow_fails_with_its_run_and_is_on_the_homes_server_by_itself(script: Any) -> None:
    said = script.run(
        TEXT
        + """
if __name__ == "__main__":
    treadle.Dataset.create("flows-bad", Path("data").absolute())
    state = workflow(-1).to_flow()(dataset="flows-bad", return_state=True)
    error = state.result(raise_on_failure=False)
    print(json.dumps([state.type.value, str(error), error.detail]))
"""
    )
    assert said[0] == "FAILED"
    assert "Step 'make' failed" in said[1]
    assert "fewer than none" in said[2]


def test_prefect_finds_a_workflows_flow_by_its_entrypoint(script: Any) -> None:
    script.write(TEXT + "\nitems_flow = workflow(3).to_flow()\n", name="plates.py")
    said = script.run(
        """
import json
from pathlib import Path
from prefect.flows import load_flow_from_entrypoint
import treadle

if __name__ == "__main__":
    treadle.Dataset.create("flows-entry", Path("data").absolute())
    found = load_flow_from_entrypoint("plates.py:items_flow")
    print(json.dumps([found.name, len(found(dataset="flows-entry").items)]))
"""
    )
    assert said == ["nested-items", 3]
