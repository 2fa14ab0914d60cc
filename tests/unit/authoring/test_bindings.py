"""A package's tasks as a typed module."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from treadle.authoring.bindings import bindings
from treadle.authoring.tasks import TaskHandle
from treadle.model.task import TaskType

Make = Callable[..., TaskHandle]

GOOD = """
from images_tasks import blur, class_2, task_3d_view
from treadle import Call, Item, Workflow

call: Call = blur(sigma=2, mode="wrap", channels=[1], mask=None)
Workflow("typed").add(call)
Workflow("typed").add(class_2)
items: list[Item] = blur.with_options(retries=1).map(["/d/a"], sigma=1.5)
task_3d_view(anything=1)
"""
BAD = {
    'blur(sigma="wide")': 'incompatible type "str"; expected "float"',
    'blur(sigma=1, mode="mirror")': "expected \"Literal['reflect', 'wrap']\"",
    "blur(sigma=1, sigmas=2)": 'Unexpected keyword argument "sigmas"',
    "blur()": 'Missing named argument "sigma"',
}


@pytest.fixture
def folder(make_handle: Make, tmp_path: Path) -> Path:
    tasks = [
        make_handle("Blur", docs_info='Blurs """softly""" with a \\ in it.'),
        make_handle("Class 2", TaskType.NON_PARALLEL, {"type": "object"}),
        make_handle("class-2", TaskType.COMPOUND),
        make_handle("3D view", schema=None),
    ]
    (tmp_path / "images_tasks.py").write_text(bindings([handle.task for handle in tasks]))
    return tmp_path


def check(folder: Path, text: str) -> str:
    (folder / "flow.py").write_text(text)
    engine = str(Path(__file__).parents[3] / "engine")
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--config-file=", "flow.py", "images_tasks.py"],
        cwd=folder,
        env={**os.environ, "MYPYPATH": engine, "MYPY_CACHE_DIR": str(folder / "cache")},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout + done.stderr


def test_each_task_has_a_name_of_its_own(folder: Path) -> None:
    tree = ast.parse((folder / "images_tasks.py").read_text())
    names = [target.id for node in tree.body if isinstance(node, ast.Assign) for target in node.targets]
    assert names == ["blur", "class_2", "class_2_2", "task_3d_view", "__all__"]


def test_a_type_checker_accepts_what_fits_and_refuses_what_does_not(folder: Path) -> None:
    assert "Success" in check(folder, GOOD)
    said = check(folder, "\n".join(["from images_tasks import blur", *BAD]))
    lines = {int(line.split(":")[1]): line for line in said.splitlines() if ": error:" in line}
    assert set(lines) == {2, 3, 4, 5}, said
    for number, expected in enumerate(BAD.values(), start=2):
        assert expected in lines[number]
