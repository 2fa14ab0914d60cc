"""Chains of mock tasks: what the ledger, the dataset and Prefect hold afterwards."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from treadle.testing.command import Command
from treadle.testing.steps import CREATE, mock_step

pytestmark = pytest.mark.integration

PrefectStates = Callable[[str], tuple[str, dict[str, str]]]


def states(run: dict[str, Any]) -> dict[str, tuple[str, int, int]]:
    return {step["name"]: (step["state"], step["done"], step["failed"]) for step in run["steps"]}


def test_a_chain_of_all_five_task_types_fills_the_dataset(bench: Any, prefect_states: PrefectStates) -> None:
    bench.prepare(
        mock_step(CREATE, init={"count": 3, "attributes": {"kind": "raw"}}),
        mock_step("Create Items Apart", init={"count": 2, "prefix": "apart"}),
        mock_step("Act on Item", output="updates", attributes={"seen": 1}),
        mock_step("Act on All Items", init={"output": "updates", "types": {"counted": True}}),
        mock_step("Act on Parts", init={"parts": 2}),
        mock_step("Remove Items", init={"remove": ["apart_0001"]}),
        mock_step("Derive Item"),
    )

    run = bench.run()

    assert states(run) == {
        "Create Items": ("done", 1, 0),
        "Create Items Apart": ("done", 3, 0),
        "Act on Item": ("done", 5, 0),
        "Act on All Items": ("done", 1, 0),
        "Act on Parts": ("done", 11, 0),
        "Remove Items": ("done", 1, 0),
        "Derive Item": ("done", 4, 0),
    }
    items = bench.items
    kept = ["item_0000", "item_0001", "item_0002", "apart_0000"]
    assert list(items) == [*kept, *(f"{name}_derived" for name in kept)]
    assert items["item_0001"]["attributes"] == {"index": 1, "kind": "raw", "seen": 1}
    assert items["item_0001"]["types"] == {"counted": True}
    assert items["item_0001_derived"] == {
        "zarr_url": str(bench.data / "item_0001_derived"),
        "origin": str(bench.data / "item_0001"),
        "attributes": {"index": 1, "kind": "raw", "seen": 1},
        "types": {"counted": True, "derived": True},
    }
    assert json.loads((bench.data / "item_0001_derived" / "data.json").read_text()) == {"origin": "item_0001"}
    assert prefect_states(run["prefect_flow_run_id"]) == (
        "COMPLETED",
        dict.fromkeys(states(run), "COMPLETED"),
    )


def test_good_units_of_a_failed_step_are_kept_and_later_steps_do_not_run(
    bench: Any, treadle: Command, prefect_states: PrefectStates
) -> None:
    bench.prepare(
        mock_step(CREATE, init={"count": 4}),
        mock_step("Mark Item", fail_on=["item_0002"], stdout="before the end"),
        mock_step("Act on Marked Item"),
    )

    run = bench.run(code=1)

    assert run["state"] == "failed"
    assert states(run) == {
        CREATE: ("done", 1, 0),
        "Mark Item": ("failed", 3, 1),
        "Act on Marked Item": ("not_run", 0, 0),
    }
    marked = {name: item["types"] for name, item in bench.items.items()}
    assert marked == {
        "item_0000": {"marked": True},
        "item_0001": {"marked": True},
        "item_0002": {},
        "item_0003": {"marked": True},
    }
    [failure] = run["failures"]
    assert failure["zarr_url"] == str(bench.data / "item_0002")
    assert failure["cause"] == "failed"
    [log] = treadle("logs", str(run["id"]), "--failed").data["logs"]
    assert log["index"] == 2
    assert "before the end" in log["text"]
    assert prefect_states(run["prefect_flow_run_id"]) == (
        "FAILED",
        {CREATE: "COMPLETED", "Mark Item": "FAILED", "Act on Marked Item": "PENDING"},
    )


@pytest.mark.parametrize(
    ("output", "said"),
    [
        ('{"image_list_updates": [], "extra": 1}', "extra"),
        ("not json", "JSON"),
        ("[1, 2]", "object"),
        ('{"image_list_updates": [{"zarr_url": "/data/../item"}]}', ".."),
    ],
    ids=["extra-key", "not-json", "not-an-object", "parent-folder"],
)
def test_invalid_output_fails_that_unit_alone_and_says_what_is_wrong(
    bench: Any, output: str, said: str
) -> None:
    bench.prepare(
        mock_step(CREATE, init={"count": 3}),
        mock_step("Mark Item", raw_output=output, raw_output_on=["item_0001"]),
    )

    run = bench.run(code=1)

    [failure] = run["failures"]
    assert (failure["cause"], failure["unit"]) == ("invalid_output", 1)
    assert said in failure["error"]
    assert [name for name, item in bench.items.items() if item["types"]] == ["item_0000", "item_0002"]


def test_an_item_outside_the_dataset_folder_is_a_merge_error_that_changes_nothing(bench: Any) -> None:
    outside = str(bench.folder / "data-elsewhere" / "item")
    bench.prepare(
        mock_step(CREATE, init={"count": 2}),
        mock_step(
            "Mark Item",
            raw_output=json.dumps({"image_list_updates": [{"zarr_url": outside}]}),
            raw_output_on=["item_0001"],
        ),
    )

    run = bench.run(code=1)

    assert states(run)["Mark Item"] == ("failed", 2, 0)
    error = run["steps"][1]["error"]
    assert outside in error
    assert str(bench.data) in error
    assert [item["types"] for item in bench.items.values()] == [{}, {}]


def test_bad_arguments_are_named_before_anything_is_submitted(bench: Any, treadle: Command) -> None:
    bench.prepare(mock_step(CREATE, init={"count": "three"}), mock_step("Act on Item", sleep_seconds=-1))
    known = treadle("runs").data

    answer = treadle(*bench.run_words, code=2)

    for part in ("Create Items", "count", "integer", "Act on Item", "sleep_seconds", "minimum"):
        assert part in answer.stderr
    assert "Traceback" not in answer.stderr
    assert treadle("runs").data == known
    assert list(bench.data.iterdir()) == []


def test_an_empty_selection_fails_the_step_and_names_the_filters(bench: Any) -> None:
    bench.prepare(mock_step(CREATE, init={"count": 2}), mock_step("Act on Marked Item"))

    run = bench.run(code=1)

    assert states(run)["Act on Marked Item"] == ("failed", 0, 0)
    assert "marked" in run["steps"][1]["error"]
    assert len(bench.items) == 2


def test_an_interrupted_run_is_cancelled_everywhere_and_leaves_no_process(
    bench: Any, treadle: Command, prefect_states: PrefectStates
) -> None:
    started = bench.folder / "started"
    bench.prepare(
        mock_step(CREATE, init={"count": 3}),
        mock_step("Mark Item", sleep_seconds=600, write_file=str(started), child_seconds=600),
        mock_step("Act on Marked Item"),
    )
    process = subprocess.Popen(
        treadle.words(*bench.run_words),
        env=treadle.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    _wait_for(lambda: list(bench.folder.glob("started*")))
    family = psutil.Process(process.pid).children(recursive=True)

    os.kill(process.pid, signal.SIGINT)
    stdout, stderr = process.communicate(timeout=60)

    run = json.loads(stdout)
    assert (process.returncode, run["state"]) == (130, "cancelled")
    assert "Traceback" not in stderr
    assert states(run)["Mark Item"][0] == "cancelled"
    assert states(run)["Act on Marked Item"][0] == "cancelled"
    assert _survivors(family) == []
    state, tasks = prefect_states(run["prefect_flow_run_id"])
    assert (state, tasks[CREATE], tasks["Mark Item"]) == ("CANCELLED", "COMPLETED", "CANCELLED")


def _wait_for(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "it did not come"
        time.sleep(0.05)


def _survivors(family: list[psutil.Process]) -> list[int]:
    _, alive = psutil.wait_procs(family, timeout=10)
    return [process.pid for process in alive]


def test_what_a_unit_may_see_of_the_environment(bench: Any, treadle: Command) -> None:
    bench.prepare(
        mock_step(
            CREATE,
            init={
                "count": 1,
                "print_environment": ["FRACTAL_CACHE_DIR", "PREFECT_API_AUTH_STRING", "TREADLE_HOME"],
            },
        )
    )

    run = bench.run()

    [log] = treadle("logs", str(run["id"])).data["logs"]
    assert "FRACTAL_CACHE_DIR=" + str(Path(treadle.home) / "fractal" / ".fractal_cache") in log["text"]
    assert "treadle:" not in log["text"]
    assert str(treadle.home) + "\n" not in log["text"]
