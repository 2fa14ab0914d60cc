from __future__ import annotations

from pathlib import Path

import pytest

from treadle.collect.sources.git_url import GitUrl
from treadle.collect.sources.grammar import (
    ArchiveSource,
    FolderSource,
    GitSource,
    IndexSource,
    ScriptSource,
    WheelSource,
    parse_source,
)
from treadle.errors import SourceInvalid


def test_requirement_with_extras_and_version_is_normalised() -> None:
    source = parse_source(" Fractal_Tasks.Core[Zeta,some_extra] == 2.1.0 ")

    assert source == IndexSource("fractal-tasks-core", ("some-extra", "zeta"), "==2.1.0", "2.1.0")
    assert source.requirement == "fractal-tasks-core[some-extra,zeta]==2.1.0"


@pytest.mark.parametrize("text", ["pkg", "pkg>=1,<2", "pkg~=1.4", "pkg==1.*", "pkg==1,!=1.0"])
def test_requirement_that_admits_several_versions_names_none(text: str) -> None:
    source = parse_source(text)

    assert isinstance(source, IndexSource)
    assert source.version is None


@pytest.mark.parametrize("text", [".", "..", "./tasks", "../tasks", "/srv/tasks", "~/tasks", "some/tasks"])
def test_path_is_a_folder(text: str) -> None:
    assert parse_source(text) == FolderSource(Path(text))


@pytest.mark.parametrize("text", ["pkg-1.0-py3-none-any.whl", "./dist/pkg-1.0-py3-none-any.whl"])
def test_path_of_a_wheel_is_a_wheel(text: str) -> None:
    assert parse_source(text) == WheelSource(Path(text))


@pytest.mark.parametrize("text", ["./pkg-1.0.tar.gz", "pkg-1.0.tgz", "/srv/pkg-1.0.zip"])
def test_path_of_a_source_archive_is_an_archive(text: str) -> None:
    assert parse_source(text) == ArchiveSource(Path(text))


def test_path_of_a_python_file_is_a_script() -> None:
    assert parse_source("measure.py") == ScriptSource(Path("measure.py"))


@pytest.mark.parametrize(
    ("text", "source", "shown"),
    [
        (
            "git+https://me:hunter2@host/repo@main",
            GitSource(GitUrl("https://me:hunter2@host/repo", "main")),
            "git+https://host/repo@main",
        ),
        (
            "My_Tasks[Zeta, a] @ git+ssh://git@host/repo#subdirectory=x",
            GitSource(GitUrl("ssh://git@host/repo", None, "x"), "my-tasks", ("a", "zeta")),
            "my-tasks[a,zeta] @ git+ssh://git@host/repo#subdirectory=x",
        ),
        ("pkg@git+file:///r", GitSource(GitUrl("file:///r"), "pkg"), "pkg @ git+file:///r"),
    ],
)
def test_address_of_a_repository_is_git(text: str, source: GitSource, shown: str) -> None:
    assert parse_source(text) == source
    assert str(source) == shown


@pytest.mark.parametrize(
    "text",
    [
        "",
        "  ",
        "not a name",
        "pkg==",
        "pkg=1",
        "pkg; python_version<'3'",
        "-r",
        "--index-url",
        "pkg @ file:x",
    ],
)
def test_text_that_names_no_package_is_refused_with_the_forms_there_are(text: str) -> None:
    with pytest.raises(SourceInvalid) as caught:
        parse_source(text)

    assert caught.value.remedy


@pytest.mark.parametrize(
    "text",
    [
        "https://somebody:hunter2@example.org/pkg-1.0-py3-none-any.whl",
        "pkg @ https://somebody:hunter2@example.org/pkg-1.0.tar.gz",
        "ssh://somebody:hunter2@example.org/repository",
    ],
)
def test_url_is_refused_without_showing_its_credentials(text: str) -> None:
    with pytest.raises(SourceInvalid, match="names a URL") as caught:
        parse_source(text)

    assert "hunter2" not in f"{caught.value}{caught.value.detail}"
    assert "somebody" not in str(caught.value)
