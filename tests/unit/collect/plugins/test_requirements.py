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
    ("line", "name"),
    [
        ("git+https://example.org/some.one/maxcut.git@7ab0cf4a8131", "maxcut"),
        ("git+https://example.org/some.one/maxcut", "maxcut"),
        ("git+ssh://git@example.org/a/Embeddings.git@c5ce#egg=hybrid_autoencoders", "hybrid-autoencoders"),
        ("git+https://example.org/r@v1#subdirectory=a&egg=thing[fast] ; python_version > '3'", "thing"),
        ("https://example.org/some_thing-1.0-py3-none-any.whl", "some-thing"),
    ],
)
def test_bare_url_gets_the_name_that_it_tells(line: str, name: str) -> None:
    [found] = parse_requirements(line)
    assert found.name == name
    assert found.requirement.url == line.partition(" ;")[0]
    assert (found.requirement.marker is not None) == (" ;" in line)


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("-r other.txt", "options of pip"),
        ("--index-url https://example.org/simple", "options of pip"),
        ("-e .", "options of pip"),
        ("numpy==1 --hash=sha256:00", "options of pip"),
        ("./local", "no requirement"),
        ("numpy = 3", "no requirement"),
        ("https://example.org/r.tar.gz", "no requirement"),
        ("https://example.org/r.whl", "no requirement"),
        ("git+https://s3cret@example.org/r", "credentials"),
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
