from __future__ import annotations

from pathlib import Path

import pytest

from treadle.collect.sources.build_system import BuildSystem, read_build_system
from treadle.errors import SourceInvalid

SETUPTOOLS = BuildSystem(("setuptools >= 40.8.0",), "setuptools.build_meta:__legacy__")
UV = '[build-system]\nrequires = ["uv_build>=0.12"]\nbuild-backend = "uv_build"\n'


def read(folder: Path, text: str) -> BuildSystem:
    (folder / "pyproject.toml").write_text(text)
    return read_build_system(folder, str(folder))


def test_project_that_does_not_say_is_built_by_setuptools(tmp_path: Path) -> None:
    assert read(tmp_path, "[project]\nname = 'x'") == SETUPTOOLS
    (tmp_path / "pyproject.toml").unlink()
    (tmp_path / "setup.py").touch()
    assert read_build_system(tmp_path, "x") == SETUPTOOLS


def test_backend_of_the_project_itself_is_known(tmp_path: Path) -> None:
    text = '[build-system]\nrequires = []\nbuild-backend = "mine:hooks"\nbackend-path = ["tools"]'

    assert read(tmp_path, text) == BuildSystem((), "mine:hooks", ("tools",))


@pytest.mark.parametrize(
    ("text", "is_uv"),
    [
        (UV, True),
        (UV + 'backend-path = ["."]', False),
        (UV.replace('"uv_build>=0.12"', '"uv_build", "helper"'), False),
        (UV.replace('= "uv_build"', '= "mine"'), False),
        ("", False),
    ],
)
def test_only_uvs_own_backend_alone_runs_no_code_of_the_project(
    tmp_path: Path, text: str, is_uv: bool
) -> None:
    assert read(tmp_path, text).is_uv is is_uv


@pytest.mark.parametrize(
    "text",
    [
        "not toml",
        "build-system = 1",
        "[build-system]\nrequires = 'setuptools'",
        "[build-system]\nrequires = ['not a requirement']",
        "[build-system]\nrequires = ['x @ git+https://host/x']",
        "[build-system]\nrequires = []\nbuild-backend = 1",
        "[build-system]\nrequires = []\nbackend-path = '.'",
    ],
)
def test_table_that_is_not_as_it_has_to_be_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(SourceInvalid, match=tmp_path.name) as caught:
        read(tmp_path, text)

    assert caught.value.remedy


def test_folder_without_a_project_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceInvalid, match="x is not a Python project"):
        read_build_system(tmp_path, "x")
