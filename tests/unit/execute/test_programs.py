"""The programs that run in other interpreters: what they may use, and what they see in a task's file."""

from __future__ import annotations

import ast
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import pytest

import treadle.execute.programs
from treadle.execute.programs.source import Source

FILES = sorted(Path(treadle.execute.programs.__path__[0]).glob("*.py"))
GONE_BY_3_14 = """
    aifc asynchat asyncore audioop binhex cgi cgitb chunk crypt distutils formatter imghdr imp lib2to3 mailcap
    msilib nis nntplib ossaudiodev parser pipes smtpd sndhdr spwd sunau symbol telnetlib uu xdrlib
"""
ASKED_FOR_THE_VERSION_FIRST = ["sys.orig_argv"]


def imported(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield str(node.module).partition(".")[0]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_programs_import_what_the_standard_library_has_in_all_versions(file: Path) -> None:
    tree = ast.parse(file.read_text(), feature_version=(3, 9))
    assert set(imported(tree)) <= sys.stdlib_module_names - set(GONE_BY_3_14.split())


def newer_than_3_9(*files: Path) -> str:
    """What vermin finds in these files that Python 3.9 does not have; empty if nothing."""
    done = subprocess.run(
        [
            Path(sysconfig.get_path("scripts"), "vermin"),
            *("--target=3.9-", "--violations", "--no-tips", "--processes=1"),
            *(word for name in ASKED_FOR_THE_VERSION_FIRST for word in ("--exclude", name)),
            *files,
        ],
        check=False,
        capture_output=True,
        text=True,
    )
    assert (done.returncode == 0) is ("Target versions not met" not in done.stdout), done.stderr
    return done.stdout if done.returncode else ""


def test_programs_use_nothing_that_is_newer_than_python_3_9() -> None:
    assert newer_than_3_9(*FILES) == ""


@pytest.mark.parametrize(
    "text", ["import os\nos.process_cpu_count()", "zip('a', 'b', strict=True)", "match 1:\n    case 1: pass"]
)
def test_what_is_newer_would_be_found(tmp_path: Path, text: str) -> None:
    file = tmp_path / "newer.py"
    file.write_text(text)
    assert str(file) in newer_than_3_9(file)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_annotations_are_never_evaluated(file: Path) -> None:
    """They use forms that Python 3.9 does not know at run time."""
    if "def " in file.read_text():
        assert "from __future__ import annotations\n" in file.read_text()


def source(folder: Path, text: str) -> Source:
    file = folder / "task.py"
    file.write_text(text)
    return Source(str(file))


def test_imports_of_the_module_are_found_but_those_of_functions_are_not(tmp_path: Path) -> None:
    found = source(
        tmp_path,
        "import a.b, c\nfrom d.e import f, g\ntry:\n    import h\nexcept ImportError:\n    import i\n"
        "def work():\n    import j\nfrom . import k\nif TYPE_CHECKING:\n    import l\n",
    ).imports
    assert found == ["a.b", "c", "d.e", "d.e.f", "d.e.g", "h"]


@pytest.mark.parametrize(
    ("text", "changes"),
    [
        ("import os\nprint(os.environ['HOME'])", False),
        ("import os\nos.environ['OMP_NUM_THREADS'] = '1'", True),
        ("from os import environ\nenviron.setdefault('A', 'b')", True),
        ("import os\nos.putenv('A', 'b')", True),
        ("import os\ndel os.environ['A']", True),
        ("import sys\nsys.path.insert(0, 'x')", True),
        ("import sys\nsys.path = []", True),
        ("import sys\nprint(sys.path)\nwords = []\nwords.append(1)", False),
    ],
)
def test_files_that_prepare_their_imports_are_told_apart(tmp_path: Path, text: str, *, changes: bool) -> None:
    assert source(tmp_path, text).sets_up_imports is changes


def test_files_beside_a_task_hide_modules_of_their_names(tmp_path: Path) -> None:
    (tmp_path / "numpy.py").touch()
    (tmp_path / "json").mkdir()
    assert source(tmp_path, "").hides(["numpy.random", "json", "csv", "task"]) == ["json", "numpy", "task"]
