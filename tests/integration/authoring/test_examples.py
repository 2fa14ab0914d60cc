"""The examples of the page on flows in Python, as their readers run them."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from treadle.testing.command import Command

pytestmark = pytest.mark.integration

EXAMPLES = Path(__file__).parents[3] / "docs" / "examples" / "flows"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(EXAMPLES, tmp_path / "flows"))


def run(treadle: Command, folder: Path, words: list[str]) -> list[str]:
    done = subprocess.run(
        words, env=treadle.environment, cwd=folder, capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.splitlines()


def test_the_workflow_prints_its_plan_and_its_sizes(treadle: Command, folder: Path) -> None:
    [head, _, create, measure, *items] = run(treadle, folder, [sys.executable, "plate.py"])
    assert head.startswith("'plate' on 'my-plate'")
    assert create.startswith("create")
    assert "time=0-00:10:00" in measure
    assert len(items) == 4
    url, size = items[0].split()
    assert float(size) == len(url) * 0.65


def test_the_sweep_prints_a_size_for_each_rate(treadle: Command, folder: Path) -> None:
    [line] = run(treadle, folder, [sys.executable, "sweep.py"])
    assert line.startswith("{0.0: 1.0, 0.001: 1.0512")


def test_the_study_runs_as_a_flow_of_prefect(treadle: Command, folder: Path) -> None:
    lines = run(treadle, folder, treadle.words("exec", "python", "study.py", as_json=False))
    assert lines[-1] == "5"


def test_the_words_are_counted_once(treadle: Command, folder: Path) -> None:
    first, again, other = (
        run(treadle, folder, [sys.executable, "reuse.py", *words])[-1] for words in ([], [], ["4"])
    )
    assert first.endswith("3 units done, 0 of them cached")
    assert again.endswith("3 units done, 3 of them cached")
    assert other.endswith("3 units done, 0 of them cached")

    number = other.split()[1].rstrip(":")
    explained = treadle("explain", number, "0").data
    [change] = explained["changes"]
    assert (change["part"], change["before"], change["now"]) == ("argument longest", "20", "4")


def test_the_bindings_are_written_and_can_be_used(treadle: Command, folder: Path) -> None:
    treadle(
        "task", "bindings", "treadle-tasks-mock", "--output", str(folder / "mock_tasks.py"), as_json=False
    )
    text = "from mock_tasks import create_items; print(*create_items(count=2).arguments.values())"
    assert run(treadle, folder, [sys.executable, "-c", text]) == ["{'count': 2}"]
