from __future__ import annotations

from pathlib import Path

import pytest

from treadle.collect.checks.project import project_problems


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[project]\nname = "a"\nversion = "1"\n', []),
        ('[project]\nname = "a"\ndynamic = ["version"]\nrequires-python = ">=3.9"\n', []),
        ("[tool.x]\n", ["pyproject.toml: has no table [project]"]),
        ('[project]\nname = "a\n', ["pyproject.toml:2: is not TOML"]),
        (
            '[tool.x]\nname = "b"\n[project]\nname = "-a-"\nversion = "one"\nrequires-python = ">=3.12"\n',
            [
                "pyproject.toml:4: '-a-' is no name of a distribution",
                "pyproject.toml:5: 'one' is no version (PEP 440)",
                "pyproject.toml:6: '>=3.12' does not admit Python 3.11.2, the one to be used",
            ],
        ),
        (
            '[project]\nrequires-python = "new"\n',
            [
                "pyproject.toml:1: the project has no name",
                "pyproject.toml:1: the project has no version, and none is dynamic",
                "pyproject.toml:2: 'new' is no version specifier (PEP 440)",
            ],
        ),
    ],
)
def test_everything_that_is_wrong_is_said_with_its_line(tmp_path: Path, text: str, said: list[str]) -> None:
    (tmp_path / "pyproject.toml").write_text(text)

    problems = [str(problem) for problem in project_problems(tmp_path, "3.11.2")]

    assert [text.split(" TOML: ")[0] + " TOML" if " TOML: " in text else text for text in problems] == said


def test_a_folder_without_the_file_is_no_project(tmp_path: Path) -> None:
    [problem] = project_problems(tmp_path, "3.11.2")

    assert str(problem).startswith("pyproject.toml: cannot be read")
