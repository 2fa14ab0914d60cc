"""Runs as a user starts them, from `treadle run` to `show` and `logs`."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from treadle.testing.command import Command

pytestmark = pytest.mark.integration


def step(task: str, alias: str | None = None, **args: object) -> dict[str, Any]:
    """A step of the mock package; its arguments go to the part that its type calls first."""
    part = "args_parallel" if task in {"Act on Item", "Mark Item", "Derive Item"} else "args_non_parallel"
    ref = {"pkg_name": "treadle-tasks-mock", "version": "0.1.0", "name": task}
    return {"task": ref, part: args, **({"alias": alias} if alias else {})}


Prepare = Callable[..., tuple[str, str]]


def run_count(treadle: Command) -> int:
    return len(treadle("runs", "--limit", "1000").data["runs"])


def test_run_goes_from_workflow_to_results_that_show_and_logs_tell(
    treadle: Command, prepare: Prepare
) -> None:
    # Given three items to make, act on and mark
    workflow, dataset = prepare(
        step("Create Items", count=3, attributes={"well": "A1"}),
        step("Act on Item", alias="act", stdout="spoken", stderr="whispered"),
        step("Mark Item"),
    )

    # When the workflow runs
    run = treadle("run", workflow, "--dataset", dataset).data

    # Then each step is done, and the dataset, the list of runs and the logs agree
    assert run["state"] == "done"
    assert [(s["name"], s["state"], s["units"], s["done"], s["failed"]) for s in run["steps"]] == [
        ("Create Items", "done", 1, 1, 0),
        ("act", "done", 3, 3, 0),
        ("Mark Item", "done", 3, 3, 0),
    ]
    items = treadle("dataset", "show", dataset).data["items"]
    assert [(item["attributes"]["well"], item["types"]) for item in items] == [("A1", {"marked": True})] * 3
    number = str(run["id"])
    listed = {str(entry["id"]): entry["state"] for entry in treadle("runs").data["runs"]}
    assert listed[number] == "done"
    shown = treadle("show", number).data
    assert shown["steps"] == run["steps"]
    assert shown["prefect_flow_run_id"] in shown["prefect_page"]
    logs = treadle("logs", number, "--step", "act").data["logs"]
    assert [(log["index"], log["state"]) for log in logs] == [(0, "done"), (1, "done"), (2, "done")]
    assert all("spoken" in log["text"] and "whispered" in log["text"] for log in logs)
    text = treadle("logs", number, "--step", "act", "--unit", "1", as_json=False).stdout
    assert text.startswith(f"==> act, unit 1, done {items[1]['zarr_url']}\n")
    assert "spoken" in text


def test_failed_run_says_which_units_why_and_where_to_read_on(treadle: Command, prepare: Prepare) -> None:
    # Given a step that fails on two items of three
    workflow, dataset = prepare(
        step("Create Items", count=3),
        step("Act on Item", alias="act up", fail_on=["0", "2"], attributes={"seen": 1}, output="updates"),
        step("Act on All Items"),
    )

    # When it runs
    answer = treadle("run", workflow, "--dataset", dataset, code=1, as_json=False)

    # Then the table has the counts, and standard error the units, their last words and the next command
    rows = [line.split() for line in answer.stdout.splitlines()]
    assert ["act", "up", "failed", "3", "1", "2"] in [row[:6] for row in rows]
    assert ["Act", "on", "All", "Items", "not", "run"] in [row[:6] for row in rows]
    assert "Step 'act up' failed" in answer.stderr
    assert "ChosenFailure: asked to fail on " in answer.stderr
    assert "unit 2 (" in answer.stderr
    assert "unit 1 (" not in answer.stderr
    number = treadle("runs", "--limit", "1").data["runs"][0]["id"]
    assert f"treadle logs {number} --step 'act up' --failed" in answer.stderr

    # And the good unit's result is kept, and what failed can be read again
    items = treadle("dataset", "show", dataset).data["items"]
    assert ["seen" in item["attributes"] for item in items] == [False, True, False]
    shown = treadle("show", str(number), as_json=False).stdout
    assert "ChosenFailure: asked to fail on " in shown
    failed = treadle("logs", str(number), "--failed").data["logs"]
    assert [(log["step"], log["index"]) for log in failed] == [("act up", 0), ("act up", 2)]


def test_failed_run_is_one_json_document_and_exit_status_1(treadle: Command, prepare: Prepare) -> None:
    """A unit whose output names an item outside the dataset's folder fails its step and changes nothing."""
    outside = '{"image_list_updates": [{"zarr_url": "/elsewhere/item"}]}'
    workflow, dataset = prepare(step("Create Items", count=1), step("Act on Item", raw_output=outside))
    run = treadle("run", workflow, "--dataset", dataset, code=1).data
    assert (run["state"], [entry["state"] for entry in run["steps"]]) == ("failed", ["done", "failed"])
    assert "/elsewhere/item" in run["steps"][1]["error"]
    assert len(treadle("dataset", "show", dataset).data["items"]) == 1


def test_filters_choose_the_items_of_the_first_step(
    treadle: Command, prepare: Prepare, tmp_path: Path
) -> None:
    """Attributes keep their type: the number 1 is not the text "1"."""
    workflow, _ = prepare(step("Mark Item"))
    images = [
        {"zarr_url": str(tmp_path / name), "attributes": {"index": index}, "types": {"good": good}}
        for name, index, good in [("a", 1, True), ("b", 2, True), ("c", 2, False), ("d", "2", True)]
    ]
    file = tmp_path / "dataset.json"
    file.write_text(json.dumps({"zarr_dir": str(tmp_path), "images": images}))
    treadle("dataset", "create", "filtered", "--from", str(file))
    words = ["run", workflow, "--dataset", "filtered", "--type", "good=true"]
    chosen = ["--where", "index=1", "--where", "index=2"]
    assert treadle(*words, *chosen, "--plan").data["steps"][0]["units"] == 2
    assert treadle(*words, "--where", 'index="2"', "--plan").data["steps"][0]["units"] == 1
    treadle(*words, *chosen)
    items = treadle("dataset", "show", "filtered").data["items"]
    assert [item["types"].get("marked", False) for item in items] == [True, True, False, False]


def test_plan_shows_what_would_run_and_starts_nothing(treadle: Command, prepare: Prepare) -> None:
    workflow, dataset = prepare(step("Create Items", count=7), step("Derive Item", suffix="_x"))
    before = run_count(treadle)
    plan = treadle("run", workflow, "--dataset", dataset, "--plan").data
    first, second = plan["steps"]
    assert (first["task"], first["type"], first["units"]) == ("Create Items", "converter_non_parallel", 1)
    assert (first["package"], first["version"]) == ("treadle-tasks-mock", "0.1.0")
    assert first["arguments"] == {"non_parallel": {"count": 7}}
    assert (second["needs"], second["units"]) == (["Create Items"], None)
    assert second["type_filters"] == {"derived": False}
    text = treadle("run", workflow, "--dataset", dataset, "--plan", as_json=False).stdout
    for word in ('{"count": 7}', "cpus=1", "derived=false", first["environment"], "treadle-tasks-mock 0.1.0"):
        assert word in text
    assert run_count(treadle) == before
    assert treadle("dataset", "show", dataset).data["items"] == []


def test_a_part_of_the_chain_runs_on_the_dataset_as_it_is(
    treadle: Command, prepare: Prepare, tmp_path: Path
) -> None:
    # Given a dataset that the first step of a chain has filled, and steps whose calls are counted
    count = {"record_file": str(tmp_path / "calls")}
    workflow, dataset = prepare(
        step("Create Items", count=2),
        step("Act on Item", alias="act", stdout="one", **count),
        step("Mark Item"),
        step("Act on Item", alias="again", stdout="two", **count),
    )
    to_first = ["run", workflow, "--dataset", dataset, "--to", "Create Items"]
    assert [entry["name"] for entry in treadle(*to_first).data["steps"]] == ["Create Items"]

    # When the two steps in the middle are asked for
    words = ["run", workflow, "--dataset", dataset, "--from", "act", "--to", "Mark Item"]
    plan = treadle(*words, "--plan").data["steps"]
    run = treadle(*words).data

    # Then plan and run have these alone, on the items that are there
    assert [(entry["name"], entry["units"], entry["needs"]) for entry in plan] == [
        ("act", 2, []),
        ("Mark Item", None, ["act"]),
    ]
    assert [(entry["name"], entry["state"], entry["done"]) for entry in run["steps"]] == [
        ("act", "done", 2),
        ("Mark Item", "done", 2),
    ]
    items = treadle("dataset", "show", dataset).data["items"]
    assert [item["types"] for item in items] == [{"marked": True}] * 2
    assert len((tmp_path / "calls").read_text().splitlines()) == 2


@pytest.mark.parametrize(
    ("span", "words"),
    [
        (["--from", "mark"], ["has no step 'mark'", "'Create Items', 'Mark Item'"]),
        (["--from", "Mark Item", "--to", "Create Items"], ["'Mark Item' after step 'Create Items'"]),
        (["--from", "Mark Item"], ["'Mark Item' cannot run", "no items"]),
    ],
    ids=["unknown step", "wrong way round", "nothing to begin with"],
)
def test_a_part_that_cannot_run_is_refused_before_anything_is_submitted(
    treadle: Command, prepare: Prepare, span: list[str], words: list[str]
) -> None:
    workflow, dataset = prepare(step("Create Items"), step("Mark Item"))
    before = run_count(treadle)
    answer = treadle("run", workflow, "--dataset", dataset, *span, code=2)
    for word in words:
        assert word in answer.stderr
    assert run_count(treadle) == before


def test_refresh_runs_what_would_be_reused(treadle: Command, prepare: Prepare) -> None:
    # Given a step whose units are reused
    workflow, dataset = prepare(
        step("Create Items", count=2), {**step("Act on Item", alias="act"), "cache": True}
    )
    treadle("run", workflow, "--dataset", dataset)
    part = ("run", workflow, "--dataset", dataset, "--from", "act")
    assert [row["cached"] for row in treadle(*part).data["steps"]] == [2]

    # When they are to run anew, then the plan says so and they do
    assert [row["cache"] for row in treadle(*part, "--refresh", "--plan").data["steps"]] == ["refresh"]
    assert [row["cached"] for row in treadle(*part, "--refresh").data["steps"]] == [0]
    assert [row["cached"] for row in treadle(*part).data["steps"]] == [2]


@pytest.mark.parametrize(
    ("steps", "words"),
    [
        ([step("Create Items", count="many")], ["Create Items", "count", "integer"]),
        ([step("Create Items", zarr_dir="/x")], ["Create Items", "zarr_dir"]),
        ([step("Create Items"), step("Mark Items")], ["Mark Items", "Mark Item"]),
        ([step("Mark Item")], ["Mark Item", "item"]),
    ],
    ids=["argument of a wrong type", "argument of the engine", "unknown task", "empty selection"],
)
def test_wrong_workflow_is_refused_before_anything_is_submitted(
    treadle: Command, prepare: Prepare, steps: list[dict[str, Any]], words: list[str]
) -> None:
    workflow, dataset = prepare(*steps)
    before = run_count(treadle)
    answer = treadle("run", workflow, "--dataset", dataset, code=2)
    assert answer.data["error"]["what"] in answer.stderr
    for word in words:
        assert word in answer.stderr
    assert run_count(treadle) == before


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupt_cancels_the_run_and_keeps_what_is_done(
    number: int, treadle: Command, prepare: Prepare, tmp_path: Path
) -> None:
    # Given a run whose second step waits for a file that never comes
    started = tmp_path / "started"
    workflow, dataset = prepare(
        step("Create Items", count=1),
        step(
            "Act on Item", record_file=str(started), wait_for_file=str(tmp_path / "never"), wait_seconds=300
        ),
    )
    command = subprocess.Popen(
        treadle.words("run", workflow, "--dataset", dataset),
        env=treadle.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 120
    while not started.exists() and time.monotonic() < deadline and command.poll() is None:
        time.sleep(0.1)

    # When the user presses Ctrl-C
    os.kill(command.pid, number)
    out, err = command.communicate(timeout=120)

    # Then the command says so, and the ledger has the run as cancelled and its first step as done
    assert command.returncode == 130, err
    assert "ancelled" in err
    assert "Traceback" not in err
    states = [entry["state"] for entry in json.loads(out)["steps"]]
    assert states == ["done", "cancelled"]
    assert treadle("runs", "--limit", "1").data["runs"][0]["state"] == "cancelled"
    assert len(treadle("dataset", "show", dataset).data["items"]) == 1
