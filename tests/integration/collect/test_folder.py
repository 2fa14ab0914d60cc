from __future__ import annotations

import json
from pathlib import Path

import pytest

from treadle.errors import BuildFailed, SourceInvalid

pytestmark = pytest.mark.integration


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "my project"
    package = folder / "src" / "tiny_project"
    package.mkdir(parents=True)
    (folder / "pyproject.toml").write_text(
        '[project]\nname = "tiny-project"\nversion = "0.3"\n'
        '[build-system]\nrequires = ["uv_build>=0.12,<0.15"]\nbuild-backend = "uv_build"\n'
    )
    (package / "__init__.py").write_text("")
    (package / "measure.py").write_text("")
    write_manifest(folder, "Measure")
    return folder


def write_manifest(project: Path, *names: str) -> None:
    tasks = [{"name": name, "executable_parallel": "measure.py"} for name in names]
    manifest = project / "src" / "tiny_project" / "__FRACTAL_MANIFEST__.json"
    manifest.write_text(json.dumps({"manifest_version": "2", "task_list": tasks}))


def test_project_is_built_into_a_wheel_and_collected(here, project: Path) -> None:
    before = sorted(project.rglob("*"))

    collected = here.collect(project)

    assert (collected.package.name, collected.package.version) == ("tiny-project", "0.3")
    assert (collected.package.origin, collected.package.source) == ("folder", str(project))
    assert [task.name for task in collected.tasks] == ["Measure"]
    wheels = here.settings.wheels_folder.glob("[!.]*/*")
    assert [path.name for path in wheels] == ["tiny_project-0.3-py3-none-any.whl"]
    assert here.phases[0] == "building the wheel of my project"
    assert sorted(project.rglob("*")) == before


def test_project_with_another_build_backend_is_collected(here, project: Path) -> None:
    pyproject = project / "pyproject.toml"
    backend = '[build-system]\nrequires = ["hatchling"]\nbuild-backend = "hatchling.build"\n'
    pyproject.write_text(pyproject.read_text().partition("[build-system]")[0] + backend)

    assert [task.name for task in here.collect(project).tasks] == ["Measure"]


def test_unchanged_project_is_neither_built_nor_installed_again(here, project: Path) -> None:
    here.collect(project)
    (project / "src" / "tiny_project" / "__pycache__").mkdir()
    (project / "src" / "tiny_project" / "__pycache__" / "measure.cpython-311.pyc").write_bytes(b"")

    second = here.collect(project)

    assert not second.new
    assert second.seconds < 1
    assert here.phases == ["resolving"]


def test_changed_project_is_collected_in_place_of_the_earlier_one(here, project: Path) -> None:
    first = here.collect(project)
    write_manifest(project, "Measure", "Count")

    second = here.collect(project)

    assert second.new
    assert second.package.id == first.package.id
    assert [task.name for task in second.tasks] == ["Measure", "Count"]
    assert here.registered[0] == "tiny-project 0.3"


def test_relative_path_is_taken_from_the_current_folder(
    here, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project)

    assert here.preview(".").name == "tiny-project"


def test_preview_builds_no_environment(here, project: Path) -> None:
    preview = here.preview(project)

    assert (preview.packages, preview.ready) == (("tiny-project==0.3",), False)
    assert here.environments == here.registered == []
    assert here.collect(project).environment.id == preview.environment_id


def test_build_that_fails_shows_the_backends_words_and_leaves_nothing(here, project: Path) -> None:
    pyproject = project / "pyproject.toml"
    pyproject.write_text(pyproject.read_text().replace('version = "0.3"', 'version = "not a version"'))

    with pytest.raises(BuildFailed, match="my project could not be built") as caught:
        here.collect(project)

    assert "not a version" in caught.value.detail
    assert list(here.settings.wheels_folder.glob("[!.]*")) == []
    assert here.environments == here.registered == []


def test_folder_without_a_project_is_refused(here, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()

    with pytest.raises(SourceInvalid, match=r"empty is not a Python project: it has no pyproject\.toml"):
        here.collect(tmp_path / "empty")
    with pytest.raises(SourceInvalid, match="There is no folder"):
        here.collect(tmp_path / "gone")
