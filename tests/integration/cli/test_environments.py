"""Looking after packages and environments through the command."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from treadle.collect.environments.removal import remove_tree
from treadle.testing.command import Command

pytestmark = pytest.mark.integration

MANIFEST = {"manifest_version": "2", "task_list": [{"name": "Tell", "executable_non_parallel": "tell.py"}]}
TASK = """
import argparse, json
from tiny_library import VERSION
words = argparse.ArgumentParser()
words.add_argument("--args-json")
words.add_argument("--out-json")
arguments = json.loads(open(words.parse_args().args_json).read())
with open(f"{arguments['zarr_dir']}/{PACKAGE}.txt", "w") as file:
    file.write(VERSION)
print(PACKAGE, "with library", VERSION)
"""


def write_wheel(folder: Path, name: str, version: str, files: dict[str, str], requires: str = "") -> Path:
    stem = f"{name.replace('-', '_')}-{version}"
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    contents = {
        **files,
        f"{stem}.dist-info/METADATA": metadata + (f"Requires-Dist: {requires}\n" if requires else ""),
        f"{stem}.dist-info/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{path},,\n" for path in contents)
    folder.mkdir(exist_ok=True)
    wheel = folder / f"{stem}-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for path, text in (*contents.items(), (f"{stem}.dist-info/RECORD", record)):
            archive.writestr(path, text)
    return wheel


def task_wheel(folder: Path, name: str, library: str) -> Path:
    package = name.replace("-", "_")
    files = {
        f"{package}/__init__.py": "",
        f"{package}/tell.py": f"PACKAGE = {name!r}\n{TASK}",
        f"{package}/__FRACTAL_MANIFEST__.json": json.dumps(MANIFEST),
    }
    return write_wheel(folder, name, "1.0", files, f"tiny-library=={library}")


def library_wheels(folder: Path) -> None:
    for version in ("1.0", "2.0"):
        write_wheel(folder, "tiny-library", version, {"tiny_library.py": f"VERSION = {version!r}\n"})


@pytest.fixture
def treadle(tmp_path: Path) -> Command:
    """A home of its own, with a wheelhouse of two versions of a library."""
    library_wheels(tmp_path / "wheels")
    return Command(tmp_path / "home", {"TREADLE_WHEELHOUSE": str(tmp_path / "wheels")})


def step(package: str) -> dict[str, Any]:
    return {"task": {"pkg_name": package, "version": "1.0", "name": "Tell"}, "alias": package}


def test_packages_that_need_incompatible_versions_run_in_one_workflow(
    treadle: Command, tmp_path: Path
) -> None:
    # Given two packages that need different versions of one library
    for name, version in (("old-tasks", "1.0"), ("new-tasks", "2.0")):
        treadle("collect", str(task_wheel(tmp_path, name, version)))
    workflow = tmp_path / "workflow.json"
    workflow.write_text(json.dumps({"name": "both", "task_list": [step("old-tasks"), step("new-tasks")]}))
    treadle("workflow", "import", str(workflow))
    data = tmp_path / "data"
    data.mkdir()
    items = {"zarr_dir": str(data), "images": [{"zarr_url": f"{data}/one"}]}
    (tmp_path / "dataset.json").write_text(json.dumps(items))
    treadle("dataset", "create", "both", "--from", str(tmp_path / "dataset.json"))

    # When one workflow uses both
    run = treadle("run", "both", "--dataset", "both").data

    # Then each task had its own
    assert run["state"] == "done"
    assert {path.stem: path.read_text() for path in data.glob("*.txt")} == {
        "old-tasks": "1.0",
        "new-tasks": "2.0",
    }
    used = {entry["packages"][0]["name"]: entry["used_at"] for entry in environments(treadle)}
    assert all(used.values())

    # And a package that is inactive keeps a run from being submitted, until the command that is named is run
    treadle("package", "deactivate", "old-tasks")
    answer = treadle("run", "both", "--dataset", "both", code=2)
    assert "treadle package reactivate old-tasks --version 1.0" in answer.stderr
    treadle("package", "reactivate", "old-tasks", "--version", "1.0")
    assert treadle("run", "both", "--dataset", "both", "--plan").data["steps"]


def environments(treadle: Command) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = treadle("env", "list").data["environments"]
    return found


def test_life_of_a_package_is_shown(treadle: Command, tmp_path: Path) -> None:
    wheel = task_wheel(tmp_path, "old-tasks", "1.0")
    collected = treadle("collect", str(wheel)).data
    identity = collected["environment"]["id"]

    listed = treadle("package", "list").data["packages"]
    assert [(entry["name"], entry["state"], entry["owner"], entry["group"]) for entry in listed] == [
        ("old-tasks", "ready", "local", None)
    ]
    [environment] = environments(treadle)
    assert (environment["id"], environment["state"], environment["used_at"]) == (identity, "ready", None)
    shown = treadle("env", "show", identity[:8]).data
    assert shown["own_bytes"] + shown["shared_bytes"] > 0
    assert shown["packages"][0]["name"] == "old-tasks"
    assert "tiny-library==1.0" in shown["lock"]
    assert "tiny-library==1.0" in treadle("env", "show", identity, "--freeze", as_json=False).stdout
    assert "└── tiny-library v1.0" in treadle("env", "show", identity, "--tree", as_json=False).stdout
    assert "+ tiny-library==1.0" in treadle("env", "show", identity, "--log").data["log"]
    text = treadle("env", "show", identity, as_json=False).stdout
    for word in ("ready", "MB of its own", "shared", "old-tasks 1.0", "never"):
        assert word in text

    treadle("package", "deactivate", "Old_Tasks")
    assert treadle("package", "show", "old-tasks").data["package"]["state"] == "inactive"
    assert "inactive" in treadle("env", "list", as_json=False).stdout
    answer = treadle("env", "show", identity, "--log", code=2, as_json=False)
    assert "is inactive" in answer.stderr

    assert treadle("package", "delete", "old-tasks").data["package"]["name"] == "old-tasks"
    assert treadle("package", "list").data == {"packages": []}
    assert environments(treadle) == []


def test_environment_that_was_taken_away_is_broken_and_can_be_repaired(
    treadle: Command, tmp_path: Path
) -> None:
    wheel = task_wheel(tmp_path, "old-tasks", "1.0")
    folder = Path(treadle("collect", str(wheel)).data["environment"]["path"])
    remove_tree(folder)

    assert "broken" in treadle("package", "list", as_json=False).stdout
    assert "can be used" in treadle("package", "repair", "old-tasks", as_json=False).stdout
    assert [entry["state"] for entry in environments(treadle)] == ["ready"]
    assert folder.is_dir()


def test_garbage_is_shown_and_removed(treadle: Command, tmp_path: Path) -> None:
    first = treadle("collect", str(task_wheel(tmp_path, "old-tasks", "1.0"))).data["environment"]["id"]
    second = treadle("collect", str(task_wheel(tmp_path, "old-tasks", "2.0"))).data["environment"]["id"]

    assert treadle("env", "gc").data["removed"] == []
    shown = treadle("env", "gc", "--older-than", "0d", "--dry-run").data
    assert [entry["name"] for entry in shown["removed"]] == [first]
    assert len(environments(treadle)) == 2
    text = treadle("env", "gc", "--older-than", "0m", as_json=False).stdout
    assert first in text
    assert [entry["id"] for entry in environments(treadle)] == [second]
    assert "is no duration" in treadle("env", "gc", "--older-than", "soon", code=2).stderr


def test_unknown_names_are_refused(treadle: Command) -> None:
    assert "treadle env list" in treadle("env", "show", "nothing", code=2).stderr
    for verb in ("deactivate", "reactivate", "delete", "repair"):
        assert "No package 'nothing'" in treadle("package", verb, "nothing", code=2).stderr
