from __future__ import annotations

import json
import subprocess
import tarfile
import zipfile
from pathlib import Path

import pytest
from uv import find_uv_bin

from treadle.errors import SourceInvalid

pytestmark = pytest.mark.integration

MANIFEST = {"manifest_version": "2", "task_list": [{"name": "Measure", "executable_parallel": "measure.py"}]}


@pytest.fixture
def sdist(tmp_path: Path) -> Path:
    """A source archive that uv itself has made."""
    project = tmp_path / "project"
    package = project / "src" / "tiny_sdist"
    package.mkdir(parents=True)
    (project / "pyproject.toml").write_text(
        '[project]\nname = "tiny-sdist"\nversion = "0.4"\n'
        '[build-system]\nrequires = ["uv_build>=0.12,<0.15"]\nbuild-backend = "uv_build"\n'
    )
    for name in ("__init__.py", "measure.py"):
        (package / name).touch()
    (package / "__FRACTAL_MANIFEST__.json").write_text(json.dumps(MANIFEST))
    out = tmp_path / "dist"
    command = [
        find_uv_bin(),
        "build",
        "--quiet",
        "--no-config",
        "--sdist",
        "--out-dir",
        str(out),
        str(project),
    ]
    subprocess.run(command, check=True)
    (archive,) = out.glob("*.tar.gz")
    return archive


def as_zip(sdist: Path, file: Path) -> Path:
    with tarfile.open(sdist) as opened, zipfile.ZipFile(file, "w") as made:
        for member in opened:
            source = opened.extractfile(member)
            if source is not None:
                made.writestr(member.name, source.read())
    return file


def test_source_archive_is_built_once_and_collected(here, sdist: Path) -> None:
    collected = here.collect(sdist)

    package = collected.package
    assert (package.name, package.version) == ("tiny-sdist", "0.4")
    assert (package.origin, package.source) == ("archive", str(sdist))
    assert [task.name for task in collected.tasks] == ["Measure"]
    (kept,) = here.settings.wheels_folder.glob("[!.]*")
    assert [path.name for path in kept.iterdir()] == ["tiny_sdist-0.4-py3-none-any.whl"]
    assert not here.collect(sdist).new
    assert here.phases == ["resolving"]


def test_source_archive_may_be_a_zip_file(here, sdist: Path, tmp_path: Path) -> None:
    assert here.collect(as_zip(sdist, tmp_path / "tiny.zip")).package.name == "tiny-sdist"


def test_source_archive_that_leaves_its_folder_is_refused_and_leaves_nothing(
    here, sdist: Path, tmp_path: Path
) -> None:
    evil = tmp_path / "evil.tar.gz"
    with tarfile.open(sdist) as opened, tarfile.open(evil, "w:gz") as made:
        for member in opened:
            made.addfile(member, opened.extractfile(member))
        link = tarfile.TarInfo("tiny_sdist-0.4/src/link")
        link.type, link.linkname = tarfile.SYMTYPE, "../../../../.."
        made.addfile(link)

    with pytest.raises(SourceInvalid, match=r"evil\.tar\.gz is refused"):
        here.collect(evil)

    assert list(here.settings.wheels_folder.glob("[!.]*")) == []
    assert here.registered == here.environments == []


def test_archive_that_is_not_there_not_a_project_or_not_to_be_built_is_refused(
    here, sdist: Path, tmp_path: Path
) -> None:
    with pytest.raises(SourceInvalid, match="There is no file"):
        here.collect(tmp_path / "gone.tar.gz")
    with zipfile.ZipFile(tmp_path / "other.zip", "w") as made:
        made.writestr("other/readme.txt", "nothing here")
    with pytest.raises(SourceInvalid, match=r"other\.zip is not a Python project"):
        here.collect(tmp_path / "other.zip")
    here.settings = here.settings.model_copy(update={"build_sources": ("folder", "git")})
    with pytest.raises(SourceInvalid, match="archive is not among build_sources"):
        here.collect(sdist)


def test_wheel_with_a_member_that_leads_elsewhere_is_refused(here, make_wheel) -> None:
    wheel = make_wheel("evil-tasks", "1.0")
    with zipfile.ZipFile(wheel, "a") as opened:
        opened.writestr("../evil.py", "")

    with pytest.raises(SourceInvalid, match=r"evil_tasks.* is refused: it has a member '\.\./evil\.py'"):
        here.collect(wheel)

    assert list(here.settings.wheels_folder.glob("[!.]*")) == []
