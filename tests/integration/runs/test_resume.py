"""Runs that are ended by force, by request or by failures, and taken up again."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import psutil
import pytest

from treadle.api import Server
from treadle.testing.command import Command
from treadle.testing.steps import CREATE, mock_step

pytestmark = pytest.mark.integration

PrefectStates = Callable[[str], tuple[str, dict[str, str]]]

CANCEL_SECONDS = 10.0


def states(run: dict[str, Any]) -> dict[str, tuple[str, int, int]]:
    return {step["name"]: (step["state"], step["done"], step["failed"]) for step in run["steps"]}


def wait_for(condition: Callable[[], object], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come"
        time.sleep(0.05)


def executions(file: Path) -> Counter[str]:
    """How often each item was worked on."""
    lines = file.read_text().splitlines() if file.exists() else []
    return Counter(Path(json.loads(line)["zarr_url"]).name for line in lines)


@contextmanager
def started(treadle: Command, words: list[str]) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        treadle.words(*words),
        env=treadle.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def family(process: subprocess.Popen[str]) -> list[psutil.Process]:
    return psutil.Process(process.pid).children(recursive=True)


def survivors(processes: list[psutil.Process]) -> list[int]:
    _, alive = psutil.wait_procs(processes, timeout=10)
    return [process.pid for process in alive]


def latest_run(treadle: Command) -> int:
    return int(treadle("runs").data["runs"][0]["id"])


@pytest.fixture
def held(bench: Any) -> Any:
    """A run of five items of which each waits for a file after it has been noted in another."""
    bench.noted = bench.folder / "noted"
    bench.gate = bench.folder / "gate"
    bench.prepare(
        mock_step(CREATE, count=5),
        mock_step("Mark Item", record_file=str(bench.noted), wait_for_file=str(bench.gate)),
        mock_step("Act on Marked Item"),
    )
    return bench


def test_a_run_whose_driver_was_killed_goes_on_and_repeats_no_finished_unit(
    bench: Any, treadle: Command, prefect_states: PrefectStates
) -> None:
    noted, gate = bench.folder / "noted", bench.folder / "gate"
    bench.prepare(
        mock_step(CREATE, count=8),
        mock_step("Mark Item", record_file=str(noted), sleep_seconds=0.4),
        mock_step("Act on Marked Item", wait_for_file=str(gate)),  # else the run may end before its driver
    )
    with started(treadle, bench.run_words) as process:
        wait_for(lambda: sum(executions(noted).values()) >= 5)
        processes = family(process)
        process.kill()
        process.wait()
        assert survivors(processes) == []
    run_id = latest_run(treadle)
    shown = treadle("show", str(run_id), as_json=False).stdout
    assert f"treadle resume {run_id}" in shown
    before = executions(noted)

    gate.touch()
    run = treadle("resume", str(run_id)).data

    assert states(run) == {
        CREATE: ("done", 1, 0),
        "Mark Item": ("done", 8, 0),
        "Act on Marked Item": ("done", 8, 0),
    }
    after = executions(noted)
    assert set(after) == {f"item_{number:04}" for number in range(8)}
    repeated = [name for name in after if after[name] > 1]
    assert len(repeated) <= 2  # those that ran when the driver died, one a slot
    assert sum(before.values()) >= 5
    assert prefect_states(run["prefect_flow_run_id"])[0] == "COMPLETED"


def test_two_drivers_never_have_one_run(held: Any, treadle: Command) -> None:
    with started(treadle, held.run_words) as process:
        wait_for(held.noted.exists)
        answer = treadle("resume", str(latest_run(treadle)), code=1)
        assert "is being driven by" in answer.stderr
        held.gate.touch()
        stdout, _ = process.communicate(timeout=60)
    assert json.loads(stdout)["state"] == "done"


def test_cancel_from_another_terminal_ends_all_within_ten_seconds_and_resume_goes_on(
    held: Any, treadle: Command, prefect_states: PrefectStates
) -> None:
    with started(treadle, held.run_words) as process:
        wait_for(held.noted.exists)
        processes = family(process)
        answer = treadle("cancel", str(latest_run(treadle)))
        assert answer.data["state"] == "cancelled"
        stdout, _ = process.communicate(timeout=CANCEL_SECONDS)
        assert process.returncode == 130
        assert survivors(processes) == []
    run = json.loads(stdout)
    assert states(run)["Mark Item"][0] == "cancelled"
    assert prefect_states(run["prefect_flow_run_id"])[0] == "CANCELLED"

    held.gate.touch()
    resumed = treadle("resume", str(run["id"])).data

    assert {state for state, _, _ in states(resumed).values()} == {"done"}


def test_cancelling_in_prefect_ends_the_run(held: Any, treadle: Command, server: Server) -> None:
    user, password = server.auth_string.split(":")
    with started(treadle, held.run_words) as process:
        wait_for(held.noted.exists)
        run = treadle("show", str(latest_run(treadle))).data
        processes = family(process)
        with httpx2.Client(base_url=server.api_url, auth=(user, password)) as client:
            asked = {"state": {"type": "CANCELLING", "name": "Cancelling"}, "force": False}
            client.post(f"/flow_runs/{run['prefect_flow_run_id']}/set_state", json=asked).raise_for_status()
        stdout, _ = process.communicate(timeout=CANCEL_SECONDS)
        assert survivors(processes) == []
        with httpx2.Client(base_url=server.api_url, auth=(user, password)) as client:
            flow_run = client.get(f"/flow_runs/{run['prefect_flow_run_id']}").json()
    assert json.loads(stdout)["state"] == "cancelled"
    assert flow_run["state_type"] == "CANCELLED"


def test_a_run_without_a_driver_is_cancelled_at_once(held: Any, treadle: Command) -> None:
    with started(treadle, held.run_words) as process:
        wait_for(held.noted.exists)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    cancelled = treadle("cancel", str(latest_run(treadle)), timeout_seconds=CANCEL_SECONDS)
    assert cancelled.data["state"] == "cancelled"


def test_units_are_tried_again_by_the_policy_of_their_step(bench: Any) -> None:
    noted = bench.folder / "noted"
    bench.prepare(
        mock_step(CREATE, count=3),
        mock_step(
            "Mark Item",
            entry={"retries": {"attempts": 3, "backoff_seconds": 0.1}},
            record_file=str(noted),
            fail_on=["item_0001"],
            fail_first=2,
        ),
    )

    run = bench.run()

    assert states(run)["Mark Item"] == ("done", 3, 0)
    assert executions(noted) == {"item_0000": 1, "item_0001": 3, "item_0002": 1}


def test_a_step_may_go_on_without_the_units_that_fail(bench: Any, treadle: Command) -> None:
    noted = bench.folder / "noted"
    policy = {"on_failure": "continue", "failure_threshold": 0.5}
    bench.prepare(
        mock_step(CREATE, count=4),
        mock_step("Mark Item", entry=policy, record_file=str(noted), fail_on=["item_0002"], fail_first=1),
        mock_step("Act on Marked Item"),
    )

    run = bench.run()

    assert states(run) == {
        CREATE: ("done", 1, 0),
        "Mark Item": ("done", 3, 1),
        "Act on Marked Item": ("done", 3, 0),
    }

    again = treadle("resume", str(run["id"]), "--only", "failed").data

    assert again["state"] == "done"
    assert states(again)["Mark Item"] == ("done", 4, 0)
    assert executions(noted) == {"item_0000": 1, "item_0001": 1, "item_0002": 2, "item_0003": 1}
    assert bench.items["item_0002"]["types"] == {"marked": True}
    assert list(bench.items) == [f"item_{number:04}" for number in range(4)]
    refused = treadle("resume", str(run["id"]), "--only", "failed", code=2)
    assert "no step in which units failed" in refused.stderr


def test_a_run_is_resumed_up_to_a_step_and_then_to_its_end(bench: Any, treadle: Command) -> None:
    bench.prepare(
        mock_step(CREATE, count=2),
        mock_step("Mark Item", fail_on=["item_0001"], fail_first=1),
        mock_step("Act on Marked Item"),
    )
    run = str(bench.run(code=1)["id"])
    assert "is not done" in treadle("resume", run, "--from", "Act on Marked Item", code=2).stderr

    partly = treadle("resume", run, "--to", "Mark Item").data
    assert states(partly)["Mark Item"] == ("done", 2, 0)
    assert states(partly)["Act on Marked Item"][0] == "not_run"
    assert partly["state"] == "cancelled"
    assert "left out on request" in partly["error"]

    assert treadle("resume", run, "--from", "Act on Marked Item").data["state"] == "done"
