"""What is wrong with a wheel's manifest and programs, with places in the project it was built of."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from treadle.collect.checks.programs import argument_problems
from treadle.collect.checks.wheel import WheelCheck, check_wheel
from treadle.model.task import Part, TaskType

MANIFEST = "tiny/__FRACTAL_MANIFEST__.json"
RUN = "\nif __name__ == '__main__':\n    run_fractal_task(task_function=run)\n"


def check(folder: Path, files: dict[str, str], *, project: dict[str, str] | None = None) -> WheelCheck:
    for name, text in (files if project is None else project).items():
        path = folder / "project" / "src" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    wheel = folder / "tiny-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return check_wheel(wheel, folder=folder / "project", name="tiny", version="1.0")


def manifest(*tasks: dict[str, Any], **rest: Any) -> str:
    return json.dumps({"manifest_version": "2", "task_list": tasks, **rest}, indent=1)


def said(checked: WheelCheck) -> list[str]:
    return [str(problem) for problem in checked.problems]


def test_a_wheel_in_order_has_tasks_and_no_problems(tmp_path: Path) -> None:
    schema = {"type": "object", "properties": {"zarr_url": {}, "level": {}}, "required": ["zarr_url"]}
    task = {"name": "Run", "executable_parallel": "run.py", "args_schema_parallel": schema}
    text = f"def run(*, zarr_url: str, level: int = 0): ...\n{RUN}"

    checked = check(tmp_path, {MANIFEST: manifest(task), "tiny/run.py": text})

    assert said(checked) == []
    assert [task.name for task in checked.tasks] == ["Run"]


def test_every_problem_of_a_manifest_has_its_line(tmp_path: Path) -> None:
    tasks = [{"name": "A", "executable_parallel": "a.py", "type": "odd"}, {"name": "A"}, {"tags": ["x", "x"]}]

    texts = said(check(tmp_path, {MANIFEST: manifest(*tasks)}))

    assert any(text.startswith(f"src/{MANIFEST}:7: task_list[0].type: must be one of") for text in texts)
    assert any(text.startswith(f"src/{MANIFEST}:10: task_list[1].name: 'A' is that of") for text in texts)
    assert any(text.startswith(f"src/{MANIFEST}:13: task_list[2].tags: names 'x'") for text in texts)
    assert any("task_list[2].name: is required" in text for text in texts)
    assert len(texts) == 6


def test_a_manifest_that_is_no_json_has_its_line(tmp_path: Path) -> None:
    [text] = said(check(tmp_path, {MANIFEST: '{\n"manifest_version": "2",\n]'}))

    assert text.startswith(f"src/{MANIFEST}:3: The manifest of tiny is not JSON")


def test_programs_and_schemas_are_checked_all_at_once(tmp_path: Path) -> None:
    schema = {"type": "object", "properties": {"level": {"type": "number of things"}}}
    tasks = [
        {"name": "Gone", "executable_parallel": "gone.py"},
        {"name": "Broken", "executable_parallel": "broken.py"},
        {"name": "Odd", "executable_parallel": "odd.py", "args_schema_parallel": schema},
        {"name": "Program", "executable_parallel": "program.sh"},
    ]
    files = {
        MANIFEST: manifest(*tasks),
        "tiny/broken.py": "x = 1\ndef f(:\n",
        "tiny/odd.py": f"\ndef run(zarr_url, size): ...{RUN}",
        "tiny/program.sh": "not Python (",
    }

    texts = said(check(tmp_path, files))

    assert texts[0] == f"src/{MANIFEST}:6: task_list[0].executable_parallel: tiny/gone.py is not in the wheel"
    assert texts[1].startswith("src/tiny/broken.py:2: does not compile: ")
    assert texts[2:4] == [
        "src/tiny/odd.py:2: task 'Odd': run takes no argument 'level', which its schema describes",
        "src/tiny/odd.py:2: task 'Odd': run needs 'size', which its schema does not describe",
    ]
    assert texts[4].startswith(
        f"src/{MANIFEST}:15: task_list[2].args_schema_parallel: is not a valid JSON Schema: "
    )
    assert "number of things" in texts[4]
    assert len(texts) == 5


def test_a_manifest_that_the_build_leaves_out_is_named(tmp_path: Path) -> None:
    checked = check(tmp_path, {"tiny/__init__.py": ""}, project={MANIFEST: manifest()})

    assert said(checked) == [
        f"src/{MANIFEST}: is not in the wheel: tell the build backend to include it",
    ]


def test_a_wheel_without_any_tasks_is_told_how_to_have_some(tmp_path: Path) -> None:
    [text] = said(check(tmp_path, {"tiny/__init__.py": ""}))

    assert "ships no __FRACTAL_MANIFEST__.json, and has no entry points treadle.tasks" in text


def test_two_manifests_are_one_too_many(tmp_path: Path) -> None:
    [text] = said(check(tmp_path, {MANIFEST: manifest(), "a/__FRACTAL_MANIFEST__.json": manifest()}))

    assert text == f"the wheel has 2 manifests: a/__FRACTAL_MANIFEST__.json, {MANIFEST}"


def test_functions_named_by_entry_points_stand_for_a_manifest(tmp_path: Path) -> None:
    points = {"tiny-1.0.dist-info/entry_points.txt": "[treadle.tasks]\nRun = tiny:run\n"}

    checked = check(tmp_path, points)

    assert (checked.derived, checked.problems) == (True, ())


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        ("def run(*, zarr_url, level=0): ...", []),
        ("def run(**everything): ...", []),
        ("from elsewhere import run", []),
        ("def run(zarr_url, level): ...", ["run needs 'level', which its schema does not require"]),
        ("def run(level=0): ...", ["run takes no argument 'zarr_url', which the engine gives it"]),
    ],
)
def test_what_cannot_be_told_from_the_file_is_not_judged(text: str, problems: list[str]) -> None:
    schema = {"properties": {"zarr_url": {}, "level": {}}}

    found = argument_problems(f"{text}{RUN}".encode(), schema, TaskType.PARALLEL, Part.PARALLEL)

    assert [what for what, _ in found] == problems
