from __future__ import annotations

import json
from importlib.resources import files

import jsonschema
import pytest
from fractal_task_tools._create_manifest import create_manifest

MANIFEST = json.loads(files("treadle_tasks_imaging").joinpath("__FRACTAL_MANIFEST__.json").read_text())
SUPPLIED = {"zarr_dir", "zarr_url", "zarr_urls", "init_args"}
SCHEMAS = [
    pytest.param(task[f"args_schema_{part}"], id=f"{task['name']}-{part}")
    for task in MANIFEST["task_list"]
    for part in ("non_parallel", "parallel")
    if f"executable_{part}" in task
]


def test_manifest_and_code_agree():
    fresh = create_manifest(raw_package_name="treadle-tasks-imaging", task_list_path="dev.task_list")
    assert fresh == MANIFEST, "run: uv run fractal-manifest create"


def test_every_executable_exists():
    for task in MANIFEST["task_list"]:
        for part in ("non_parallel", "parallel"):
            if executable := task.get(f"executable_{part}"):
                assert files("treadle_tasks_imaging").joinpath(executable).is_file()


@pytest.mark.parametrize("schema", SCHEMAS)
def test_every_argument_has_title_description_and_default(schema):
    jsonschema.Draft202012Validator.check_schema(schema)
    for name, argument in schema["properties"].items():
        assert argument["description"].strip() not in {"", "Missing description"}, name
        if name not in SUPPLIED:
            assert argument["title"]
            assert "default" in argument, name
            jsonschema.validate(argument["default"], {**argument, "$defs": schema.get("$defs", {})})


def test_every_task_is_documented():
    for task in MANIFEST["task_list"]:
        assert len(task["docs_info"]) > 80, task["name"]
