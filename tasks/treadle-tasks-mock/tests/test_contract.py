from __future__ import annotations

import ast
import json
from importlib.metadata import requires
from pathlib import Path

import pytest
import treadle_tasks_mock
from treadle_tasks_mock.manifest import MANIFEST_FILE, build_manifest

PACKAGE = Path(treadle_tasks_mock.__file__).parent
MANIFEST = json.loads(MANIFEST_FILE.read_text())
PARTS = [
    pytest.param(task, part, id=f"{task['name']}-{part}")
    for task in MANIFEST["task_list"]
    for part in ("non_parallel", "parallel")
    if f"executable_{part}" in task
]
SUPPLIED = {"zarr_dir", "zarr_url", "zarr_urls", "init_args"}


def test_manifest_and_code_agree():
    assert build_manifest() == MANIFEST, "run: uv run python -m treadle_tasks_mock.manifest"


def test_every_task_type_is_there():
    assert {task["type"] for task in MANIFEST["task_list"]} == {
        "parallel",
        "non_parallel",
        "compound",
        "converter_non_parallel",
        "converter_compound",
    }


@pytest.mark.parametrize(("task", "part"), PARTS)
def test_each_part_has_its_file_and_a_valid_schema(task, part):
    jsonschema = pytest.importorskip("jsonschema", reason="the validator needs a newer Python")
    assert (PACKAGE / task[f"executable_{part}"]).is_file()
    schema = task[f"args_schema_{part}"]
    jsonschema.Draft202012Validator.check_schema(schema)
    assert set(schema["required"]) == SUPPLIED & set(schema["properties"])
    for name, argument in schema["properties"].items():
        assert argument["title"], name
        assert argument["description"], name
        if name not in SUPPLIED:
            jsonschema.validate(argument["default"], argument)


def test_an_out_file_that_exists_is_refused_and_kept(run, item):
    done = run("act_on_item", out_exists=True, zarr_url=item, output="null")
    assert done.status == 1
    assert "already exists" in done.stderr
    assert done.out == "old"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({}, "missing arguments: zarr_url"),
        ({"zarr_url": "/d/a", "colour": 1}, "unexpected arguments: colour"),
    ],
)
def test_wrong_arguments_fail_and_are_named(run, arguments, words):
    done = run("act_on_item", **arguments)
    assert done.status == 1
    assert words in done.stderr


def test_there_are_no_dependencies_and_the_syntax_is_that_of_python_3_9():
    assert not requires("treadle-tasks-mock")
    for source in PACKAGE.rglob("*.py"):
        ast.parse(source.read_text(), feature_version=(3, 9))
