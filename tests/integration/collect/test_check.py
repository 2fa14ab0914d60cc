"""`treadle package check` on projects that are really built, resolved and imported."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from treadle.testing.command import Command

pytestmark = pytest.mark.integration

Project = Callable[..., Path]


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """Write a project `tiny` with these files in its package, and more lines of metadata."""

    def write(files: dict[str, str], *lines: str) -> Path:
        metadata = ["[project]", 'name = "tiny"', 'version = "0.3"', *lines, "[build-system]"]
        metadata += ['requires = ["uv_build>=0.12,<0.15"]', 'build-backend = "uv_build"']
        folder = tmp_path / "tiny project"
        for name, text in {"__init__.py": "", **files}.items():
            path = folder / "src" / "tiny" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(textwrap.dedent(text).lstrip())
        (folder / "pyproject.toml").write_text("\n".join(metadata))
        return folder

    return write


def check(folder: Path, home: Path, *, code: int) -> dict[str, Any]:
    answer: dict[str, Any] = Command(home / "home")("package", "check", str(folder), code=code).data
    return answer


def test_a_package_in_order_is_told_with_its_tasks_and_nothing_is_left(
    project: Project, tmp_path: Path
) -> None:
    folder = project(
        {"run.py": "def run(zarr_url: str) -> None: ..."},
        '[project.entry-points."treadle.tasks"]',
        'Run = "tiny.run:run"',
    )
    before = sorted(folder.rglob("*"))

    answer = check(folder, tmp_path, code=0)

    assert answer == {
        "ok": True,
        "name": "tiny",
        "version": "0.3",
        "tasks": [{"name": "Run", "type": "parallel"}],
        "problems": [],
    }
    assert sorted(folder.rglob("*")) == before
    assert list((tmp_path / "home").rglob("*.whl")) == []


def test_problems_of_functions_are_placed_in_the_project(project: Project, tmp_path: Path) -> None:
    folder = project(
        {"run.py": "x = 1\n\ndef run(zarr_url, *rest) -> None: ...\n"},
        '[project.entry-points."treadle.tasks"]',
        'Run = "tiny.run:run"',
        'Gone = "tiny.gone:run"',
    )

    gone, *wrong = sorted(check(folder, tmp_path, code=1)["problems"], key=lambda each: each["place"])

    assert gone["place"] == "pyproject.toml"
    assert "tiny.gone cannot be imported" in gone["what"]
    assert "No module named 'tiny.gone'" in gone["detail"]
    assert [problem["place"] for problem in wrong] == ["src/tiny/run.py:3"] * 2
    assert "argument 'zarr_url' has no annotation" in wrong[0]["what"]


def test_metadata_manifest_programs_and_dependencies_are_all_checked(
    project: Project, tmp_path: Path
) -> None:
    task = {"name": "Run", "executable_parallel": "run.py", "executable_non_parallel": "gone.py"}
    manifest = json.dumps({"manifest_version": "2", "task_list": [task]}, indent=1)
    folder = project(
        {"__FRACTAL_MANIFEST__.json": manifest, "run.py": "def f(:\n"},
        'requires-python = ">=3.99"',
        'dependencies = ["tiny-package-that-nobody-has==1.0"]',
    )

    problems = check(folder, tmp_path, code=1)["problems"]

    assert [problem["place"] for problem in problems] == [
        "pyproject.toml:4",
        "pyproject.toml",
        "src/tiny/__FRACTAL_MANIFEST__.json:7",
        "src/tiny/run.py:1",
    ]
    assert "does not admit Python" in problems[0]["what"]
    assert problems[1]["what"].startswith("No set of packages satisfies tiny-0.3")
    assert problems[1]["detail"]


def test_a_wheel_that_cannot_be_built_shows_the_builds_own_words(project: Project, tmp_path: Path) -> None:
    folder = project({}, 'license-files = ["gone.txt"]', 'readme = "gone.md"')

    [problem] = check(folder, tmp_path, code=1)["problems"]

    assert problem["what"].startswith("it cannot be built: ")
    assert "gone.md" in problem["detail"]


def test_a_folder_that_is_not_there_is_a_mistake_of_the_caller(tmp_path: Path) -> None:
    answer = check(tmp_path / "gone", tmp_path, code=2)

    assert "There is no folder" in answer["error"]["what"]


def test_without_json_each_problem_is_a_line_that_an_editor_can_follow(
    project: Project, tmp_path: Path
) -> None:
    folder = project({"__FRACTAL_MANIFEST__.json": '{"manifest_version": "2",\n "task_list": [{}]}'})

    answer = Command(tmp_path / "home")("package", "check", str(folder), code=1, as_json=False)

    place = "src/tiny/__FRACTAL_MANIFEST__.json:2: task_list[0]"
    assert answer.stdout.splitlines() == [
        "tiny 0.3 has 2 problems:",
        f"{place}.name: is required",
        f"{place}: must have executable_non_parallel, executable_parallel or both",
    ]
