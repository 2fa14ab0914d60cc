"""What programs may use that run in the interpreters of packages' environments."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

import treadle.collect.programs

FILES = sorted(Path(treadle.collect.programs.__path__[0]).glob("*.py"))
WITH_PYDANTIC = {"launch.py", "schemas.py", "signatures.py"}


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_programs_import_the_standard_library_and_where_they_must_pydantic(file: Path) -> None:
    tree = ast.parse(file.read_text(), feature_version=(3, 9))
    imported = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            imported |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            imported.add(str(node.module).partition(".")[0])

    assert imported - sys.stdlib_module_names <= (
        {"pydantic", "pydantic_core"} if file.name in WITH_PYDANTIC else set()
    )
    if "def " in file.read_text():
        assert "from __future__ import annotations\n" in file.read_text()


def test_programs_use_nothing_that_is_newer_than_python_3_9() -> None:
    vermin = Path(sysconfig.get_path("scripts"), "vermin")
    done = subprocess.run(
        [vermin, "--target=3.9-", "--violations", "--no-tips", "--processes=1", *FILES],
        check=False,
        capture_output=True,
        text=True,
    )

    assert done.returncode == 0, done.stdout


def test_what_a_package_prints_is_kept_apart_from_the_answer() -> None:
    program = Path(treadle.collect.programs.__path__[0]) / "derive.py"
    request = json.dumps([{"name": "Poem", "module": "this", "attribute": "s"}])  # it prints when imported
    done = subprocess.run(
        [sys.executable, "-I", "-B", program, request], capture_output=True, text=True, check=True
    )

    assert "Beautiful is better than ugly" in done.stderr
    [problem] = json.loads(done.stdout)["problems"]
    assert problem["what"] == "entry point 'Poem': this:s is a str, not a function"
