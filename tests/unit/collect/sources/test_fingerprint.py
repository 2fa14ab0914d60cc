from __future__ import annotations

import os
from pathlib import Path

import pytest

from treadle.collect.environments.interpreter import Interpreter
from treadle.collect.sources.fingerprint import file_digest, fingerprint
from treadle.errors import SourceInvalid

PYTHON = Interpreter(Path("/usr/bin/python3"), "3.11.2", "build", "platform")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    (folder / "src" / "tiny").mkdir(parents=True)
    (folder / "pyproject.toml").write_text("[project]\n")
    (folder / "src" / "tiny" / "__init__.py").write_text("")
    return folder


def digest(project: Path, python: Interpreter = PYTHON) -> str:
    return fingerprint(project, interpreter=python, home=project / "home")


def test_moved_project_has_the_same_fingerprint(project: Path, tmp_path: Path) -> None:
    before = digest(project)

    assert digest(project.rename(tmp_path / "elsewhere")) == before


@pytest.mark.parametrize("name", ["pyproject.toml", "src/tiny/__init__.py", "src/tiny/new.py", "README.md"])
def test_changed_or_new_file_changes_the_fingerprint(project: Path, name: str) -> None:
    before = digest(project)
    (project / name).write_text("changed")

    assert digest(project) != before


def test_renamed_file_changes_the_fingerprint(project: Path) -> None:
    before = digest(project)
    (project / "src" / "tiny" / "__init__.py").rename(project / "src" / "tiny" / "other.py")

    assert digest(project) != before


def test_executable_bit_and_link_target_count(project: Path) -> None:
    (project / "link").symlink_to("src")
    linked = digest(project)
    (project / "link").unlink()
    (project / "link").symlink_to("src/tiny")
    relinked = digest(project)
    (project / "pyproject.toml").chmod(0o755)

    assert len({linked, relinked, digest(project)}) == 3


def test_interpreter_that_builds_counts(project: Path) -> None:
    other = Interpreter(PYTHON.path, "3.12.1", "other build", "platform")

    assert digest(project, other) != digest(project)


@pytest.mark.parametrize(
    "name",
    [
        ".git/HEAD",
        "src/tiny/__pycache__/x.cpython-311.pyc",
        "build/lib/x.py",
        "dist/x.whl",
        "tiny.egg-info/PKG-INFO",
        ".pytest_cache/x",
        "home/ledger.sqlite",
    ],
)
def test_what_tools_leave_behind_does_not_count(project: Path, name: str) -> None:
    before = digest(project)
    left = project / name
    left.parent.mkdir(parents=True, exist_ok=True)
    left.write_text("left behind")

    assert digest(project) == before


def test_virtual_environment_of_any_name_does_not_count(project: Path) -> None:
    before = digest(project)
    (project / "env311").mkdir()
    (project / "env311" / "pyvenv.cfg").write_text("home = /usr/bin")

    assert digest(project) == before


def test_package_named_build_below_the_top_counts(project: Path) -> None:
    before = digest(project)
    (project / "src" / "tiny" / "build").mkdir()
    (project / "src" / "tiny" / "build" / "rules.py").write_text("")

    assert digest(project) != before


def test_pipe_in_the_project_is_passed_by(project: Path) -> None:
    before = digest(project)
    os.mkfifo(project / "pipe")

    assert digest(project) == before


def test_unreadable_file_is_named(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path) -> str:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("treadle.collect.sources.fingerprint.file_digest", refuse)

    with pytest.raises(SourceInvalid, match=r"pyproject\.toml cannot be read: Permission denied"):
        digest(project)


def test_file_digest_follows_the_content(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"1")
    (tmp_path / "b").write_bytes(b"1")
    (tmp_path / "c").write_bytes(b"2")

    assert file_digest(tmp_path / "a") == file_digest(tmp_path / "b") != file_digest(tmp_path / "c")
