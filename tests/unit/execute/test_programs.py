"""The programs that run in other interpreters: what they may use, and what they see in a task's file."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import treadle.execute.programs
from treadle.execute.programs.source import Source

FILES = sorted(Path(treadle.execute.programs.__path__[0]).glob("*.py"))
# In the standard library from 3.9 to 3.14, and not only in some of these.
NEWER_THAN_3_9 = {"tomllib", "_interpreters", "compression", "annotationlib"}


def imported(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield str(node.module).partition(".")[0]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_programs_are_python_3_9_and_import_the_standard_library_alone(file: Path) -> None:
    tree = ast.parse(file.read_text(), feature_version=(3, 9))
    assert not any(isinstance(node, ast.Match) for node in ast.walk(tree))
    assert set(imported(tree)) <= sys.stdlib_module_names - NEWER_THAN_3_9
    called = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    keywords = {(ast.unparse(node.func), word.arg) for node in called for word in node.keywords}
    assert ("zip", "strict") not in keywords
    assert ("dataclass", "slots") not in keywords


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
