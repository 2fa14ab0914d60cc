"""Collections that are killed, in every phase: nothing half built counts, and the next try heals it."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from treadle.testing.command import Command

pytestmark = pytest.mark.integration

PROJECT = Path(__file__).parents[2] / "tasks" / "treadle-tasks-imaging"
DEADLINE = 120


def _any(home: Path, pattern: str) -> bool:
    """Whether there is such a path; where a folder is renamed while it looks, the next look says."""
    try:
        return next(home.glob(pattern), None) is not None
    except FileNotFoundError:
        return False


MOMENTS: dict[str, Callable[[Path], bool]] = {
    "the ledger is made": lambda home: _any(home, "ledger.sqlite"),
    "a wheel is built": lambda home: _any(home, "wheels/*.building"),
    "the wheel is there": lambda home: _any(home, "wheels/*/*.whl"),
    "the environment is begun": lambda home: _any(home, "environments/*.building"),
    "packages are installed": lambda home: _any(
        home, "environments/*.building/lib/python*/site-packages/numpy"
    ),
    "all is installed": lambda home: _any(home, "environments/*.building/treadle-freeze.txt"),
    "the environment is complete": lambda home: _any(home, "environments/*[!g]/treadle-environment.json"),
}


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_killed_collection_is_healed_by_the_next(moment: str, tmp_path: Path) -> None:
    treadle = Command(tmp_path / "home")
    with_children = list(MOMENTS).index(moment) % 2 == 0

    _kill_at(MOMENTS[moment], treadle, with_children=with_children)
    collected = treadle("collect", str(PROJECT)).data

    assert len(treadle("package", "list").data["packages"]) == 1
    _assert_whole(collected["environment"]["path"])
    lost = [entry for entry in treadle("activity", "list").data["activities"] if entry["state"] != "done"]
    assert {(entry["state"], entry["error"]) for entry in lost} <= {("failed", "Its process died.")}
    again = treadle("collect", str(PROJECT)).data
    assert not again["new"]
    leftovers = [*treadle.home.glob("environments/*.building"), *treadle.home.glob("wheels/*.building")]
    assert leftovers == []


def _kill_at(moment: Callable[[Path], bool], treadle: Command, *, with_children: bool) -> None:
    """Begin a collection and kill it at a moment."""
    with psutil.Popen(
        treadle.words("collect", str(PROJECT)),
        env=treadle.environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as collection:
        deadline = time.monotonic() + DEADLINE
        while not moment(treadle.home):
            assert collection.poll() is None, "it ended before the moment was seen"
            assert time.monotonic() < deadline, "the moment did not come"
            time.sleep(0.005)
        children = collection.children(recursive=True) if with_children else []
        for victim in (collection, *children):
            with contextlib.suppress(psutil.NoSuchProcess):
                victim.kill()
    assert collection.returncode == -signal.SIGKILL


def _assert_whole(environment: str) -> None:
    program = "import skimage.measure, treadle_tasks_imaging"
    subprocess.run([f"{environment}/bin/python", "-c", program], check=True, capture_output=True)
