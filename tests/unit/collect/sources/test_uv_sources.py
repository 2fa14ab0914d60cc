from __future__ import annotations

import tomllib

import pytest

from treadle.collect.sources.uv_sources import source_lines

PROJECT = """
[project]
name = "main"
dependencies = ["Some_Lib[more]>=1", "other", "not a requirement"]
optional-dependencies = { more = ["third"] }
[tool.uv.sources]
"""


@pytest.mark.parametrize(
    ("entry", "lines"),
    [
        ('some-lib = { git = "https://host/r" }', ["some-lib @ git+https://host/r"]),
        (
            'third = { git = "ssh://git@host/r", tag = "v1", subdirectory = "a b" }',
            ["third @ git+ssh://git@host/r@v1#subdirectory=a%20b"],
        ),
        (
            'other = [{ git = "https://host/r", tag = "x", marker = "os_name == \'nt\'" }, { index = "i" }]',
            ["other @ git+https://host/r@x ; os_name == 'nt'"],
        ),
        (
            'other = { url = "https://host/o-1-py3-none-any.whl" }',
            ["other @ https://host/o-1-py3-none-any.whl"],
        ),
        ('other = { path = "../other" }', ["./../other"]),
        ("other = { workspace = true }", ["./other (of its workspace)"]),
        ('unwanted = { path = "../other" }', []),
        ("", []),
    ],
)
def test_dependencies_from_elsewhere_are_found(entry: str, lines: list[str]) -> None:
    assert source_lines(tomllib.loads(PROJECT + entry)) == lines


@pytest.mark.parametrize("text", ["", "tool = 1", "[project]\ndependencies = 1\n[tool.uv]\nsources = []"])
def test_project_that_says_nothing_of_it_has_none(text: str) -> None:
    assert source_lines(tomllib.loads(text)) == []
