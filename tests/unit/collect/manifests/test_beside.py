from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from treadle.collect.manifests.beside import requirements_beside

POINTS = "[console_scripts]\nx = y:z\n[treadle.tasks]\nMeasure all: really = measures:measure\n"


def wheel(folder: Path, *requires: str, points: str = POINTS, **files: str) -> Path:
    path = folder / "measures-1.0-py3-none-any.whl"
    lines = [f"Requires-Dist: {requirement}\n" for requirement in requires]
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("measures-1.0.dist-info/METADATA", f"Name: measures\n{''.join(lines)}\nText.\n")
        if points:
            archive.writestr("measures-1.0.dist-info/entry_points.txt", points)
        for name, text in files.items():
            archive.writestr(name, text)
    return path


def test_functions_need_pydantic(tmp_path: Path) -> None:
    assert requirements_beside(wheel(tmp_path, "numpy>=2")) == ("pydantic>=2",)
    assert requirements_beside(wheel(tmp_path, 'pydantic ; extra == "more"')) == ("pydantic>=2",)


@pytest.mark.parametrize("requirement", ["pydantic>=2.5", "Pydantic"])
def test_what_is_asked_for_is_not_added(tmp_path: Path, requirement: str) -> None:
    assert requirements_beside(wheel(tmp_path, "numpy", requirement)) == ()


def test_packages_without_functions_or_with_a_manifest_need_nothing(tmp_path: Path) -> None:
    assert requirements_beside(wheel(tmp_path, points="")) == ()
    assert requirements_beside(wheel(tmp_path, points="[console_scripts]\nx = y:z\n")) == ()
    assert requirements_beside(wheel(tmp_path, points="no sections")) == ()
    manifest = {"measures/__FRACTAL_MANIFEST__.json": "{}"}
    assert requirements_beside(wheel(tmp_path, **manifest)) == ()


def test_a_wheel_that_cannot_be_read_is_not_judged(tmp_path: Path) -> None:
    path = tmp_path / "measures-1.0-py3-none-any.whl"
    path.write_text("no archive")

    assert requirements_beside(path) == ()
