from __future__ import annotations

import json
import subprocess
import zipfile
from pathlib import Path

import pytest

from treadle.collect.environments.interpreter import examine
from treadle.collect.options import CollectOptions
from treadle.collect.progress import Progress
from treadle.collect.sources.grammar import parse_source
from treadle.collect.sources.preparation import prepare
from treadle.collect.sources.prepared import Prepared
from treadle.collect.uv import Uv
from treadle.errors import SourceInvalid

pytestmark = pytest.mark.integration

BACKENDS = {
    "uv": 'requires = ["uv_build>=0.12,<0.15"]\nbuild-backend = "uv_build"\n',
    "hatchling": 'requires = ["hatchling"]\nbuild-backend = "hatchling.build"\n',
    "setuptools": 'requires = ["setuptools>=64"]\nbuild-backend = "setuptools.build_meta"\n',
}
MANIFEST = {"manifest_version": "2", "task_list": [{"name": "Measure", "executable_parallel": "measure.py"}]}


def prepare_editable(here, source: Path | str) -> Prepared:
    uv = Uv(here.settings, Progress(here.phases.append))
    options = CollectOptions(editable=True)
    python = examine(here.settings.python)
    return prepare(parse_source(str(source)), options=options, interpreter=python, uv=uv)


def write_project(folder: Path, backend: str, *, under: str) -> Path:
    package = folder / under / "own_tasks"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("ANSWER = 1\n")
    (package / "measure.py").touch()
    (package / "__FRACTAL_MANIFEST__.json").write_text(json.dumps(MANIFEST))
    (folder / "pyproject.toml").write_text(
        f'[project]\nname = "own-tasks"\nversion = "1.0"\n[build-system]\n{BACKENDS[backend]}'
    )
    return package


@pytest.mark.parametrize(
    ("backend", "under"), [("uv", "src"), ("hatchling", "src"), ("setuptools", "src"), ("setuptools", ".")]
)
def test_editable_wheel_leads_to_the_folder_itself(here, tmp_path: Path, backend: str, under: str) -> None:
    folder = tmp_path / "my project"
    package = write_project(folder, backend, under=under)

    prepared = prepare_editable(here, folder)

    assert (prepared.origin, prepared.editable, prepared.version) == ("editable", folder, "1.0")
    assert prepared.wheel is not None
    with zipfile.ZipFile(prepared.wheel) as wheel:
        names = wheel.namelist()
        (pth,) = [name for name in names if name.endswith(".pth")]
        lines = wheel.read(pth).decode().splitlines()
    assert not [name for name in names if name.startswith("own_tasks/")]
    assert [Path(line).resolve() for line in lines] == [package.parent.resolve()]
    here.phases.clear()
    assert prepare_editable(here, folder).wheel == prepared.wheel
    assert here.phases == []


def test_change_of_the_code_takes_effect_in_what_is_installed(here, tmp_path: Path) -> None:
    package = write_project(tmp_path / "project", "hatchling", under="src")
    prepared = prepare_editable(here, tmp_path / "project")
    environment = tmp_path / "environment"
    uv = Uv(here.settings, Progress(here.phases.append))
    python = environment / "bin" / "python"
    uv.run(["venv", "--python", str(here.settings.python), str(environment)], folder=tmp_path)
    uv.run(["pip", "install", "--python", str(python), str(prepared.wheel)], folder=tmp_path)

    (package / "__init__.py").write_text("ANSWER = 23\n")

    answer = [str(python), "-I", "-c", "import own_tasks; print(own_tasks.ANSWER)"]
    assert subprocess.run(answer, capture_output=True, text=True, check=True).stdout == "23\n"


@pytest.mark.parametrize("source", ["pkg==1.0", "./pkg-1.0.tar.gz", "git+https://host/repo", "./script.py"])
def test_only_a_folder_can_be_editable(here, source: str) -> None:
    with pytest.raises(SourceInvalid, match="Only a folder can be collected as editable"):
        prepare_editable(here, source)
