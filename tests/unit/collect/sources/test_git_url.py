from __future__ import annotations

import pytest

from treadle.collect.sources.git_url import GitUrl, check_allowed, parse_git_url
from treadle.errors import SourceInvalid


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("git+https://host/group/repo", GitUrl("https://host/group/repo")),
        ("git+https://host/repo.git@v1.0", GitUrl("https://host/repo.git", "v1.0")),
        ("git+https://host/repo@feature/x", GitUrl("https://host/repo", "feature/x")),
        ("git+ssh://git@host/repo", GitUrl("ssh://git@host/repo")),
        ("git+ssh://git@host:2222/~me/repo@main", GitUrl("ssh://git@host:2222/~me/repo", "main")),
        ("git+https://u:p@host/re@po@main", GitUrl("https://u:p@host/re@po", "main")),
        ("git+file:///srv/repo@0a1b2c", GitUrl("file:///srv/repo", "0a1b2c")),
        (" GIT+HTTPS://host/repo ", GitUrl("https://host/repo")),
        ("git+https://host/r#subdirectory=a/b", GitUrl("https://host/r", None, "a/b")),
        ("git+https://host/r@m#egg=x&subdirectory=/a/&y=z", GitUrl("https://host/r", "m", "a")),
        ("git+https://host/r#subdirectory=with%20space", GitUrl("https://host/r", None, "with space")),
        ("git+https://host/r#egg=x", GitUrl("https://host/r")),
        ("git+https://host/r#subdirectory=", GitUrl("https://host/r")),
    ],
)
def test_address_is_read_as_pip_reads_it(text: str, place: GitUrl) -> None:
    assert parse_git_url(text) == place


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("git+https://me:hunter2@host/r@v1#subdirectory=a b", "git+https://host/r@v1#subdirectory=a%20b"),
        ("git+https://hunter2@host/r", "git+https://host/r"),
        ("git+ssh://git:hunter2@host/r", "git+ssh://git@host/r"),
        ("git+ssh://git@host/r@main", "git+ssh://git@host/r@main"),
    ],
)
def test_credentials_are_neither_shown_nor_in_the_repr(text: str, shown: str) -> None:
    place = parse_git_url(text.replace("a b", "a%20b"))

    assert str(place) == shown
    assert "hunter2" in place.url or "hunter2" not in text
    assert "hunter2" not in repr(place)
    assert parse_git_url(shown).subdirectory == place.subdirectory


@pytest.mark.parametrize(
    "text",
    [
        "https://host/repo",
        "git+git@host:repo",
        "git+https://",
        "git+https:///repo",
        "git+https://host",
        "git+https://host/",
        "git+https://host:port/repo",
        "git+file://elsewhere/repo",
        "git+ssh://-oProxyCommand=x/repo",
        "git+ssh://-l@host/repo",
        "git+https://host/repo@",
        "git+https://host/repo@-x",
        "git+https://host/repo@--upload-pack=x",
        "git+https://host/repo@a..b",
        "git+https://host/repo@HEAD~1",
        "git+https://host/repo@a:b",
        "git+https://host/repo name",
        "git+https://host/repo\n@x",
        "git+https://host/repo#subdirectory=../x",
        "git+https://host/repo#subdirectory=a/%2e%2e/%2e%2e/x",
        "git+https://host/repo#subdirectory=.git",
        "git+https://host/repo#subdirectory=a&subdirectory=b",
    ],
)
def test_what_no_repository_is_named_by_is_refused(text: str) -> None:
    with pytest.raises(SourceInvalid) as caught:
        parse_git_url(text)

    assert caught.value.remedy


def test_refusal_does_not_show_credentials() -> None:
    with pytest.raises(SourceInvalid) as caught:
        parse_git_url("git+https://me:hunter2@host/repo@-x")

    assert "hunter2" not in str(caught.value)


def allow(
    text: str, schemes: tuple[str, ...] = ("https", "ssh", "file"), hosts: tuple[str, ...] = ("*",)
) -> None:
    check_allowed(parse_git_url(text), schemes=schemes, hosts=hosts)


@pytest.mark.parametrize("scheme", ["http", "git", "ext", "ftp"])
def test_scheme_that_is_not_allowed_is_refused(scheme: str) -> None:
    with pytest.raises(SourceInvalid, match=f"{scheme} is not among the allowed schemes") as caught:
        allow(f"git+{scheme}://host/repo")

    assert "https" in caught.value.remedy


def test_only_allowed_hosts_are_fetched_from() -> None:
    hosts = ("git.example.org", "*.Lab.example")

    allow("git+https://me@GIT.example.org:8443/repo", hosts=hosts)
    allow("git+ssh://git@a.lab.example/repo", hosts=hosts)
    allow("git+file:///srv/repo", hosts=hosts)
    for other in ("evil.org", "git.example.org.evil.org", "lab.example", "git.example.org@evil.org"):
        with pytest.raises(SourceInvalid, match="not among the allowed hosts"):
            allow(f"git+https://{other}/repo", hosts=hosts)
