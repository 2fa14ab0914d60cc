"""Runs whose ledger is in PostgreSQL."""

from __future__ import annotations

import json
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from treadle.api import Server
from treadle.testing.cluster import wait_until
from treadle.testing.command import Command
from treadle.testing.postgresql import PostgresqlServer
from treadle.testing.steps import mock_step

pytestmark = pytest.mark.integration

TASKS = Path(__file__).parents[3] / "tasks"


@pytest.fixture(scope="module")
def treadle(server: Server, postgresql: PostgresqlServer) -> Command:
    """The command line on the session's home, but for the ledger."""
    url = postgresql.create("runs")
    command = Command(server.folder.parent, {"TREADLE_LEDGER_URL": url})
    command("collect", str(TASKS / "treadle-tasks-mock"))
    return command


def test_a_run_is_driven_by_one_process_at_a_time_and_taken_over_when_that_is_killed(
    bench: Any, treadle: Command
) -> None:
    # Given a run in its second step, of which one item waits for a file
    noted, gate = bench.folder / "noted", bench.folder / "gate"
    bench.prepare(
        mock_step("Create Items", count=3),
        mock_step("Mark Item", record_file=str(noted), wait_for_file=str(gate)),
        mock_step("Act on Marked Item"),
    )
    with subprocess.Popen(
        treadle.words(*bench.run_words),
        env=treadle.environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    ) as driver:
        try:
            wait_until(noted.exists, 120)
            run = str(treadle("runs").data["runs"][0]["id"])

            # When another process wants it, it is refused as long as the first lives
            assert "is being driven by" in treadle("resume", run, code=1).stderr
        finally:
            driver.kill()

    # And then goes on, with every item worked on and none lost
    gate.touch()
    resumed = treadle("resume", run).data
    assert [(step["state"], step["done"]) for step in resumed["steps"]] == [
        ("done", 1),
        ("done", 3),
        ("done", 3),
    ]
    worked_on = Counter(Path(json.loads(line)["zarr_url"]).name for line in noted.read_text().splitlines())
    assert set(worked_on) == {"item_0000", "item_0001", "item_0002"}
    assert [item["types"] for item in bench.items.values()] == [{"marked": True}] * 3
