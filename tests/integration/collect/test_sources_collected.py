"""Whole collections of sources that need more than an index: git, locks, editables, scripts."""

from __future__ import annotations

import json
import subprocess
import tomllib
from pathlib import Path
from urllib.parse import quote

import pytest
from uv import find_uv_bin

from treadle.collect import CollectOptions, Progress, collect

pytestmark = pytest.mark.integration

TASKS = [{"name": "Measure", "executable_parallel": "measure.py"}]
MANIFEST = {"manifest_version": "2", "task_list": TASKS}


def write_project(folder: Path, name: str, requires: list[str], more: str = "") -> Path:
    package = folder / "src" / name.replace("-", "_")
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "measure.py").touch()
    (package / "__FRACTAL_MANIFEST__.json").write_text(json.dumps(MANIFEST))
    (folder / "pyproject.toml").write_text(
        f'[project]\nname = "{name}"\nversion = "1.0"\nrequires-python = ">=3.9"\n'
        f"dependencies = {requires!r}\n"
        '[project.optional-dependencies]\nmore = ["extra-lib"]\n'
        f'[build-system]\nrequires = ["uv_build>=0.12,<0.15"]\nbuild-backend = "uv_build"\n{more}'
    )
    return folder


def commit(folder: Path) -> str:
    who = ["-c", "user.name=T", "-c", "user.email=t@example.org"]
    for words in (
        ["init", "-q", "-b", "main"],
        ["add", "-A"],
        [*who, "commit", "-q", "--allow-empty", "-m", "x"],
    ):
        subprocess.run(["git", *words], cwd=folder, check=True)
    return f"git+file://{quote(str(folder))}"


def collect_with(here, source: Path | str, **options: bool):
    progress = Progress(here.phases.append)
    chosen = CollectOptions(**options)
    return collect(str(source), settings=here.settings, ledger=here.ledger, progress=progress, options=chosen)


def freeze(collected) -> str:
    command = [
        find_uv_bin(),
        "pip",
        "freeze",
        "--quiet",
        "--python",
        f"{collected.environment.path}/bin/python",
    ]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_package_with_git_dependencies_and_their_extras_is_collected(
    here, index, make_wheel, tmp_path: Path
) -> None:
    index.add(make_wheel("extra-lib", "1.0", files={}))
    library = commit(write_project(tmp_path / "library", "git-lib", []))
    project = write_project(tmp_path / "main", "main-tasks", [f"git-lib[more] @ {library}@main"])

    collected = collect_with(here, project)

    assert "git-lib @ file://" in freeze(collected)
    assert "extra-lib==1.0" in freeze(collected)
    assert not collect_with(here, project).new


@pytest.mark.parametrize("form", ["uv.lock", "pylock.toml"])
def test_shipped_lock_decides_the_versions(here, index, make_wheel, tmp_path: Path, form: str) -> None:
    index.hashes = True
    index.add(make_wheel("lib", "1.0", files={}), make_wheel("extra-lib", "1.0", files={}))
    library = commit(write_project(tmp_path / "library", "git-lib", []))
    url = library.removeprefix("git+")
    project = write_project(
        tmp_path / "main",
        "main-tasks",
        ["lib", "git-lib"],
        f'[tool.uv.sources]\ngit-lib = {{ git = "{url}" }}\n',
    )
    subprocess.run([find_uv_bin(), "lock", "-q"], cwd=project, check=True)
    if form == "pylock.toml":
        words = ["export", "-q", "--format", form, "-o", form]
        subprocess.run([find_uv_bin(), *words], cwd=project, check=True)
        (project / "uv.lock").unlink()
    index.add(make_wheel("lib", "2.0", files={}))

    frozen = freeze(collect_with(here, project))

    assert "lib==1.0" in frozen.splitlines()
    assert "git-lib @ file://" in frozen


@pytest.mark.parametrize("backend", ["uv_build", "hatchling", "setuptools"])
def test_editable_package_is_collected_and_read_again(here, tmp_path: Path, backend: str) -> None:
    project = write_project(tmp_path / "main", "main-tasks", [])
    text = (project / "pyproject.toml").read_text()
    if backend != "uv_build":
        module = {"hatchling": "hatchling.build", "setuptools": "setuptools.build_meta"}[backend]
        text = text.partition("[build-system]")[0] + (
            f'[build-system]\nrequires = ["{backend}"]\nbuild-backend = "{module}"\n'
        )
        (project / "pyproject.toml").write_text(text)
    assert tomllib.loads(text)

    collected = collect_with(here, project, editable=True)

    assert collected.package.origin == "editable"
    assert collected.package.root == str(project / "src" / "main_tasks")
    tasks = [{"name": name, "executable_parallel": "measure.py"} for name in ("Measure", "Count")]
    manifest = project / "src" / "main_tasks" / "__FRACTAL_MANIFEST__.json"
    manifest.write_text(json.dumps({"manifest_version": "2", "task_list": tasks}))
    again = collect_with(here, project, editable=True)
    assert [task.name for task in again.tasks] == ["Measure", "Count"]


def test_script_is_collected_with_its_functions(here, tmp_path: Path) -> None:
    file = tmp_path / "areas.py"
    file.write_text(
        '# /// script\n# dependencies = []\n# ///\nimport treadle\n\n\n@treadle.task(name="Measure areas")\n'
        'def measure(*, zarr_url: str, size: int = 3) -> None:\n    """Measure."""\n'
    )

    collected = collect_with(here, file)

    assert (collected.package.origin, collected.package.version) == ("script", "0")
    assert [task.name for task in collected.tasks] == ["Measure areas"]
