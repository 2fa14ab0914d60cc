"""What units print, as it is printed and afterwards."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable
from typing import Any

import pytest

from treadle.testing.command import Command
from treadle.testing.steps import mock_step

pytestmark = pytest.mark.integration


def wait_for(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "it did not come"
        time.sleep(0.05)


def start(treadle: Command, *words: str, as_json: bool = False) -> subprocess.Popen[str]:
    return subprocess.Popen(
        treadle.words(*words, as_json=as_json),
        env=treadle.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_another_terminal_follows_the_logs_of_a_run_until_it_ends(bench: Any, treadle: Command) -> None:
    gate, noted = bench.folder / "gate", bench.folder / "noted"
    bench.prepare(
        mock_step("Create Items", count=2, stdout="made two"),
        mock_step("Mark Item", stdout="begun", record_file=str(noted), wait_for_file=str(gate)),
        mock_step("Act on Marked Item", stderr="nearly there"),
    )
    with start(treadle, *bench.run_words, as_json=True) as run:
        wait_for(noted.exists)
        number = str(treadle("runs").data["runs"][0]["id"])
        with (
            start(treadle, "logs", number, "-f") as everything,
            start(treadle, "logs", number, "-f", "--step", "Mark Item", "--unit", "1", as_json=True) as one,
        ):
            assert everything.stdout is not None
            assert everything.stdout.readline() == "==> Create Items, unit 0\n"
            assert everything.stdout.readline() == "made two\n"
            words = ("logs", number, "--step", "Mark Item", "--unit", "0")
            wait_for(lambda: treadle(*words).data["logs"][0]["text"] == "begun\n")
            assert treadle(*words).data["logs"][0]["state"] == "planned"
            gate.touch()
            run.communicate(timeout=60)
            rest = everything.stdout.read()
            alone, _ = one.communicate(timeout=60)
    for unit in range(2):
        assert f"==> Mark Item, unit {unit}\nbegun\n" in rest
        assert f"==> Act on Marked Item, unit {unit}\nnearly there\n" in rest
    assert [json.loads(line) for line in alone.splitlines()] == [
        {"step": "Mark Item", "unit": 1, "attempt": 1, "text": "begun\n"}
    ]


def test_the_logs_of_an_ended_run_can_be_followed_too_and_end_at_once(bench: Any, treadle: Command) -> None:
    bench.prepare(mock_step("Create Items", count=1, stdout="made one"))
    number = str(bench.run()["id"])

    answer = treadle("logs", number, "-f", as_json=False)

    assert answer.stdout == "==> Create Items, unit 0\nmade one\n"
