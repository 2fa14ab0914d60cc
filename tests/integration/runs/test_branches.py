"""Workflows that branch and join: what runs side by side, what each step sees, what comes together."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from treadle.testing.steps import mock_step

pytestmark = pytest.mark.integration

PrefectStates = Callable[[str], tuple[str, dict[str, str]]]


def in_graph(alias: str, name: str, needs: list[str], **rest: Any) -> dict[str, Any]:
    return mock_step(name, entry={"alias": alias, "needs": needs}, **rest)


def meeting(bench: Any, mine: str, theirs: str) -> dict[str, str]:
    """Arguments of a unit that ends only while another, of the other branch, is there too."""
    return {"write_file": str(bench.folder / mine), "wait_for_file": str(bench.folder / theirs)}


def test_branches_run_side_by_side_and_their_join_sees_both(
    bench: Any, prefect_states: PrefectStates
) -> None:
    bench.prepare(
        in_graph("begin", "Create Items", [], init={"count": 1}),
        in_graph(
            "left",
            "Act on Item",
            ["begin"],
            output="updates",
            attributes={"left": 1},
            **meeting(bench, "l", "r"),
        ),
        in_graph("right", "Derive Item", ["begin"], **meeting(bench, "r", "l")),
        in_graph("join", "Act on Item", ["left", "right"], output="updates", attributes={"joined": True}),
    )

    run = bench.run()

    assert [(step["name"], step["state"], step["done"]) for step in run["steps"]] == [
        ("begin", "done", 1),
        ("left", "done", 1),
        ("right", "done", 1),
        ("join", "done", 2),
    ]
    found = {name: item["attributes"] for name, item in bench.items.items()}
    assert found == {
        "item_0000": {"index": 0, "left": 1, "joined": True},
        "item_0000_derived": {"index": 0, "joined": True},
    }
    assert prefect_states(run["prefect_flow_run_id"])[0] == "COMPLETED"


def test_branches_that_contradict_each_other_keep_what_the_first_made_and_the_join_does_not_run(
    bench: Any,
) -> None:
    bench.prepare(
        in_graph("begin", "Create Items", [], init={"count": 1}),
        in_graph("left", "Act on Item", ["begin"], output="updates", attributes={"n": 1}),
        in_graph("right", "Act on Item", ["begin"], output="updates", attributes={"n": 2}),
        in_graph("join", "Act on Item", ["left", "right"]),
    )

    run = bench.run(code=1)

    states = {step["name"]: step["state"] for step in run["steps"]}
    assert sorted([states["left"], states["right"]]) == ["done", "failed"]
    assert states["join"] == "not_run"
    assert "attribute 'n'" in run["error"]
    winner = 1 if states["left"] == "done" else 2
    assert bench.items["item_0000"]["attributes"] == {"index": 0, "n": winner}


def test_a_circle_is_refused_when_the_workflow_is_imported(bench: Any) -> None:
    steps = (
        in_graph("one", "Act on Item", ["other"]),
        in_graph("other", "Act on Item", ["one"]),
    )
    bench.data.mkdir()
    file = bench.folder / "circle.json"
    file.write_text(json.dumps({"name": bench.name, "task_list": list(steps)}))

    refused = bench.treadle("workflow", "import", str(file), code=2)

    assert "is in a cycle" in refused.stderr
