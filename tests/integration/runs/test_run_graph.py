"""The graph that Prefect draws of a run has exactly the edges of `needs`."""

from __future__ import annotations

import time
from typing import Any

import httpx2
import pytest

from treadle.api import Server
from treadle.testing.command import Command

pytestmark = pytest.mark.integration

NEEDS = {
    "make": [],
    "derive": ["make"],
    "left": ["derive"],
    "right": ["derive"],
    "join": ["left", "right"],
}
TASKS = {"make": "Create Items", "derive": "Derive Item", "join": "Act on All Items"}


def step(name: str, **args: Any) -> dict[str, Any]:
    task = {"pkg_name": "treadle-tasks-mock", "version": "0.1.0", "name": TASKS.get(name, "Act on Item")}
    part = "args_non_parallel" if name in {"make", "join"} else "args_parallel"
    return {"task": task, "alias": name, "needs": NEEDS[name], **({part: args} if args else {})}


def graph_of(server: Server, flow_run: str) -> dict[str, list[str]]:
    """The nodes of a flow run's graph, and the names of their parents.

    Prefect names a parent as often as that has inputs of its own.
    """
    user, password = server.auth_string.split(":")
    with httpx2.Client(base_url=server.api_url, auth=(user, password)) as client:
        graph = client.get(f"/flow_runs/{flow_run}/graph-v2").raise_for_status().json()
    nodes = {node["id"]: node for _, node in graph["nodes"]}
    return {
        node["label"]: sorted({nodes[parent["id"]]["label"] for parent in node["parents"]})
        for node in nodes.values()
    }


def wait_for_graph(server: Server, flow_run: str, expected: dict[str, list[str]]) -> dict[str, list[str]]:
    """The graph, once Prefect has heard of all its nodes."""
    deadline = time.monotonic() + 30
    while (graph := graph_of(server, flow_run)) != expected and time.monotonic() < deadline:
        time.sleep(0.1)
    return graph


def test_a_branch_and_a_join_have_the_edges_of_needs(bench: Any, server: Server) -> None:
    bench.prepare(*(step(name, **({"count": 3} if name == "make" else {})) for name in NEEDS))

    run = bench.run()

    expected = {name: sorted(needs) for name, needs in NEEDS.items()}
    assert wait_for_graph(server, run["prefect_flow_run_id"], expected) == expected


def test_a_resumed_run_has_the_edges_to_steps_that_were_done_before(
    bench: Any, treadle: Command, server: Server
) -> None:
    fails = {"fail_on": ["item_0001"], "fail_first": 1, "record_file": str(bench.folder / "noted")}
    chain = {
        "make": [],
        "mark": ["make"],
        "act": ["mark"],
    }
    tasks = {"make": "Create Items", "mark": "Mark Item", "act": "Act on Marked Item"}
    args = {"make": {"args_non_parallel": {"count": 3}}, "mark": {"args_parallel": fails}, "act": {}}
    bench.prepare(
        *(
            {
                "alias": name,
                "needs": needs,
                "task": {"pkg_name": "treadle-tasks-mock", "version": "0.1.0", "name": tasks[name]},
                **args[name],
            }
            for name, needs in chain.items()
        )
    )
    bench.run(code=1)

    run = treadle("resume", str(treadle("runs", "--limit", "1").data["runs"][0]["id"])).data

    expected = {name: list(needs) for name, needs in chain.items()}
    assert wait_for_graph(server, run["prefect_flow_run_id"], expected) == expected
