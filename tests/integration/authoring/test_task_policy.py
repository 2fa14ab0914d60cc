"""Plain tasks of Prefect with Treadle's cache policy, in threads and processes of a real flow run."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.integration

STUDY = """
import json
import sys
import time
from pathlib import Path

from prefect import flow, task
from prefect.task_runners import ProcessPoolTaskRunner, ThreadPoolTaskRunner

from treadle import treadle_policy


@task(cache_policy=treadle_policy(ignore="log"))
def slow(value, log):
    with open(log, "a") as file:
        file.write("x")
    time.sleep(0.5)
    return {"value": value, "pair": (1, 2)}


@flow
def study(log, values):
    futures = [slow.submit(value, log) for value in values]
    return [future.result() for future in futures]


if __name__ == "__main__":
    runner, log, *values = sys.argv[1:]
    runners = {"threads": ThreadPoolTaskRunner, "processes": ProcessPoolTaskRunner}
    found = study.with_options(task_runner=runners[runner](max_workers=3))(log, values)
    print(json.dumps([found, Path(log).read_text()]))
"""


@pytest.mark.parametrize("runner", ["threads", "processes"])
def test_equal_task_runs_at_once_run_once_and_never_again(script: Any, tmp_path: Path, runner: str) -> None:
    log = str(tmp_path / "log")
    script.write(STUDY)
    value = f"{tmp_path}"  # of this test alone
    results, ran = script.execute(runner, log, value, value, value)
    assert results == [{"value": value, "pair": [1, 2]}] * 3
    assert ran == "x"

    again, ran = script.execute(runner, log, value, value + "-other")
    assert [result["value"] for result in again] == [value, value + "-other"]
    assert ran == "xx"


def test_a_result_outlives_prefects_own_folder(script: Any, tmp_path: Path) -> None:
    log = str(tmp_path / "log")
    script.write(STUDY)
    script.execute("threads", log, str(tmp_path))
    folders = list(Path(script.environment["TREADLE_HOME"]).rglob("storage"))
    assert folders
    for folder in folders:
        shutil.rmtree(folder)
    _, ran = script.execute("threads", log, str(tmp_path))

    assert ran == "x"
