"""Lines of GIT_PLUGINS: what each names, and which cannot be read."""

from __future__ import annotations

import pytest

from treadle.collect.plugins.git_lines import GitLine, parse_git_lines
from treadle.collect.sources.git_url import GitUrl


@pytest.mark.parametrize(
    ("text", "url", "ref", "subdirectory"),
    [
        ("git+https://example.org/r.git", "https://example.org/r.git", None, ""),
        ("git+https://example.org/r", "https://example.org/r", None, ""),
        ("git+https://example.org/r@v0.1.0", "https://example.org/r", "v0.1.0", ""),
        ("git+https://example.org/r.git@feature/x#a=b", "https://example.org/r.git", "feature/x", ""),
        ("git+https://example.org/r#subdirectory=/plugins", "https://example.org/r", None, "plugins"),
        (
            "git+https://example.org/r@main#egg=x&subdirectory=a/b/&other=1",
            "https://example.org/r",
            "main",
            "a/b",
        ),
        ("git+https://ana@example.org/r.git", "https://ana@example.org/r.git", None, ""),
        ("git+https://ana:pw@example.org:8443/r@x", "https://ana:pw@example.org:8443/r", "x", ""),
        ("git+ssh://git@example.org/a/r.git@x", "ssh://git@example.org/a/r.git", "x", ""),
        ("git+git@example.org:a/r.git@x", "ssh://git@example.org/a/r.git", "x", ""),
        ("git+file:///srv/r@x#subdirectory=one.py", "file:///srv/r", "x", "one.py"),
    ],
)
def test_line_names_address_reference_and_folder(
    text: str, url: str, ref: str | None, subdirectory: str
) -> None:
    [line], problems = parse_git_lines([text])
    assert problems == []
    assert line == GitLine(1, GitUrl(url, ref, subdirectory))


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("https://example.org/r", "not the address of a git repository"),
        ("git+example.org/r", "not the address of a git repository"),
        ("git+https:///r", "names no host"),
        ("git+https://example.org/", "names no repository"),
        ("git+https://example.org:x/r", "Port"),
        ("git+https://example.org/r@", "'' where a branch"),
        ("git+https://example.org/r@--upload-pack=x", "where a branch"),
        ("git+ssh://-oProxyCommand=x/r", "names no host"),
        ("git+https://example.org/r#subdirectory=../..", "outside of the repository"),
        ("git+https://example.org/r#subdirectory=.git/hooks", "outside of the repository"),
        ("git+https://example.org/r#subdirectory=a&subdirectory=b", "two subdirectories"),
        ("git+file://elsewhere/r", "another machine"),
    ],
)
def test_line_that_names_none_is_told_with_its_number_and_hinders_no_other(text: str, problem: str) -> None:
    lines, [bad] = parse_git_lines(["git+https://example.org/a", "", text, "git+https://example.org/b"])
    assert [line.number for line in lines] == [1, 4]
    assert bad.number == 3
    assert problem in bad.problem


def test_neither_place_nor_problem_shows_credentials() -> None:
    [line], [bad] = parse_git_lines(["git+https://ana:pw@example.org/r@x", "https://ana:pw@example.org/r"])
    assert str(line) == "git+https://example.org/r@x"
    assert bad.text == "https://example.org/r"
    assert "pw" not in repr([line, bad])
