"""What must agree across files of the repository."""

from __future__ import annotations

import inspect
import re
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from treadle import errors

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def requirement(name: str) -> Requirement:
    return next(r for r in map(Requirement, PROJECT["project"]["dependencies"]) if r.name == name)


def readme_blocks() -> list[str]:
    return re.findall(r"^```sh\n(.*?)^```", (ROOT / "README.md").read_text(), re.DOTALL | re.MULTILINE)


def test_ci_runs_the_test_command_of_the_readme() -> None:
    [extraction] = re.findall(r"^tests=\$\((.*)\)$", (ROOT / ".ci" / "run").read_text(), re.MULTILINE)
    extracted = subprocess.run(
        ["bash", "-c", extraction], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    assert extracted == readme_blocks()[1]


def test_first_screen_of_the_readme_has_two_commands_that_bring_the_uv_we_declare() -> None:
    first_screen = "\n".join((ROOT / "README.md").read_text().splitlines()[:25])
    commands = readme_blocks()[:2]
    for command, end in zip(commands, ["uv run treadle demo\n", "uv run tests/run\n"], strict=True):
        assert command in first_screen
        assert command.endswith(end)
        [brought] = re.findall(r'"(uv.*?)"', command)
        assert Requirement(brought) == requirement("uv")


def test_fastapi_is_capped_below_the_first_version_that_breaks_prefect() -> None:
    assert "0.150.0" in requirement("fastapi").specifier
    assert "0.155.0" not in requirement("fastapi").specifier


def test_lock_has_every_declared_dependency_within_its_range() -> None:
    packages = tomllib.loads((ROOT / "uv.lock").read_text())["package"]
    locked = {package["name"]: package["version"] for package in packages if "version" in package}
    declared = PROJECT["project"]["dependencies"] + PROJECT["dependency-groups"]["dev"]
    outside = [
        text
        for text in declared
        if not (r := Requirement(text)).specifier.contains(locked[canonicalize_name(r.name)])
    ]
    assert outside == []


def test_rooms_that_import_linter_knows_are_the_rooms_there_are() -> None:
    contracts = PROJECT["tool"]["importlinter"]["contracts"]
    [layers] = [contract["layers"] for contract in contracts if contract["id"] == "rooms"]
    to_come = {layer.strip("()") for layer in layers if layer.startswith("(")}
    package = ROOT / "engine" / "treadle"
    there = {path.stem for path in package.glob("*.py")} - {"__init__", "__main__"}
    there |= {path.parent.name for path in package.glob("*/__init__.py")}
    assert there == {layer.strip("()") for layer in layers} - to_come


def test_no_top_level_folder_is_added_to_those_of_the_design() -> None:
    tracked = subprocess.run(
        ["git", "ls-tree", "-d", "--name-only", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if tracked.returncode:
        pytest.skip("not a git clone")
    design = {".ci", "engine", "flows", "tasks", "deployments", "tests", "docs"}
    assert set(tracked.stdout.split()) <= design


def drawn_errors() -> Iterator[tuple[str, str | None]]:
    """Name and parent of each error in the drawing at the top of errors.py."""
    path: list[str] = []
    for line in (errors.__doc__ or "").splitlines():
        if found := re.match(r"^ {4}([│├└─ ]*)(\w+) {2,}\S", line):
            depth = len(found[1]) // 3
            path[depth:] = [found[2]]
            yield found[2], path[depth - 1] if depth else None


def test_drawing_of_the_errors_is_the_class_tree() -> None:
    classes = {
        name: kind.__base__.__name__ if kind is not errors.TreadleError else None
        for name, kind in inspect.getmembers(errors, inspect.isclass)
        if kind.__module__ == errors.__name__ and issubclass(kind, Exception)
    }
    drawn = list(drawn_errors())
    assert dict(drawn) == classes
    assert len(drawn) == len(classes)


def test_errors_stand_in_the_order_of_the_drawing() -> None:
    source = inspect.getsource(errors)
    assert re.findall(r"^class (\w+)", source, re.MULTILINE) == [name for name, _ in drawn_errors()]
