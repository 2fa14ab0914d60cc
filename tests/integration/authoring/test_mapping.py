"""Tasks mapped over items and functions over values, in flows of Prefect and outside of them."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from treadle.testing.command import Command

pytestmark = pytest.mark.integration

HEAD = """
import json, os, sys, time
from pathlib import Path
import treadle

def power(x: float, exponent: int = 2) -> float:
    if x < 0:
        raise ValueError(f"no power of {x}")
    return x ** exponent

def note(x: int, folder: Path) -> int:
    with (folder / "noted").open("a") as file:
        file.write(f"{x}\\n")
    while x >= 3 and not (folder / "gate").exists():
        time.sleep(0.02)
    return x
"""


def test_a_cached_function_that_is_mapped_makes_no_call_twice_there_or_here(script: Any) -> None:
    said = script.run(
        """
import json, os
from pathlib import Path
import treadle

@treadle.cached
def square(x: int) -> int:
    with Path(__file__).with_name("noted").open("a") as file:
        file.write(f"{x}\\n")
    return x * x

if __name__ == "__main__":
    squares = treadle.load_function(square)
    values = [squares.map([1, 2]), squares.map([2, 3, 1]), [square(3), square(1)]]
    print(json.dumps({"values": values, "home": os.environ["TREADLE_HOME"]}))
"""
    )

    assert said["values"] == [[1, 4], [4, 9, 1], [9, 1]]
    assert sorted((script.folder / "noted").read_text().split()) == ["1", "2", "3"]
    kept = script.treadle("cache", "query", "--function", "square").data
    assert len(kept["calls"]) == 3


def test_outside_of_a_flow_a_function_runs_on_all_values_and_returns_in_order(script: Any) -> None:
    said = script.run(
        HEAD
        + """
if __name__ == "__main__":
    power_of = treadle.load_function(power)
    try:
        power_of.map([1, -1, 3])
    except treadle.errors.RunFailed as error:
        failed = error.detail
    partly = power_of.with_options(on_failure="continue").map([1, -1, 3])
    try:
        power_of.map([{"y": 1}])
    except treadle.errors.ArgumentsInvalid as error:
        refused = str(error)
    print(json.dumps({
        "here": power_of(3), "values": power_of.map(range(40)), "cubes": power_of.map([3, 2], exponent=3),
        "named": power_of.map([{"x": 2, "exponent": 5}, {"x": 7}]), "failed": failed, "refused": refused,
        "partly": [partly[0], type(partly[1]).__name__, partly[1].detail, partly[2]],
        "none": power_of.map([]),
    }))
"""
    )
    assert said["here"] == 9
    assert said["values"] == [x**2 for x in range(40)]
    assert said["cubes"] == [27, 8]
    assert said["named"] == [32, 49]
    assert "ValueError: no power of -1" in said["failed"]
    assert "'y'" in said["refused"]
    assert said["partly"][0::3] == [1, 9]
    assert said["partly"][1] == "UnitError"
    assert "no power of -1" in said["partly"][2]
    assert said["none"] == []


IN_FLOW = """
from prefect import flow, task

@task
def total(values):
    return int(sum(values))

@task
def chosen(items):
    return items[:2]

@flow
def study(folder: str) -> dict:
    squares = treadle.load_function(power).submit(range(3))
    cubes = treadle.load_function(power).submit(range(3), exponent=3)
    create = treadle.load_task("treadle-tasks-mock", "Create Items").with_options(folder=folder)
    mark = treadle.load_task("treadle-tasks-mock", "Mark Item")
    act = treadle.load_task("treadle-tasks-mock", "Act on Marked Item")
    items = create.map(count=total.submit(squares))
    marked = mark.submit(chosen.submit(items))
    acted = act.map(marked)
    from prefect.runtime import flow_run
    return {
        "run": str(flow_run.id), "squares": squares.result(), "cubes": cubes.result(), "items": len(items),
        "acted": [item.zarr_url[-9:] for item in acted], "types": [item.types for item in acted],
    }
"""


def test_in_a_flow_each_map_is_one_task_run_and_results_flow_on(script: Any, ask_prefect: Any) -> None:
    script.write(
        HEAD
        + IN_FLOW
        + """
if __name__ == "__main__":
    print(json.dumps(study(str(Path("data").absolute()))))
"""
    )
    said = script.execute()
    assert (said["squares"], said["cubes"], said["items"]) == ([0, 1, 4], [0, 1, 8], 5)
    assert said["acted"] == ["item_0000", "item_0001"]
    assert said["types"] == [{"marked": True}, {"marked": True}]
    only = {"flow_runs": {"id": {"any_": [said["run"]]}}}
    wanted = {"power": 2, "total": 1, "Create Items": 1, "chosen": 1, "Mark Item": 1, "Act on Marked Item": 1}
    deadline = time.monotonic() + 60
    runs: list[Any] = []
    while Counter(run["name"].split("-")[0] for run in runs if run["state_type"] == "COMPLETED") != wanted:
        assert time.monotonic() < deadline, runs
        runs = ask_prefect("/task_runs/filter", only)
        time.sleep(0.2)
    by_id = {run["id"]: run["name"].split("-")[0] for run in runs}
    needs = {
        by_id[run["id"]]: {
            by_id[entry["id"]] for inputs in run["task_inputs"].values() for entry in inputs if "id" in entry
        }
        for run in runs
    }
    assert needs["total"] == {"power"}
    assert needs["Create Items"] == {"total"}
    assert needs["chosen"] == {"Create Items"}
    assert needs["Mark Item"] == {"chosen"}
    assert needs["Act on Marked Item"] == {"Mark Item"}
    progress = ask_prefect("/artifacts/filter", {**only, "artifacts": {"type": {"any_": ["progress"]}}})
    assert len(progress) == 5
    assert {artifact["data"] for artifact in progress} == {100.0}


def test_a_failed_map_fails_its_flow_with_the_units_words(script: Any) -> None:
    said = script.run(
        HEAD
        + """
from prefect import flow

@flow
def study() -> list:
    return treadle.load_function(power).map([1, -1])

if __name__ == "__main__":
    session = __import__("treadle.authoring.held", fromlist=["held"])
    session.server(session.session().settings)
    state = study(return_state=True)
    error = state.result(raise_on_failure=False)
    print(json.dumps([state.type.value, type(error).__name__, error.detail]))
"""
    )
    assert said[:2] == ["FAILED", "RunFailed"]
    assert "no power of -1" in said[2]


RETRIED = """
from prefect import flow

entered = []

@flow(retries=1)
def study(folder: str) -> list:
    entered.append(1)
    noted = treadle.load_function(note)
    first = noted.map([0, 1, 2], folder=folder)
    second = noted.map([0, 1, 2], folder=folder)
    if len(entered) == 1:
        raise RuntimeError("only the first time")
    return first + second + noted.map([len(entered)], folder=folder)
"""


def test_a_flow_that_is_retried_runs_no_finished_unit_again(script: Any, tmp_path: Path) -> None:
    script.write(HEAD + RETRIED + "\nif __name__ == '__main__':\n    print(json.dumps(study(sys.argv[1])))\n")
    assert script.execute(str(tmp_path)) == [0, 1, 2, 0, 1, 2, 2]
    assert Counter((tmp_path / "noted").read_text().split()) == {"0": 2, "1": 2, "2": 3}


ENTERED = """
from prefect import flow

@flow
def study(folder: str) -> list:
    from prefect.runtime import flow_run
    Path(folder, "run").write_text(str(flow_run.id))
    return treadle.load_function(note).map(range(8), folder=folder)

def enter(flow_run_id: str, folder: str):
    from prefect.client.orchestration import get_client
    from prefect.flow_engine import run_flow
    from prefect.states import Scheduled
    with get_client(sync_client=True) as client:
        client.set_flow_run_state(flow_run_id, Scheduled(), force=True)
        found = client.read_flow_run(flow_run_id)
    return run_flow(study, flow_run=found, parameters={"folder": folder})

if __name__ == "__main__":
    print(json.dumps(enter(sys.argv[2], sys.argv[1]) if sys.argv[2:] else study(sys.argv[1])))
"""


def test_a_flow_run_that_is_entered_again_after_its_death_goes_on(
    script: Any, treadle: Command, tmp_path: Path
) -> None:
    script.write(HEAD + ENTERED)
    noted, run = tmp_path / "noted", tmp_path / "run"
    words = treadle.words("exec", *script.words(str(tmp_path)), as_json=False)
    process = subprocess.Popen(words, env=treadle.environment, cwd=tmp_path, start_new_session=True)
    try:
        deadline = time.monotonic() + 120
        while not noted.exists() or len(set(noted.read_text().split())) < 5:  # 0 to 2 are done, two wait
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.05)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    (tmp_path / "gate").touch()
    assert script.execute(str(tmp_path), run.read_text()) == list(range(8))
    counts = Counter(noted.read_text().split())
    assert set(counts) == set(map(str, range(8)))
    assert [counts[x] for x in "012"] == [1, 1, 1]


def test_items_without_the_types_that_a_task_wants_are_refused_and_leave_no_dataset(script: Any) -> None:
    said, left = script.run(
        HEAD
        + """
from sqlalchemy import func, select
from treadle.authoring import held
from treadle.ledger.tables import datasets

def count():
    with held.session().ledger.reading() as tx:
        return tx.scalar(select(func.count()).select_from(datasets))

if __name__ == "__main__":
    act = treadle.load_task("treadle-tasks-mock", "Act on Marked Item")
    before = count()
    try:
        act.map([treadle.Item(zarr_url="/d/a", types={"marked": True}), treadle.Item(zarr_url="/d/b")])
    except treadle.errors.NothingSelected as error:
        print(json.dumps([str(error), count() - before]))
"""
    )
    assert left == 0
    assert said.startswith("1 of 2 items are not what the task 'Act on Marked Item' works on.")


CANCELLED = """
from prefect import flow

@flow
def study(folder: str) -> list:
    from prefect.runtime import flow_run
    Path(folder, "run").write_text(str(flow_run.id))
    items = treadle.load_task("treadle-tasks-mock", "Create Items").with_options(folder=folder).map(count=3)
    mark = treadle.load_task("treadle-tasks-mock", "Mark Item")
    noted = str(Path(folder, "noted"))
    return mark.map(items, record_file=noted, wait_for_file=str(Path(folder, "gate")), wait_seconds=300)

if __name__ == "__main__":
    state = study(sys.argv[1], return_state=True)
    print(json.dumps(state.name))
"""


def test_cancelling_the_flow_run_in_prefect_ends_the_mapped_run(
    script: Any, treadle: Command, tmp_path: Path, ask_prefect: Any
) -> None:
    script.write(HEAD + CANCELLED)
    words = treadle.words("exec", *script.words(str(tmp_path)), as_json=False)
    process = subprocess.Popen(words, env=treadle.environment, cwd=tmp_path, stdout=subprocess.PIPE)
    deadline = time.monotonic() + 120
    while not (tmp_path / "noted").exists():
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.05)
    flow_run = (tmp_path / "run").read_text()
    ask_prefect(f"/flow_runs/{flow_run}/set_state", {"state": {"type": "CANCELLING"}, "force": True})
    process.communicate(timeout=120)
    [mapped] = [run for run in treadle("runs").data["runs"] if run["prefect_flow_run_id"] == flow_run][:1]
    assert (mapped["workflow"], mapped["state"]) == ("Mark Item", "cancelled")
