"""Collecting and looking at what was collected, through the command."""

from __future__ import annotations

from pathlib import Path

import pytest

from treadle.testing.command import Command

pytestmark = pytest.mark.integration

MOCK = str(Path(__file__).parents[3] / "tasks" / "treadle-tasks-mock")


def test_dry_run_tells_what_would_be_installed_and_registers_nothing(tmp_path: Path) -> None:
    treadle = Command(tmp_path / "home")
    found = treadle("collect", MOCK, "--dry-run").data
    assert found["name"] == "treadle-tasks-mock"
    assert [package.partition("==")[0] for package in found["packages"]] == ["treadle-tasks-mock"]
    assert found["ready"] is False
    assert treadle("package", "list").data == {"packages": []}
    assert not list((tmp_path / "home").glob("environments/*"))


def test_collected_package_and_its_tasks_are_shown(treadle: Command) -> None:
    again = treadle("collect", MOCK).data
    assert again["new"] is False
    package = treadle("package", "show", "Treadle_Tasks.Mock").data
    assert package["package"]["version"] == again["package"]["version"]
    assert package["environment"]["id"] == again["environment"]["id"]
    names = [task["name"] for task in package["tasks"]]
    assert names == [task["name"] for task in again["tasks"]]
    listed = treadle("task", "list", "--package", "treadle-tasks-mock").data["tasks"]
    assert [task["name"] for task in listed] == names
    text = treadle("task", "show", "Create Items", as_json=False).stdout
    assert "converter_non_parallel task of treadle-tasks-mock" in text
    assert "count" in text
    task = treadle("task", "show", "Create Items").data["task"]
    assert "count" in task["non_parallel"]["args_schema"]["properties"]


def test_unknown_task_and_package_list_what_there_is(treadle: Command) -> None:
    answer = treadle("task", "show", "Create", code=2)
    assert "'Create Items'" in answer.stderr
    answer = treadle("package", "show", "treadle-tasks-mock", "--version", "9", code=2)
    assert "treadle-tasks-mock 0.1.0" in answer.stderr


def test_source_that_is_none_is_refused_with_the_forms_that_are(treadle: Command) -> None:
    answer = treadle("collect", "https://example.org/x", code=2)
    assert "name[extra]==version" in answer.stderr


def test_package_without_a_manifest_leaves_nothing_behind(tmp_path: Path) -> None:
    treadle = Command(tmp_path / "home")
    project = tmp_path / "plain"
    (project / "src" / "plain").mkdir(parents=True)
    (project / "src" / "plain" / "__init__.py").touch()
    (project / "pyproject.toml").write_text(
        '[project]\nname = "plain"\nversion = "1"\n'
        '[build-system]\nrequires = ["uv_build"]\nbuild-backend = "uv_build"\n'
    )
    answer = treadle("collect", str(project), code=1)
    assert answer.data["error"]["kind"] == "ManifestInvalid"
    assert "plain" in answer.stderr
    assert treadle("package", "list").data == {"packages": []}
