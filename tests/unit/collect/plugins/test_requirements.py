"""Requirement texts: what is read as pip reads it, and what is refused with its line."""

from __future__ import annotations

import pytest
from packaging.requirements import Requirement

from treadle.collect.plugins.requirements import parse_requirements
from treadle.errors import SourceInvalid


def test_comments_continued_lines_extras_and_markers_are_read() -> None:
    text = (
        "# what we need\n"
        "numpy>=1.20,<3   # arrays\n"
        "\n"
        "pandas [excel, aws] \\\n"
        "    ~= 2.0\n"
        "tomli; python_version < '3.11'\n"
        "thing @ git+https://example.org/thing.git@v1#egg=thing\n"
        "qhana_plugin_runner>=0.5\n"
    )
    assert [(line.number, line.requirement) for line in parse_requirements(text)] == [
        (2, Requirement("numpy>=1.20,<3")),
        (4, Requirement("pandas[aws,excel]~=2.0")),
        (6, Requirement('tomli; python_version < "3.11"')),
        (7, Requirement("thing @ git+https://example.org/thing.git@v1#egg=thing")),
    ]
    assert parse_requirements("") == []


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("-r other.txt", "options of pip"),
        ("--index-url https://example.org/simple", "options of pip"),
        ("-e .", "options of pip"),
        ("numpy==1 --hash=sha256:00", "options of pip"),
        ("./local", "no requirement"),
        ("numpy = 3", "no requirement"),
        ("git+https://example.org/r#egg=r", "no requirement"),
        ("thing @ https://ana:s3cret@example.org/thing.whl", "credentials"),
        ("thing @ git+https://s3cret@example.org/thing", "credentials"),
        ("numpy==${VERSION}", "variables are not replaced"),
    ],
)
def test_line_that_is_none_is_refused_with_its_number(line: str, problem: str) -> None:
    with pytest.raises(SourceInvalid) as caught:
        parse_requirements(f"pandas\n\\\n\n{line}\nnumpy\n!\n")
    assert "Line 4, " in caught.value.what
    assert problem in caught.value.what
    assert "Line 6, !" in caught.value.what
    assert "s3cret" not in caught.value.what
