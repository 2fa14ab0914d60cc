from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

import pytest
from uv import find_uv_bin

from treadle.collect.environments.interpreter import examine
from treadle.collect.options import CollectOptions
from treadle.collect.progress import Progress
from treadle.collect.sources.grammar import parse_source
from treadle.collect.sources.preparation import prepare
from treadle.collect.sources.prepared import Prepared
from treadle.collect.uv import Uv
from treadle.errors import SourceInvalid

pytestmark = pytest.mark.integration


def prepare_source(here, source: Path | str) -> Prepared:
    uv = Uv(here.settings, Progress(here.phases.append))
    interpreter = examine(here.settings.python)
    return prepare(parse_source(str(source)), options=CollectOptions(), interpreter=interpreter, uv=uv)


def uv(*arguments: str, folder: Path) -> None:
    command = [find_uv_bin(), *arguments, "--quiet", "--no-python-downloads"]
    subprocess.run(command, cwd=folder, check=True)


def write_project(folder: Path, requires: Sequence[str], more: str = "") -> Path:
    (folder / "src" / "main_tasks").mkdir(parents=True, exist_ok=True)
    (folder / "src" / "main_tasks" / "__init__.py").touch()
    (folder / "pyproject.toml").write_text(
        '[project]\nname = "main-tasks"\nversion = "1.0"\nrequires-python = ">=3.9"\n'
        f'dependencies = {list(requires)!r}\n[project.optional-dependencies]\nmore = ["extra-lib"]\n'
        '[dependency-groups]\ndev = ["dev-lib"]\n'
        f'[build-system]\nrequires = ["uv_build>=0.12,<0.15"]\nbuild-backend = "uv_build"\n{more}'
    )
    return folder


@pytest.fixture
def project(tmp_path: Path, index, make_wheel) -> Path:
    """A project whose lock was made when its dependencies had one version only."""
    index.hashes = True
    for name in ("lib", "old-lib", "extra-lib", "dev-lib"):
        index.add(make_wheel(name, "1.0", files={}))
    return write_project(tmp_path / "main", ["lib", "old-lib ; python_version < '3.10'"])


def pinned(prepared: Prepared) -> list[str]:
    return [line.partition(" --hash")[0].strip() for line in prepared.locked.splitlines()]


LINES = ["extra-lib==1.0", "lib==1.0", "old-lib==1.0 ; python_full_version < '3.10'"]


def test_uv_lock_is_read_with_markers_and_hashes(here, project: Path) -> None:
    uv("lock", folder=project)
    before = sorted(project.rglob("*"))

    prepared = prepare_source(here, project)

    assert pinned(prepared) == LINES
    assert all(" --hash=sha256:" in line for line in prepared.locked.splitlines())
    assert sorted(project.rglob("*")) == before
    here.phases.clear()
    assert prepare_source(here, project).locked == prepared.locked
    assert here.phases == []


def test_lock_is_judged_as_its_authors_made_it(here, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with (project / "pyproject.toml").open("a") as file:
        file.write('[tool.uv]\nprerelease = "allow"\nresolution = "lowest-direct"\n')
    uv("lock", folder=project)
    monkeypatch.setenv("UV_DEFAULT_INDEX", "http://127.0.0.1:9/elsewhere")
    monkeypatch.setenv("UV_CACHE_DIR", os.environ["UV_CACHE_DIR"] + " of another user")

    assert pinned(prepare_source(here, project)) == LINES


def test_uv_lock_that_does_not_fit_the_project_is_an_error(here, project: Path) -> None:
    uv("lock", folder=project)
    write_project(project, ["lib>=2"])

    with pytest.raises(SourceInvalid, match=r"uv\.lock of .*main does not fit its pyproject\.toml") as caught:
        prepare_source(here, project)

    assert "uv lock" in caught.value.remedy
    assert list(here.settings.wheels_folder.glob("[!.]*")) == []


def test_pylock_is_read_with_markers_and_hashes(here, project: Path) -> None:
    uv("lock", folder=project)
    uv("export", "--format", "pylock.toml", "--all-extras", "--no-dev", "-o", "pylock.toml", folder=project)
    (project / "uv.lock").unlink()

    prepared = prepare_source(here, project)

    assert [line.replace('"', "'") for line in pinned(prepared)] == LINES
    assert all(" --hash=sha256:" in line for line in prepared.locked.splitlines())


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("pylock.toml", "not toml", "cannot be read"),
        ("pylock.toml", 'lock-version = "1.0"', "not as PEP 751 says"),
        ("uv.lock", "not toml", "cannot be read"),
        ("uv.lock", "version = 1\nrevision = 3\n", "does not fit"),
    ],
)
def test_lock_that_is_none_is_an_error(here, project: Path, name: str, text: str, message: str) -> None:
    (project / name).write_text(text)

    with pytest.raises(SourceInvalid, match=message) as caught:
        prepare_source(here, project)

    assert caught.value.remedy


def commit(folder: Path) -> tuple[str, str]:
    """Make a repository of a folder; return its address and the commit."""
    who = ["-c", "user.name=T", "-c", "user.email=t@example.org"]
    for words in (
        ["init", "--quiet", "--initial-branch=main"],
        ["add", "--all"],
        [*who, "commit", "--quiet", "--allow-empty", "--message=Change"],
    ):
        subprocess.run(["git", *words], cwd=folder, check=True)
    command = ["git", "rev-parse", "HEAD"]
    found = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout.strip()
    return f"file://{quote(str(folder))}", found


@pytest.mark.parametrize("form", ["uv.lock", "pylock.toml", "no lock"])
def test_repository_in_a_lock_becomes_a_wheel_of_the_locked_commit(
    here, project: Path, tmp_path: Path, form: str
) -> None:
    library = tmp_path / "git lib"
    write_project(library, [])
    text = (library / "pyproject.toml").read_text().replace("main-tasks", "git-lib")
    (library / "pyproject.toml").write_text(text.replace('more = ["extra-lib"]', ""))
    (library / "src" / "main_tasks").rename(library / "src" / "git_lib")
    url, locked = commit(library)
    write_project(
        project, ["git-lib"], f'[tool.uv.sources]\ngit-lib = {{ git = "{url}", branch = "main" }}\n'
    )
    uv("lock", folder=project)
    if form == "no lock":
        (project / "uv.lock").unlink()
    elif form == "pylock.toml":
        uv("export", "--format", form, "--all-extras", "--no-dev", "-o", form, folder=project)
        (project / "uv.lock").unlink()
    _, later = commit(library)

    prepared = prepare_source(here, project)

    assert pinned(prepared) == ([] if form == "no lock" else ["extra-lib==1.0"])
    (line,) = prepared.direct
    assert line.startswith("git-lib @ file://")
    taken = later if form == "no lock" else locked
    assert prepared.provenance["dependency git-lib"] == f"git+{url}@{taken}"


@pytest.mark.parametrize("locked", [True, False])
def test_dependency_on_another_folder_is_an_error(here, project: Path, *, locked: bool) -> None:
    inner = write_project(project / "packages" / "inner", [])
    text = (inner / "pyproject.toml").read_text().replace("main-tasks", "inner")
    (inner / "pyproject.toml").write_text(text)
    write_project(
        project,
        ["inner"],
        '[tool.uv.sources]\ninner = { workspace = true }\n[tool.uv.workspace]\nmembers = ["packages/*"]\n',
    )
    if locked:
        uv("lock", folder=project)

    with pytest.raises(SourceInvalid, match=r"takes a dependency from a folder: .*inner") as caught:
        prepare_source(here, project)

    assert "git" in caught.value.remedy


def test_lock_is_shipped_by_repositories_and_source_archives_too(here, project: Path, tmp_path: Path) -> None:
    uv("lock", folder=project)
    url, _ = commit(project)
    archive = shutil.make_archive(str(tmp_path / "main-tasks-1.0"), "gztar", tmp_path, project.name)

    assert pinned(prepare_source(here, f"git+{url}")) == LINES
    assert pinned(prepare_source(here, archive)) == LINES
